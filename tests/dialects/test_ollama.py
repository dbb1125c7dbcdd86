"""Ollama's own words, read as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, REASONING, TOOL_CALL, UNREADABLE
from sidecar.dialects.ndjson import NdjsonReader
from sidecar.dialects.ollama import Ollama

from .transcripts import assert_as_expected, cuts, load, names, read

DIALECTS = ("ollama-chat", "ollama-generate", "ollama-embeddings")


@pytest.mark.parametrize("name", names(*DIALECTS, streamed=True))
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = NdjsonReader(Ollama())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", names(*DIALECTS, streamed=False))
def test_a_whole_body_is_read(name: str) -> None:
    ollama = Ollama()
    found = ollama.whole(load(name)[1])
    ollama.facts.events = 1
    assert_as_expected(name, ollama.facts, [found] if found > 0 else [])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"message":{"content":""}}', NOTHING),
        (b'{"message":{"content":"a"}}', CONTENT),
        (b'{"message":{"thinking":"a","content":""}}', REASONING),
        (b'{"message":{"tool_calls":[{"function":{"name":"f"}}]}}', TOOL_CALL),
        (b'{"response":"a","thinking":"b"}', CONTENT | REASONING),
        (b'{"response":5,"message":[]}', NOTHING),
        (b"[]", UNREADABLE),
    ],
)
def test_a_line_tells_what_it_brought(line: bytes, kind: int) -> None:
    assert Ollama().event(b"", line) == kind


@given(st.binary(max_size=80))
def test_nothing_makes_the_reader_raise(data: bytes) -> None:
    ollama = Ollama()
    ollama.event(b"", data)
    ollama.whole(data)
