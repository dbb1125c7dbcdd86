"""OpenAI's chat completions in all the forms that some twenty providers have made of them.

Knows: chunks and whole bodies of `POST …/chat/completions`: where text, reasoning, tool calls,
refusals, audio, usage, finish reasons and errors stand, in all the places that were seen.
Must not know: framing, time, or whose answer it is.
Only what matters is decoded, and every value may be of any type: gateways write lists, objects and
null where a string is documented. Seen in recordings (tests/transcripts), 2026-11.
What is written as documented, which is nearly all, never comes here: `openai_chat` reads it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import (
    AUDIO,
    CONTENT,
    NOTHING,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    TRANSCRIPT,
    UNREADABLE,
    Facts,
    ProviderError,
    text,
)
from sidecar.dialects.openai_common import (
    NOT_JSON,
    Told,
    error_in,
    error_of_body,
    error_of_list,
    hear_choice,
    take_names,
    take_usage,
)


class _Choice(msgspec.Struct):
    delta: Any = None
    message: Any = None
    finish_reason: Any = None
    index: Any = None


class _Chunk(Told):
    choices: list[_Choice] | None = None
    x_groq: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode


def read_event(facts: Facts, data: bytes, name: bytes = b"") -> int:
    """One chunk: the kinds of what it brought, or UNREADABLE. `name`: of the event."""
    try:
        chunk = _decode(data)
    except NOT_JSON:
        return UNREADABLE
    found = _read(facts, chunk, is_stream=True)
    if name == b"error" and facts.error is None and chunk.choices is None:
        # An error that stands there bare.
        told = error_of_body(chunk)
        facts.error = told and ProviderError(True, told.type, told.code, told.message)
    return found


def read_whole(facts: Facts, body: bytes) -> int:
    """A whole completion, or an error."""
    try:
        chunk = _decode(body)
    except NOT_JSON:
        facts.error = error_of_list(body)
        return UNREADABLE if facts.error is None else NOTHING
    found = _read(facts, chunk, is_stream=False)
    facts.is_complete = True
    return found


def _read(facts: Facts, chunk: _Chunk, is_stream: bool) -> int:
    take_names(facts, chunk)
    found = NOTHING
    for choice in chunk.choices or ():
        hear_choice(facts, choice.index)
        piece = choice.delta if choice.delta is not None else choice.message
        if type(piece) is dict:
            found |= _piece(facts, piece)
        if choice.finish_reason:
            facts.finish(choice.finish_reason)
            facts.end_choice()
    if type(chunk.usage) is dict:
        take_usage(facts, chunk.usage)
    elif type(chunk.x_groq) is dict:
        take_usage(facts, chunk.x_groq.get("usage"))
    if (error := error_in(chunk, is_stream)) is not None:
        facts.error = error
    elif not is_stream and chunk.choices is None:
        facts.error = error_of_body(chunk)
    return found


def _piece(facts: Facts, piece: dict[str, Any]) -> int:
    found = NOTHING
    content = piece.get("content")
    if type(content) is str:
        if content:
            found = CONTENT
            facts.text_chars += len(content)
    elif content:
        found = _parts(facts, content)
    if piece.get("reasoning_content") or piece.get("reasoning"):
        found |= REASONING
    if calls := piece.get("tool_calls"):
        found |= _called(calls)
    elif call := piece.get("function_call"):
        found |= _called({"function": call})
    if piece.get("refusal"):
        found |= REFUSAL
    audio = piece.get("audio")
    if type(audio) is dict:
        found |= AUDIO if audio.get("data") else NOTHING
        found |= TRANSCRIPT if audio.get("transcript") else NOTHING
    return found


def _parts(facts: Facts, content: object) -> int:
    """A list of parts: Mistral, Databricks. (Cloudflare's object is no text.)"""
    if not isinstance(content, list):
        return NOTHING
    found = NOTHING
    for part in content:
        if type(part) is not dict:
            continue
        if part.get("type") in ("thinking", "reasoning"):
            found |= REASONING if _has_text(part) else NOTHING
        elif said := text(part.get("text")):
            facts.text_chars += len(said)
            found |= CONTENT
    return found


def _called(calls: object) -> int:
    """A name or a piece of arguments; the opening of an empty call is neither."""
    for call in calls if isinstance(calls, list) else [calls]:
        if type(call) is dict:
            function = call.get("function")
            if type(function) is dict and (function.get("name") or function.get("arguments")):
                return TOOL_CALL
    return NOTHING


def _has_text(part: dict[str, Any]) -> bool:
    inner = part.get("thinking") or part.get("text") or part.get("summary")
    if isinstance(inner, list):
        return any(type(one) is dict and one.get("text") for one in inner)
    return bool(inner)
