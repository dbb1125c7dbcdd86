"""Prompts and answers in one shape, by what providers really sent."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.choose import recipe_for
from sidecar.dialects.words import Words, input_messages, output_messages

from .transcripts import load, names


def _inputs(body: object, limit: int = 1000) -> list[tuple[str, str]]:
    told = input_messages(json.dumps(body).encode(), limit)
    return [] if told is None else _pairs(json.loads(told))


def _pairs(messages: Iterable[dict[str, object]]) -> list[tuple[str, str]]:
    pairs = []
    for message in messages:
        [part] = message["parts"]  # type: ignore[misc]  # JSON has no types
        assert part["type"] == "text"
        pairs.append((message["role"], part["content"]))
    return pairs  # type: ignore[return-value]  # JSON has no types


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"messages": [{"role": "system", "content": "S"},
                          {"role": "user", "content": [{"type": "text", "text": "A"},
                                                       {"type": "image_url", "image_url": {}},
                                                       {"type": "text", "text": "B"}]}]},
            [("system", "S"), ("user", "AB")],
        ),
        (
            {"system": "S", "messages": [{"role": "user", "content": "A"}]},
            [("system", "S"), ("user", "A")],
        ),
        ({"instructions": "S", "input": "A"}, [("system", "S"), ("user", "A")]),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "A"}]}]},
            [("user", "A")],
        ),
        (
            {"systemInstruction": {"parts": [{"text": "S"}]},
             "contents": [{"role": "model", "parts": [{"text": "A"}, {"text": "B"}]}]},
            [("system", "S"), ("model", "AB")],
        ),
        ({"prompt": "A"}, [("user", "A")]),
        ({"input": ["A", "B"]}, [("user", "A"), ("user", "B")]),
        ({"system": [{"text": "S"}], "messages": [{"role": "user", "content": [{"text": "A"}]}]},
         [("system", "S"), ("user", "A")]),
        ({"messages": 5}, []),
        ([], []),
    ],
)  # fmt: skip
def test_prompts(body: object, expected: list[tuple[str, str]]) -> None:
    assert _inputs(body) == expected


def test_the_newest_words_stay_and_the_rest_is_cut() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "x" * 50},
            {"role": "user", "content": "\u00e4" * 3},
        ]
    }
    assert _inputs(body, 8) == [("user", "xx"), ("user", "\u00e4" * 3)]
    assert _inputs(body, 5) == [("user", "\u00e4" * 2)]


_HOW = {
    "openai-chat": ("openai-chat", b"text/event-stream"),
    "openai-responses": ("openai-responses", b"text/event-stream"),
    "anthropic-messages": ("anthropic", b"text/event-stream"),
    "gemini-generate": ("gemini", b"text/event-stream"),
    "ollama-chat": ("ollama", b"application/x-ndjson"),
}


@pytest.mark.parametrize(
    ("dialect", "name"),
    [(dialect, name) for dialect in _HOW for name in names(dialect, streamed=True)],
)
def test_the_words_of_a_recorded_stream_are_those_that_its_reader_counted(
    dialect: str, name: str
) -> None:
    _, body = load(name)
    family, content_type = _HOW[dialect]
    recipe = recipe_for(family, True, content_type, None)
    assert recipe is not None
    reader, facts = recipe.make()
    reader.feed(body)
    reader.end()
    words = Words(1 << 20)
    second, _ = recipe._replace(interpret=lambda: words).make()
    second.feed(body)
    second.end()
    assert len(words.text) >= facts.text_chars


def test_an_answer_that_is_no_stream_is_told_too() -> None:
    words = Words(100)
    recipe = recipe_for("openai-chat", True, b"application/json", None)
    assert recipe is not None
    reader, _ = recipe._replace(interpret=lambda: words).make()
    reader.feed(b'{"choices": [{"message": {"role": "assistant", "content": "hello"}}]}')
    reader.end()
    assert _pairs(json.loads(output_messages(words, 100) or "")) == [("assistant", "hello")]


def test_no_more_is_kept_than_is_told() -> None:
    words = Words(5)
    for _ in range(10):
        words.event(b"", b'{"choices": [{"delta": {"content": "abc"}}]}')
    assert words.text == "abcab"
    assert output_messages(Words(5), 5) is None


@given(st.binary(max_size=100))
def test_no_bytes_break_it(junk: bytes) -> None:
    input_messages(junk, 100)
    Words(100).event(b"", junk)
