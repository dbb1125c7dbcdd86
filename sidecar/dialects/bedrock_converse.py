"""AWS Bedrock's Converse: one form for all its models.

Knows: the events of ConverseStream, by name, and the whole body of Converse.
Must not know: framing (`event_stream`) or time. No answer names its model: the path does.
An answer is whole with both its last events: why it stopped, and what it cost.
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

_COUNTS: Final = (
    ("input_tokens", "inputTokens"),
    ("output_tokens", "outputTokens"),
    ("total_tokens", "totalTokens"),
    ("cache_read_tokens", "cacheReadInputTokens"),
    ("cache_write_tokens", "cacheWriteInputTokens"),
)


class _Event(msgspec.Struct, rename="camel"):
    start: Any = None
    delta: Any = None
    stop_reason: Any = None
    usage: Any = None
    output: Any = None
    message: Any = None
    capital_message: Any = msgspec.field(default=None, name="Message")


_decode: Final = msgspec.json.Decoder(_Event).decode


class BedrockConverse:
    """Interprets one answer."""

    __slots__ = ("_has_stopped", "facts")

    def __init__(self) -> None:
        self.facts = Facts()
        self._has_stopped = False

    def event(self, name: bytes, data: bytes) -> int:
        """One event."""
        try:
            event = _decode(data)
        except NOT_JSON:
            return UNREADABLE
        match name:
            case b"contentBlockDelta":
                return self._piece(_object(event.delta))
            case b"contentBlockStart":
                started = _object(_object(event.start).get("toolUse"))
                return TOOL_CALL if started.get("name") else NOTHING
            case b"messageStop":
                self.facts.finish(event.stop_reason)
                self._has_stopped = True
            case b"metadata":
                self._count(event.usage)
                if self._has_stopped:
                    self.facts.is_over = self.facts.is_complete = True
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A whole answer, or an error."""
        try:
            told = _decode(body)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        facts.is_complete = True
        if said := text(told.message) or text(told.capital_message):
            facts.error = ProviderError(False, None, None, said)
            return NOTHING
        facts.finish(told.stop_reason)
        self._count(told.usage)
        parts = _object(_object(told.output).get("message")).get("content")
        found = NOTHING
        for part in parts if isinstance(parts, list) else ():
            found |= self._piece(_object(part))
        return found

    def _piece(self, piece: dict[str, Any]) -> int:
        if said := text(piece.get("text")):
            self.facts.text_chars += len(said)
            return CONTENT
        thought = _object(piece.get("reasoningContent"))
        if text(thought.get("text")) or text(_object(thought.get("reasoningText")).get("text")):
            return REASONING
        called = _object(piece.get("toolUse"))
        return TOOL_CALL if called.get("input") or called.get("name") else NOTHING

    def _count(self, usage: object) -> None:
        if type(usage) is not dict:
            return
        for field, name in _COUNTS:
            if (number := count(usage.get(name))) is not None:
                setattr(self.facts.counted(), field, number)


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}
