"""`usage: ask`, byte by byte."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.ask import MAX_EVENT_BYTES, UsageWithheld, with_usage

CHUNK = b'data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n'
FIRST = b'data: {"choices":[],"prompt_filter_results":[],"usage":null}\r\n\r\n'
EXTRA = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
LAST = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "asking"),
    [
        (
            b' {"model": "m",\n "stream": true}',
            b' {"stream_options":{"include_usage":true},"model": "m",\n "stream": true}',
        ),
        (
            b'{"stream":true,"stream_options":{}}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream_options" : { "include_obfuscation":false },"stream":true}',
            b'{"stream_options" : {"include_usage":true, "include_obfuscation":false },'
            b'"stream":true}',
        ),
    ],
)
def test_one_member_is_inserted_and_all_other_bytes_stay(body: bytes, asking: bytes) -> None:
    assert with_usage(body) == asking
    assert json.loads(asking)["stream_options"]["include_usage"] is True


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m"}',
        b'{"stream":false}',
        b'{"stream":1}',
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":true,"stream_options":{"include_usage":false}}',
        b'{"stream":true,"stream_options":null}',
        b'{"stream":true,"stream_options":{},"metadata":{}}',
        b'{"stream":true',
        b"[]",
        b"",
        b"\x1f\x8b\x08",
        b"[" * 10_000,
    ],
)
def test_what_is_no_stream_or_has_decided_is_left_alone(body: bytes) -> None:
    assert with_usage(body) is None


@given(st.binary(max_size=60))
def test_no_body_makes_it_raise(body: bytes) -> None:
    with_usage(body)
    with_usage(b'{"stream":true,' + body)


def passed(stream: bytes, *edges: int) -> bytes:
    withheld = UsageWithheld()
    cuts = sorted({0, len(stream), *(min(edge, len(stream)) for edge in edges)})
    out = b"".join(withheld.feed(stream[a:b]) for a, b in pairwise(cuts))
    return out + withheld.end()


@given(st.sets(st.integers(0, 300), max_size=8))
def test_exactly_the_one_extra_event_is_withheld(edges: set[int]) -> None:
    stream = FIRST + CHUNK * 2 + EXTRA + LAST
    assert passed(stream, *edges) == FIRST + CHUNK * 2 + LAST


def test_a_second_one_is_not_ours_to_withhold() -> None:
    assert passed(CHUNK + EXTRA + EXTRA + LAST) == CHUNK + EXTRA + LAST


@pytest.mark.parametrize(
    "event",
    [
        CHUNK,
        FIRST,
        b": ping\n\n",
        b'data: {"choices":[],"usage":\n\n',
        b'data: {"choices":[{}],"usage":{}}\n\n',
        b'event: x\ndata: {"choices":[],"usage":{}}\n\n',
        b"\n\n\n",
    ],
)
def test_all_else_goes_on(event: bytes) -> None:
    assert passed(event + LAST, 1, 5, len(event) - 1) == event + LAST


def test_a_whole_event_goes_on_at_once_and_its_beginning_waits() -> None:
    withheld = UsageWithheld()
    assert withheld.feed(CHUNK + EXTRA[:9]) == CHUNK
    assert withheld.feed(EXTRA[9:] + LAST) == LAST


def test_an_event_without_end_is_not_kept() -> None:
    withheld = UsageWithheld()
    data = b"data: " + b"x" * MAX_EVENT_BYTES
    assert withheld.feed(data) == data
    assert withheld.feed(b"y") + withheld.end() == b"y"
