"""Cohere's chat, both versions, and the usage of its other operations.

Knows: the events of v2 (`type`) and the lines of v1 (`event_type`), and their whole bodies.
Must not know: framing or time.
Counted are `tokens`, which include the template of the prompt; `billed_units` (less) stand for them
only where nothing else is told: embeddings and rankings. No answer names its model. A plan for
tools is prose beside the answer: neither content nor a call.
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
)
from sidecar.dialects.openai_common import NOT_JSON


class _Event(msgspec.Struct):
    id: Any = None
    type: Any = None
    event_type: Any = None
    generation_id: Any = None
    delta: Any = None
    message: Any = None
    text: Any = None
    tool_calls: Any = None
    tool_call_delta: Any = None
    response: Any = None
    finish_reason: Any = None
    usage: Any = None
    meta: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode


class Cohere:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One event of v2, or one line of v1."""
        try:
            event = _decode(data)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        if facts.response_id is None:
            facts.response_id = text(event.id) or text(event.generation_id)
        match text(event.type) or text(event.event_type):
            case "content-delta" | "content-start":
                return self._piece(_inner(event.delta, "message", "content"))
            case "tool-call-start" | "tool-call-delta":
                function = _inner(event.delta, "message", "tool_calls", "function")
                is_said = function.get("name") or function.get("arguments")
                return TOOL_CALL if is_said else NOTHING
            case "message-end":
                self._end(_inner(event.delta), is_stream=True)
            case "text-generation":
                return self._say(event.text)
            case "tool-calls-chunk":
                return TOOL_CALL if _inner(event.tool_call_delta) else NOTHING
            case "stream-end":
                self._end(_inner(event.response), is_stream=True)
                facts.finish(event.finish_reason)
            case None:
                if said := text(event.message):
                    facts.error = ProviderError(True, None, None, said)
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A whole answer, or an error."""
        try:
            told = _decode(body)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        facts.is_complete = True
        facts.response_id = text(told.id) or text(told.generation_id)
        if said := text(told.message):
            facts.error = ProviderError(False, None, None, said)
            return NOTHING
        facts.finish(told.finish_reason)
        self._count(told.usage if type(told.usage) is dict else _inner(told.meta))
        message = _inner(told.message)
        found = self._say(told.text)
        found |= TOOL_CALL if told.tool_calls or message.get("tool_calls") else NOTHING
        parts = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            found |= self._piece(_inner(part))
        return found

    def _piece(self, piece: dict[str, Any]) -> int:
        found = self._say(piece.get("text"))
        return found | (REASONING if text(piece.get("thinking")) else NOTHING)

    def _say(self, said: object) -> int:
        if (words := text(said)) is None:
            return NOTHING
        self.facts.text_chars += len(words)
        return CONTENT

    def _end(self, last: dict[str, Any], is_stream: bool) -> None:
        facts = self.facts
        facts.is_over = facts.is_complete = True
        facts.finish(last.get("finish_reason"))
        if said := text(last.get("error")):
            facts.error = ProviderError(is_stream, text(last.get("finish_reason")), None, said)
        usage = last.get("usage")
        self._count(usage if type(usage) is dict else _inner(last.get("meta")))

    def _count(self, usage: dict[str, Any]) -> None:
        told = _inner(usage.get("tokens")) or _inner(usage.get("billed_units"))
        if (number := count(told.get("input_tokens"))) is not None:
            self.facts.counted().input_tokens = number
        if (number := count(told.get("output_tokens"))) is not None:
            self.facts.counted().output_tokens = number
        if (number := count(usage.get("cached_tokens"))) is not None:
            self.facts.counted().cache_read_tokens = number


def _inner(value: object, *names: str) -> dict[str, Any]:
    """The object that stands there, or an empty one."""
    for name in names:
        value = value.get(name) if type(value) is dict else None
    return value if type(value) is dict else {}
