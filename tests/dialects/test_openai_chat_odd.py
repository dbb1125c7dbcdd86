"""Chat completions in odd forms, and that the plain ones are read alike by both readers."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, TOOL_CALL, Facts
from sidecar.dialects import openai_chat_odd
from sidecar.dialects.openai_chat import OpenAiChat

from .transcripts import load, names

STREAMS = names("openai-chat", streamed=True)
BODIES = names("openai-chat", streamed=False)
COUNT = st.none() | st.integers(0, 1 << 53) | st.floats() | st.booleans() | st.just("7")
TEXT = st.none() | st.text(max_size=3) | st.just([{"type": "text", "text": "a"}])
DETAILS = st.none() | st.fixed_dictionaries(
    {}, optional={"cached_tokens": COUNT, "reasoning_tokens": COUNT, "cache_write_tokens": COUNT}
)
USAGE = st.none() | st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            (
                *("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"),
                *("prompt_cache_hit_tokens", "input_tokens", "output_tokens"),
            ),
            COUNT,
        ),
        **dict.fromkeys(("prompt_tokens_details", "completion_tokens_details"), DETAILS),
        "input_tokens_details": DETAILS,
    },
)
CALL = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "function": st.none()
        | st.fixed_dictionaries({}, optional={"name": TEXT, "arguments": TEXT}),
        "name": TEXT,
    },
)
PIECE = st.none() | st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("content", "reasoning_content", "reasoning", "refusal"), TEXT),
        "tool_calls": st.none() | st.lists(CALL, max_size=2),
        "function_call": CALL,
        "audio": st.none() | st.just({"data": "AA=="}),
    },
)
CHOICE = st.fixed_dictionaries(
    {}, optional={"delta": PIECE, "message": PIECE, "finish_reason": TEXT}
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("id", "model", "service_tier", "error", "object", "code"), TEXT),
        "choices": st.none() | st.lists(CHOICE, max_size=2),
        "usage": USAGE,
        "x_groq": st.none() | st.fixed_dictionaries({}, optional={"usage": USAGE}),
    },
)


@pytest.mark.parametrize("name", STREAMS)
def test_events_are_read_alike_by_both(name: str) -> None:
    chat, odd = OpenAiChat(), Facts()
    for line in load(name)[1].splitlines():
        if line.startswith(b"data: {"):
            assert chat.event(b"", line[6:]) == openai_chat_odd.read_event(odd, line[6:])
            assert chat.facts == odd


@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_read_alike_by_both(name: str) -> None:
    chat, odd = OpenAiChat(), Facts()
    body = load(name)[1]
    assert chat.whole(body) == openai_chat_odd.read_whole(odd, body)
    assert chat.facts == odd


@given(st.lists(CHUNK, max_size=3))
def test_any_chunks_are_read_alike_by_both(chunks: list[object]) -> None:
    chat, odd = OpenAiChat(), Facts()
    for chunk in chunks:
        data = msgspec.json.encode(chunk)
        assert chat.event(b"", data) == openai_chat_odd.read_event(odd, data)
        assert chat.facts == odd


@given(CHUNK)
def test_any_body_is_read_alike_by_both(body: object) -> None:
    chat, odd = OpenAiChat(), Facts()
    data = msgspec.json.encode(body)
    assert chat.whole(data) == openai_chat_odd.read_whole(odd, data)
    assert chat.facts == odd


def test_a_list_of_parts_is_read() -> None:
    facts = Facts()
    data = b'{"choices":[{"delta":{"content":[{"type":"text","text":"abc"}]}}]}'
    assert openai_chat_odd.read_event(facts, data) == CONTENT
    assert facts.text_chars == 3


def test_an_old_function_call_has_its_name_beside_it() -> None:
    """Found by the property above: one reader looked for it a level deeper."""
    for call, kind in (({"name": "f"}, TOOL_CALL), ({"function": {"name": "f"}}, NOTHING)):
        body = json.dumps({"choices": [{"message": {"function_call": call, "audio": {}}}]}).encode()
        assert openai_chat_odd.read_whole(Facts(is_complete=True), body) == kind
