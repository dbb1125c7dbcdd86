"""Which reader an answer needs."""

from __future__ import annotations

import gzip

import pytest

from sidecar.core.facts import CONTENT
from sidecar.dialects.choose import reader_for

EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
BODY = b'{"choices":[{"message":{"content":"hi"}}]}'
STREAM = b"Text/Event-Stream; charset=utf-8"


def test_an_event_stream_is_read_as_one() -> None:
    chosen = reader_for("openai-chat", 200, STREAM, None)
    assert chosen is not None
    assert chosen.is_stream
    assert chosen.reader.feed(EVENT) == [CONTENT]


@pytest.mark.parametrize("content_type", [b"application/json", None, b"text/html"])
def test_all_else_is_a_body(content_type: bytes | None) -> None:
    chosen = reader_for("openai-chat", 200, content_type, None)
    assert chosen is not None
    assert not chosen.is_stream
    assert chosen.reader.feed(BODY) + chosen.reader.end() == [CONTENT]


def test_an_error_is_a_body_whatever_it_calls_itself() -> None:
    chosen = reader_for("openai-chat", 429, STREAM, None)
    assert chosen is not None
    chosen.reader.feed(b'{"error":{"code":"slow_down"}}')
    chosen.reader.end()
    assert chosen.facts.error is not None
    assert chosen.facts.error.code == "slow_down"


def test_an_encoded_one_is_read_from_a_copy() -> None:
    chosen = reader_for("openai-chat", 200, STREAM, b"gzip")
    assert chosen is not None
    packed = gzip.compress(EVENT * 2)
    kinds = [kind for at in range(len(packed)) for kind in chosen.reader.feed(packed[at : at + 1])]
    assert kinds + chosen.reader.end() == [CONTENT, CONTENT]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"no gzip" * 9, "not_unpackable"), (gzip.compress(bytes(300 << 20)), "too_dense")],
)
def test_what_cannot_be_unpacked_is_said_and_nothing_is_concluded(data: bytes, reason: str) -> None:
    chosen = reader_for("openai-chat", 200, STREAM, b"gzip")
    assert chosen is not None
    for at in range(0, len(data), 1000):
        assert chosen.reader.feed(data[at : at + 1000]) == []
    assert chosen.reader.end() == []
    assert chosen.facts.is_lost
    assert chosen.facts.skipped == {reason: 1}


def test_nobody_reads_what_nobody_knows() -> None:
    assert reader_for("carrier-pigeon", 200, STREAM, None) is None
    assert reader_for("openai-chat", 200, STREAM, b"compress") is None
