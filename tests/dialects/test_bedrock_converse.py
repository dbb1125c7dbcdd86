"""Bedrock's Converse, read as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, REASONING, TOOL_CALL, UNREADABLE
from sidecar.dialects.bedrock_converse import BedrockConverse
from sidecar.dialects.event_stream import EventStreamReader

from .transcripts import assert_as_expected, cuts, load, names, read

ALL = names("bedrock-converse", streamed=True) + names("bedrock-converse", streamed=False)
EVENT_STREAMS = [name for name in ALL if load(name)[1][:1] == b"\0"]
BODIES = [name for name in ALL if name not in EVENT_STREAMS]


@pytest.mark.parametrize("name", EVENT_STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = EventStreamReader(BedrockConverse())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    converse = BedrockConverse()
    found = converse.whole(load(name)[1])
    converse.facts.events = 1
    assert_as_expected(name, converse.facts, [found] if found > 0 else [])


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        (b"messageStart", b'{"role":"assistant"}', NOTHING),
        (b"contentBlockDelta", b'{"delta":{"text":""}}', NOTHING),
        (b"contentBlockDelta", b'{"delta":{"text":"a"}}', CONTENT),
        (b"contentBlockDelta", b'{"delta":{"reasoningContent":{"text":"a"}}}', REASONING),
        (b"contentBlockDelta", b'{"delta":{"reasoningContent":{"signature":"a"}}}', NOTHING),
        (b"contentBlockDelta", b'{"delta":{"toolUse":{"input":"{"}}}', TOOL_CALL),
        (b"contentBlockDelta", b'{"delta":{"toolUse":{"input":""}}}', NOTHING),
        (b"contentBlockDelta", b'{"delta":[]}', NOTHING),
        (b"contentBlockStart", b'{"start":{"toolUse":{"name":"f"}}}', TOOL_CALL),
        (b"somethingNew", b'{"delta":{"text":"a"}}', NOTHING),
        (b"contentBlockDelta", b"[]", UNREADABLE),
    ],
)
def test_an_event_tells_what_it_brought(name: bytes, data: bytes, kind: int) -> None:
    assert BedrockConverse().event(name, data) == kind


def test_an_answer_is_whole_with_both_its_last_events() -> None:
    for events, is_complete in (
        ([b"messageStop"], False),
        ([b"metadata"], False),
        ([b"messageStop", b"metadata"], True),
    ):
        converse = BedrockConverse()
        for name in events:
            converse.event(name, b"{}")
        assert converse.facts.is_complete is is_complete


@given(st.sampled_from([b"contentBlockDelta", b"metadata", b"x"]), st.binary(max_size=80))
def test_nothing_makes_the_reader_raise(name: bytes, data: bytes) -> None:
    converse = BedrockConverse()
    converse.event(name, data)
    converse.whole(data)
