"""Answers of Gemini and Vertex, read as recorded: events, arrays and whole bodies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import UNREADABLE
from sidecar.dialects.gemini import Gemini
from sidecar.dialects.json_array import JsonArrayReader
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

# An array that was cut is a stream whatever its recording calls it: only the array's reader gets to
# what came before the cut.
CUT = "gemini-generate.google.truncated.array-cut.01"
STREAMS = [*names("gemini-generate", streamed=True), CUT]
BODIES = [name for name in names("gemini-generate", streamed=False) if name != CUT]


def framing(name: str) -> SseReader | JsonArrayReader:
    is_array = load(name)[1].lstrip()[:1] == b"["
    return JsonArrayReader(Gemini()) if is_array else SseReader(Gemini())


def _so_far(expected: dict[str, Any]) -> None:
    # Each chunk states a count that is not the last: of a cut stream the reader has the latest.
    for field in ("output_tokens", "reasoning_tokens"):
        if expected.get(f"{field}_so_far") is not None:
            expected[field] = expected[f"{field}_so_far"]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = framing(name)
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds, _so_far)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    one = Gemini()
    found = one.whole(load(name)[1])
    one.facts.events = int(found != UNREADABLE)
    assert_as_expected(name, one.facts, [found] if found > 0 else [])


def test_an_error_in_a_list_is_one() -> None:
    one = Gemini()
    one.whole(b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}]')
    assert one.facts.error is not None
    assert (one.facts.error.code, one.facts.error.type) == ("429", "RESOURCE_EXHAUSTED")


@given(st.binary(max_size=200) | st.sampled_from(STREAMS).map(lambda name: load(name)[1][:3000]))
def test_nothing_is_raised_whatever_comes(data: bytes) -> None:
    one = Gemini()
    for piece in (data, data[6:], b"{" + data, b"[" + data, b"[" * 5000):
        assert isinstance(one.event(b"", piece), int)
        assert isinstance(one.whole(piece), int)
