"""Flat lists of header lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.framing import COLON, CRLF, without

_NAMES = st.sampled_from([b"A", b"a", b"B", b"Content-Length"])


@given(st.lists(st.tuples(_NAMES, st.binary(max_size=4))))
def test_what_is_named_goes_in_any_case_and_the_rest_stays_in_order(
    lines: list[tuple[bytes, bytes]],
) -> None:
    parts: list[bytes] = []
    for name, value in lines:
        parts += (name, COLON, value, CRLF)
    before = parts.copy()
    kept = without(parts, frozenset({b"a"}))
    assert parts == before
    assert list(zip(kept[::4], kept[2::4], strict=True)) == [
        line for line in lines if line[0].lower() != b"a"
    ]
