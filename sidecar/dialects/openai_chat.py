"""OpenAI's chat completions, and what some twenty providers have made of them.

Knows: chunks and whole bodies of `POST …/chat/completions`: where text, reasoning, tool calls,
refusals, audio, usage, finish reasons and errors stand, in all the places that were seen.
Must not know: framing, time, or whose answer it is.
Only what matters is decoded, and every value may be of any type: gateways write lists, objects and
null where a string is documented. Seen in recordings (tests/transcripts), 2026-11.
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
    count,
    text,
    word,
)


class _Choice(msgspec.Struct):
    delta: Any = None
    message: Any = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    object: Any = None
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None
    message: Any = None
    code: Any = None
    type: Any = None
    service_tier: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode


class OpenAiChat:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One chunk."""
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return UNREADABLE
        return self._read(chunk, is_stream=True)

    def whole(self, body: bytes) -> int:
        """A whole completion, or an error."""
        try:
            chunk = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.facts.error = _error_of_list(body)
            return UNREADABLE if self.facts.error is None else NOTHING
        found = self._read(chunk, is_stream=False)
        self.facts.is_complete = True
        return found

    def _read(self, chunk: _Chunk, is_stream: bool) -> int:
        facts = self.facts
        if chunk.model and chunk.model != facts.model:
            facts.name_model(chunk.model)
        if facts.response_id is None and chunk.id:
            facts.response_id = text(chunk.id)
        if chunk.service_tier is not None:
            facts.service_tier = text(chunk.service_tier)
        found = NOTHING
        for choice in chunk.choices or ():
            piece = choice.delta if choice.delta is not None else choice.message
            if type(piece) is dict:
                found |= self._piece(piece)
            elif choice.text:
                found |= self._said(choice.text)
            if choice.finish_reason:
                facts.finish(choice.finish_reason)
                facts.is_complete = True
        if type(chunk.usage) is dict:
            self._count(chunk.usage)
        elif type(chunk.x_groq) is dict and type(chunk.x_groq.get("usage")) is dict:
            self._count(chunk.x_groq["usage"])
        if chunk.error or chunk.object == "error":
            facts.error = _error(chunk, is_stream)
        elif not is_stream and chunk.choices is None:
            facts.error = _error_without_a_name(chunk)
        return found

    def _said(self, said: Any) -> int:
        """The text of a legacy completion, which a chat does not have."""
        return NOTHING

    def _piece(self, piece: dict[str, Any]) -> int:
        found = NOTHING
        content = piece.get("content")
        if type(content) is str:
            if content:
                found = CONTENT
                self.facts.text_chars += len(content)
        elif content:
            found = self._parts(content)
        if piece.get("reasoning_content") or piece.get("reasoning"):
            found |= REASONING
        if calls := piece.get("tool_calls") or piece.get("function_call"):
            found |= _called(calls)
        if piece.get("refusal"):
            found |= REFUSAL
        audio = piece.get("audio")
        if type(audio) is dict:
            found |= AUDIO if audio.get("data") else NOTHING
            found |= TRANSCRIPT if audio.get("transcript") else NOTHING
        return found

    def _parts(self, content: object) -> int:
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
                self.facts.text_chars += len(said)
                found |= CONTENT
        return found

    def _count(self, usage: dict[str, Any]) -> None:
        counted = self.facts.counted()
        details = usage.get("prompt_tokens_details")
        if type(details) is dict:
            counted.cache_read_tokens = _last(counted.cache_read_tokens, details, "cached_tokens")
            counted.cache_write_tokens = _last(
                counted.cache_write_tokens, details, "cache_write_tokens"
            )
        details = usage.get("completion_tokens_details")
        if type(details) is dict:
            counted.reasoning_tokens = _last(counted.reasoning_tokens, details, "reasoning_tokens")
        counted.input_tokens = _last(counted.input_tokens, usage, "prompt_tokens")
        counted.output_tokens = _last(counted.output_tokens, usage, "completion_tokens")
        counted.total_tokens = _last(counted.total_tokens, usage, "total_tokens")
        if counted.cache_read_tokens is None:
            # DeepSeek, then Moonshot.
            for key in ("prompt_cache_hit_tokens", "cached_tokens"):
                counted.cache_read_tokens = count(usage.get(key))
                if counted.cache_read_tokens is not None:
                    break


def _last(before: int | None, usage: dict[str, Any], key: str) -> int | None:
    """What is said now, if it is a count, else what was said before."""
    value = usage.get(key)
    if value is None or (number := count(value)) is None:
        return before
    return number


def _called(calls: object) -> int:
    """A name or a piece of arguments; the opening of an empty call is neither."""
    for call in calls if isinstance(calls, list) else [calls]:
        if type(call) is dict:
            function = call.get("function") if "function" in call else call
            if type(function) is dict and (function.get("name") or function.get("arguments")):
                return TOOL_CALL
    return NOTHING


def _has_text(part: dict[str, Any]) -> bool:
    inner = part.get("thinking") or part.get("text") or part.get("summary")
    if isinstance(inner, list):
        return any(type(one) is dict and one.get("text") for one in inner)
    return bool(inner)


def _error(chunk: _Chunk, is_stream: bool) -> ProviderError:
    error = chunk.error
    if type(error) is dict:
        return ProviderError(
            is_stream, word(error.get("type")), word(error.get("code")), text(error.get("message"))
        )
    # xAI has a text beside a code; older vLLM no wrapper at all.
    said = text(error) or text(chunk.message)
    return ProviderError(is_stream, word(chunk.type), word(chunk.code), said)


def _error_without_a_name(chunk: _Chunk) -> ProviderError | None:
    """Mistral's `{"message": …}`."""
    if text(chunk.message) is None:
        return None
    return ProviderError(False, word(chunk.type), word(chunk.code), text(chunk.message))


def _error_of_list(body: bytes) -> ProviderError | None:
    """Gemini's imitation wraps its errors in a list."""
    try:
        errors = msgspec.json.decode(body, type=list[_Chunk])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _error(errors[0], False) if errors and errors[0].error else None
