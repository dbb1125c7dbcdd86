"""Anthropic's Messages, streamed and whole; also as spoken by a dozen others.

Knows: what its events and bodies say, and which of the repeated counts is the final one.
Must not know: framing, time, or whose answer it is.
The count of output tokens in `message_start` is a placeholder (1 in most recordings) and is not
taken; the last `message_delta` is cumulative, and replaces what the start said of the input, too.
Seen in recordings (tests/transcripts), 2026-11.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import (
    CONTENT,
    NOTHING,
    REASONING,
    TOOL_CALL,
    UNREADABLE,
    Facts,
    ProviderError,
    count,
    text,
    word,
)
from sidecar.dialects.openai_common import NOT_JSON


class _Event(msgspec.Struct):
    type: Any = None
    message: Any = None
    delta: Any = None
    content_block: Any = None
    usage: Any = None
    error: Any = None
    # Of a whole message:
    id: Any = None
    model: Any = None
    content: Any = None
    stop_reason: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode
_TOOLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})


class Anthropic:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One event; its type stands in the JSON, and may be missing as a name."""
        try:
            event = _decode(data)
        except NOT_JSON:
            return UNREADABLE
        match event.type or name.decode("latin-1"):
            case "content_block_delta":
                return self._delta(event.delta)
            case "content_block_start":
                return self._block(event.content_block, is_start=True)
            case "message_start":
                self._start(event.message)
            case "message_delta":
                self._finish(event)
            case "message_stop":
                self.facts.is_over = self.facts.is_complete = True
            case "error":
                self._fail(event.error, is_in_stream=True)
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A whole message, or an error."""
        try:
            event = _decode(body)
        except NOT_JSON:
            return UNREADABLE
        self.facts.is_complete = True
        if event.error is not None or event.type == "error":
            self._fail(event.error, is_in_stream=False)
            return NOTHING
        self._name(event.id, event.model)
        self.facts.finish(event.stop_reason)
        self._count(event.usage, is_final=True)
        found = NOTHING
        for block in event.content if isinstance(event.content, list) else ():
            found |= self._block(block, is_start=False)
        return found

    def _delta(self, delta: object) -> int:
        if type(delta) is not dict:
            return NOTHING
        if said := delta.get("text"):
            self.facts.text_chars += len(said) if isinstance(said, str) else 0
            return CONTENT
        if delta.get("thinking"):
            return REASONING
        return TOOL_CALL if delta.get("partial_json") else NOTHING

    def _block(self, block: object, is_start: bool) -> int:
        if type(block) is not dict:
            return NOTHING
        kind = text(block.get("type"))
        if kind in _TOOLS:
            return TOOL_CALL
        if kind in _THINKING:
            return REASONING if text(block.get("thinking")) else NOTHING
        if kind == "fallback" and is_start:
            self.facts.name_model(block.get("model"))
        said = text(block.get("text"))
        if said is None:
            return NOTHING
        self.facts.text_chars += len(said)
        return CONTENT

    def _start(self, message: object) -> None:
        if type(message) is dict:
            self._name(message.get("id"), message.get("model"))
            self._count(message.get("usage"), is_final=False)

    def _finish(self, event: _Event) -> None:
        if type(event.delta) is dict:
            self.facts.finish(event.delta.get("stop_reason"))
        self._count(event.usage, is_final=True)

    def _name(self, response_id: object, model: object) -> None:
        self.facts.response_id = text(response_id) or self.facts.response_id
        self.facts.name_model(model)

    def _count(self, usage: object, is_final: bool) -> None:
        if type(usage) is not dict:
            return
        self.facts.service_tier = text(usage.get("service_tier")) or self.facts.service_tier
        counted = self.facts.counted()
        details = usage.get("output_tokens_details")
        thought = details.get("thinking_tokens") if type(details) is dict else None
        for field, value in (
            ("input_tokens", usage.get("input_tokens")),
            ("output_tokens", usage.get("output_tokens") if is_final else None),
            ("cache_read_tokens", usage.get("cache_read_input_tokens")),
            ("cache_write_tokens", usage.get("cache_creation_input_tokens")),
            ("reasoning_tokens", thought),
        ):
            if (number := count(value)) is not None:
                setattr(counted, field, number)

    def _fail(self, error: Any, is_in_stream: bool) -> None:
        told = error if type(error) is dict else {"message": error}
        self.facts.error = ProviderError(
            is_in_stream, word(told.get("type")), word(told.get("code")), text(told.get("message"))
        )
