"""Messages of Anthropic and of those who speak like it, read as recorded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import UNREADABLE
from sidecar.dialects.anthropic import Anthropic
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

STREAMS = names("anthropic-messages", streamed=True)
BODIES = names("anthropic-messages", streamed=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = SseReader(Anthropic())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    one = Anthropic()
    found = one.whole(load(name)[1])
    one.facts.events = int(found != UNREADABLE)
    assert_as_expected(name, one.facts, [found] if found > 0 else [])


@given(st.binary(max_size=200) | st.sampled_from(STREAMS).map(lambda name: load(name)[1][:3000]))
def test_nothing_is_raised_whatever_comes(data: bytes) -> None:
    one = Anthropic()
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
    one = Anthropic()
    assert isinstance(one.event(b"", body), int)
    assert isinstance(one.whole(body), int)


def test_the_start_states_no_output_and_the_last_delta_replaces_the_rest() -> None:
    one = Anthropic()
    one.event(
        b"", b'{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}'
    )
    assert one.facts.usage is not None
    assert (one.facts.usage.input_tokens, one.facts.usage.output_tokens) == (9, None)
    for tokens in (5, 7):
        delta = b'{"type":"message_delta","usage":{"input_tokens":90,"output_tokens":%d}}' % tokens
        one.event(b"", delta)
    assert (one.facts.usage.input_tokens, one.facts.usage.output_tokens) == (90, 7)


def test_an_error_in_the_stream_is_one() -> None:
    one = Anthropic()
    one.event(
        b"error", b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    )
    assert one.facts.error is not None
    assert (one.facts.error.type, one.facts.error.is_in_stream) == ("overloaded_error", True)
    assert not one.facts.is_complete


@pytest.mark.parametrize("kind", [["x"], {"a": 1}, 5, None])
def test_a_block_whose_type_is_no_word_breaks_nothing(kind: object) -> None:
    reader = Anthropic()
    block = {"type": kind, "text": "a"}
    started = {"type": "content_block_start", "content_block": block}
    reader.event(b"content_block_start", json.dumps(started).encode())
    assert not reader.facts.is_complete
    assert not reader.facts.is_lost
