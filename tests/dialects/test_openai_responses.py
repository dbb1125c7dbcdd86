"""Responses of OpenAI and of those who speak like it, read as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import UNREADABLE
from sidecar.dialects.openai_responses import OpenAiResponses
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

STREAMS = names("openai-responses", streamed=True)
BODIES = names("openai-responses", streamed=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = SseReader(OpenAiResponses())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    one = OpenAiResponses()
    found = one.whole(load(name)[1])
    one.facts.events = int(found != UNREADABLE)
    assert_as_expected(name, one.facts, [found] if found > 0 else [])


@given(st.binary(max_size=200) | st.sampled_from(STREAMS).map(lambda name: load(name)[1][:3000]))
def test_nothing_is_raised_whatever_comes(data: bytes) -> None:
    one = OpenAiResponses()
    for piece in (data, data[6:], b"{" + data, b"[" + data):
        assert isinstance(one.event(b"error", piece), int)
        assert isinstance(one.whole(piece), int)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "delta",
                        "message",
                        "content_block",
                        "usage",
                        "error",
                        "response",
                        "output",
                        "choices",
                        "text",
                        "content",
                        "id",
                        "model",
                        "status",
                        "input_tokens",
                        "summary",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_every_value_may_be_of_any_type(value: object) -> None:
    import msgspec

    body = msgspec.json.encode(value)
    one = OpenAiResponses()
    assert isinstance(one.event(b"", body), int)
    assert isinstance(one.whole(body), int)
