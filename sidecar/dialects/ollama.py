"""Ollama's own words: `/api/chat`, `/api/generate` and `/api/embed`.

Knows: the lines of its streams and its whole bodies; both have the same members.
Must not know: framing or time.
Its counts may be missing: older versions leave `prompt_eval_count` out where the prompt was cached.
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


class _Line(msgspec.Struct):
    model: Any = None
    message: Any = None
    response: Any = None
    thinking: Any = None
    done: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Line).decode


class Ollama:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One line."""
        return self._read(data, is_stream=True)

    def whole(self, body: bytes) -> int:
        """A whole answer, or an error."""
        found = self._read(body, is_stream=False)
        self.facts.is_complete = found != UNREADABLE
        return found

    def _read(self, data: bytes, is_stream: bool) -> int:
        try:
            line = _decode(data)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        facts.name_model(line.model)
        if line.error:
            facts.error = ProviderError(is_stream, None, None, text(line.error))
        if line.done is True:
            facts.finish(line.done_reason)
            facts.is_over = facts.is_complete = True
        if (number := count(line.prompt_eval_count)) is not None:
            facts.counted().input_tokens = number
        if (number := count(line.eval_count)) is not None:
            facts.counted().output_tokens = number
        found = self._say(line.response) | _think(line.thinking)
        if type(line.message) is dict:
            message = line.message
            found |= self._say(message.get("content")) | _think(message.get("thinking"))
            found |= TOOL_CALL if message.get("tool_calls") else NOTHING
        return found

    def _say(self, said: object) -> int:
        if (words := text(said)) is None:
            return NOTHING
        self.facts.text_chars += len(words)
        return CONTENT


def _think(thought: object) -> int:
    return REASONING if text(thought) else NOTHING
