"""Bedrock's InvokeModel, read as recorded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, TOOL_CALL, UNREADABLE, Usage
from sidecar.dialects.bedrock_invoke import BedrockInvoke
from sidecar.dialects.event_stream import EventStreamReader

from .transcripts import assert_as_expected, cuts, load, names, read

EVENT_STREAMS = [
    name
    for name in names("bedrock-invoke", streamed=True) + names("bedrock-invoke", streamed=False)
    if load(name)[1][:1] == b"\0"
]
BODIES = [
    name
    for name in names("bedrock-invoke", streamed=True) + names("bedrock-invoke", streamed=False)
    if name not in EVENT_STREAMS
]


def packed(**inner: Any) -> bytes:
    return json.dumps({"bytes": base64.b64encode(json.dumps(inner).encode()).decode()}).encode()


@pytest.mark.parametrize("name", EVENT_STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = EventStreamReader(BedrockInvoke())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    invoke = BedrockInvoke()
    found = invoke.whole(load(name)[1])
    invoke.facts.events = 1
    assert_as_expected(name, invoke.facts, [found] if found > 0 else [])


@pytest.mark.parametrize(
    ("inner", "kind", "usage", "reasons"),
    [
        ({"generation": "a", "prompt_token_count": 3}, CONTENT, Usage(3), []),
        (
            {"generation": "", "generation_token_count": 2, "stop_reason": "stop"},
            NOTHING,
            Usage(None, 2),
            ["stop"],
        ),
        ({"outputs": [{"text": "a", "stop_reason": "length"}]}, CONTENT, None, ["length"]),
        ({"completion": "a", "stop_reason": None}, CONTENT, None, []),
        ({"event_type": "text-generation", "text": "a"}, CONTENT, None, []),
        (
            {"generations": [{"text": "a", "finish_reason": "END"}]},
            CONTENT,
            None,
            ["END"],
        ),
        ({"choices": [{"delta": {"content": "a"}}]}, CONTENT, None, []),
        ({"outputText": "", "inputTextTokenCount": 6.0}, NOTHING, Usage(6), []),
        ({"unheard": "of"}, NOTHING, None, []),
        (
            {"contentBlockStart": {"start": {"toolUse": {"name": "f"}}}},
            TOOL_CALL,
            None,
            [],
        ),
    ],
)
def test_each_family_of_models_has_its_own_words(
    inner: dict[str, Any], kind: int, usage: Usage | None, reasons: list[str]
) -> None:
    invoke = BedrockInvoke()
    assert invoke.event(b"chunk", packed(**inner)) == kind
    assert (invoke.facts.usage, invoke.facts.finish_reasons) == (usage, reasons)


def test_a_titan_body_tells_its_counts_apart() -> None:
    invoke = BedrockInvoke()
    body = {
        "inputTextTokenCount": 5,
        "results": [{"tokenCount": 7, "outputText": "abc", "completionReason": "FINISH"}],
    }
    assert invoke.whole(json.dumps(body).encode()) == CONTENT
    assert (invoke.facts.usage, invoke.facts.finish_reasons) == (Usage(5, 7), ["FINISH"])
    assert invoke.facts.is_complete


def test_the_packings_own_count_stands_where_the_model_gave_none() -> None:
    invoke = BedrockInvoke()
    metrics = {"inputTokenCount": 4, "outputTokenCount": 9}
    last = {"generation_token_count": 2, "amazon-bedrock-invocationMetrics": metrics}
    invoke.event(b"chunk", packed(generation="", **last))
    assert invoke.facts.usage == Usage(4, 2)


@pytest.mark.parametrize("data", [b"{}", b'{"bytes":"?"}', b'{"bytes":"AA=="}', b"[]", b""])
def test_what_is_not_packed_as_it_should_be_is_unreadable(data: bytes) -> None:
    assert BedrockInvoke().event(b"chunk", data) == UNREADABLE


@given(st.binary(max_size=80))
def test_nothing_in_it_makes_the_reader_raise(inner: bytes) -> None:
    invoke = BedrockInvoke()
    invoke.event(b"chunk", json.dumps({"bytes": base64.b64encode(inner).decode()}).encode())
    invoke.whole(inner)
