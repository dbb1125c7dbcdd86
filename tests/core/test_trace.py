"""W3C Trace Context, by its own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.trace import Parent, Trace, parse_traceparent, write_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01".encode()


def test_a_valid_one_is_read() -> None:
    assert parse_traceparent(VALID) == Parent(TRACE, SPAN, is_sampled=True)
    assert parse_traceparent(b" " + VALID[:-2] + b"00\t") == Parent(TRACE, SPAN, is_sampled=False)
    # Other flags say nothing of sampling.
    assert parse_traceparent(VALID[:-2] + b"fe") == Parent(TRACE, SPAN, is_sampled=False)


def test_a_version_from_the_future_is_read_as_the_first() -> None:
    assert parse_traceparent(b"cc" + VALID[2:]) == Parent(TRACE, SPAN, is_sampled=True)
    assert parse_traceparent(b"cc" + VALID[2:] + b"-what") == Parent(TRACE, SPAN, is_sampled=True)


@pytest.mark.parametrize(
    "broken",
    [
        *(None, b"", b"00", VALID[:-1], VALID + b"-x", VALID + b"0", b"ff" + VALID[2:]),
        VALID.upper(),
        b"00-" + b"0" * 32 + VALID[35:],
        VALID[:36] + b"0" * 16 + b"-01",
        VALID.replace(b"0af7", b"0ag7"),
        b"cc" + VALID[2:] + b"what",
        VALID + b", " + VALID,
    ],
)
def test_what_is_none_is_none(broken: bytes | None) -> None:
    assert parse_traceparent(broken) is None


@given(st.binary(max_size=80))
def test_no_bytes_break_it(junk: bytes) -> None:
    parse_traceparent(junk)


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read(trace: int, span: int, is_sampled: bool) -> None:
    ids = f"{trace:032x}", f"{span:016x}"
    assert parse_traceparent(write_traceparent(*ids, is_sampled)) == (*ids, is_sampled)


def test_a_figure_points_to_a_sampled_trace_only() -> None:
    parent = Parent(TRACE, SPAN, is_sampled=True)
    assert Trace("a", "b", None, is_recorded=True).example == ("a", "b")
    assert Trace(TRACE, None, parent, is_recorded=False).example == (TRACE, SPAN)
    assert Trace(TRACE, None, parent._replace(is_sampled=False), is_recorded=False).example is None
    assert Trace(None, None, None, is_recorded=False).example is None
