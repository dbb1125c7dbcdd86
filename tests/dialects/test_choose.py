"""Which reader an answer needs."""

from __future__ import annotations

import gzip

import pytest

from sidecar.core.facts import CONTENT
from sidecar.dialects import operations
from sidecar.dialects.choose import Both, recipe_for

EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
BODY = b'{"choices":[{"message":{"content":"hi"}}]}'
STREAM = b"Text/Event-Stream; charset=utf-8"


def test_an_event_stream_is_read_as_one() -> None:
    recipe = recipe_for("openai-chat", True, STREAM, None)
    assert recipe is not None
    reader, _ = recipe.make()
    assert recipe.is_stream
    assert reader.feed(EVENT) == [CONTENT]


@pytest.mark.parametrize("content_type", [b"application/json", None, b"text/html"])
def test_all_else_is_a_body(content_type: bytes | None) -> None:
    recipe = recipe_for("openai-chat", True, content_type, None)
    assert recipe is not None
    reader, _ = recipe.make()
    assert not recipe.is_stream
    assert reader.feed(BODY) + reader.end() == [CONTENT]


def test_an_error_is_a_body_whatever_it_calls_itself() -> None:
    recipe = recipe_for("openai-chat", False, STREAM, None)
    assert recipe is not None
    reader, facts = recipe.make()
    reader.feed(b'{"error":{"code":"slow_down"}}')
    reader.end()
    assert facts.error is not None
    assert facts.error.code == "slow_down"


def test_an_encoded_one_is_read_from_a_copy() -> None:
    recipe = recipe_for("openai-chat", True, STREAM, b"gzip")
    assert recipe is not None
    reader, _ = recipe.make()
    packed = gzip.compress(EVENT * 2)
    kinds = [kind for at in range(len(packed)) for kind in reader.feed(packed[at : at + 1])]
    assert kinds + reader.end() == [CONTENT, CONTENT]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"no gzip" * 9, "not_unpackable"), (gzip.compress(bytes(300 << 20)), "too_dense")],
)
def test_what_cannot_be_unpacked_is_said_and_nothing_is_concluded(data: bytes, reason: str) -> None:
    recipe = recipe_for("openai-chat", True, STREAM, b"gzip")
    assert recipe is not None
    reader, facts = recipe.make()
    for at in range(0, len(data), 1000):
        assert reader.feed(data[at : at + 1000]) == []
    assert reader.end() == []
    assert facts.is_lost
    assert facts.skipped == {reason: 1}


def test_nobody_reads_what_nobody_knows() -> None:
    assert recipe_for("carrier-pigeon", True, STREAM, None) is None
    assert recipe_for("openai-chat", True, STREAM, b"compress") is None


@pytest.mark.parametrize(
    ("family", "content_type", "data"),
    [
        ("gemini", STREAM, b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n'),
        (
            "gemini-stream",
            b"application/json; charset=UTF-8",
            b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}',
        ),
        ("ollama", b"application/x-ndjson", b'{"response":"a"}\n'),
        ("cohere", b"application/stream+json", b'{"event_type":"text-generation","text":"a"}\n'),
        ("openai-audio", STREAM, b'data: {"type":"transcript.text.delta","delta":"a"}\n\n'),
    ],
)
def test_each_family_has_its_framings(family: str, content_type: bytes, data: bytes) -> None:
    recipe = recipe_for(family, True, content_type, None)
    assert recipe is not None
    assert recipe.is_stream
    assert recipe.make()[0].feed(data) == [CONTENT]


def test_every_operation_has_its_reader() -> None:
    for _, operation in operations._POST:
        assert recipe_for(operation.family, True, b"application/json", None) is not None


class Failing:
    def feed(self, data: bytes) -> list[int]:
        raise ValueError

    def end(self) -> list[int]:
        raise ValueError


class Counting:
    def feed(self, data: bytes) -> list[int]:
        return [len(data)]

    def end(self) -> list[int]:
        return [0]


def test_a_second_reader_that_fails_does_not_disturb_the_first() -> None:
    both = Both(Counting(), Failing())
    assert (both.feed(b"abc"), both.feed(b"d"), both.end()) == ([3], [1], [0])
    assert Both(Counting(), Failing()).end() == [0]
