"""Cohere's chats, read as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, ProviderError, Usage
from sidecar.dialects.cohere import Cohere
from sidecar.dialects.ndjson import NdjsonReader
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

FRAMINGS = {"cohere-chat-v1": NdjsonReader, "cohere-chat-v2": SseReader}


@pytest.mark.parametrize("name", names(*FRAMINGS, streamed=True))
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = FRAMINGS[name.split(".")[0]](Cohere())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", names(*FRAMINGS, streamed=False))
def test_a_whole_body_is_read(name: str) -> None:
    cohere = Cohere()
    found = cohere.whole(load(name)[1])
    cohere.facts.events = 1
    assert_as_expected(name, cohere.facts, [found] if found > 0 else [])


def test_embeddings_tell_what_is_billed() -> None:
    cohere = Cohere()
    body = b'{"id":"1","embeddings":{"float":[[0.1]]},"meta":{"billed_units":{"input_tokens":4}}}'
    assert cohere.whole(body) == NOTHING
    assert (cohere.facts.usage, cohere.facts.is_complete) == (Usage(4), True)


def test_an_error_is_a_message() -> None:
    cohere = Cohere()
    assert cohere.whole(b'{"id":"1","message":"invalid api token"}') == NOTHING
    assert cohere.facts.error == ProviderError(False, None, None, "invalid api token")


def test_an_error_may_come_at_the_end_of_a_stream() -> None:
    cohere = Cohere()
    cohere.event(b"", b'{"type":"message-end","delta":{"finish_reason":"ERROR","error":"broke"}}')
    assert cohere.facts.error == ProviderError(True, "ERROR", None, "broke")
    cohere = Cohere()
    cohere.event(b"", b'{"message":"broke"}')
    assert cohere.facts.error == ProviderError(True, None, None, "broke")


def test_a_plan_for_tools_is_neither_content_nor_call() -> None:
    data = b'{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}'
    assert Cohere().event(b"", data) == NOTHING


def test_a_body_of_parts_is_read() -> None:
    cohere = Cohere()
    body = b'{"message":{"content":[{"type":"text","text":"abc"}]},"finish_reason":"COMPLETE"}'
    assert cohere.whole(body) == CONTENT
    assert cohere.facts.text_chars == 3


@given(st.binary(max_size=80))
def test_nothing_makes_the_reader_raise(data: bytes) -> None:
    cohere = Cohere()
    cohere.event(b"", data)
    cohere.whole(data)
