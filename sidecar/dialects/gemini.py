"""Google's generateContent, streamed and whole, of AI Studio and of Vertex.

Knows: candidates, parts, usage and errors; that usage is on every chunk and cumulative; that the
end is a finish reason, and no event of its own.
Must not know: framing (events, or an array), time, or whose answer it is.
Seen in recordings (tests/transcripts), 2026-11.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import (
    AUDIO,
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


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: Any = None
    usage_metadata: Any = None
    model_version: Any = None
    response_id: Any = None
    prompt_feedback: Any = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode
_decode_all: Final = msgspec.json.Decoder(list[_Chunk]).decode
_COUNTS: Final = (
    ("input_tokens", "promptTokenCount"),
    ("output_tokens", "candidatesTokenCount"),
    ("cache_read_tokens", "cachedContentTokenCount"),
    ("reasoning_tokens", "thoughtsTokenCount"),
    ("total_tokens", "totalTokenCount"),
)


class Gemini:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One chunk."""
        try:
            return self._read(_decode(data), is_stream=True)
        except NOT_JSON:
            return UNREADABLE

    def whole(self, body: bytes) -> int:
        """A whole answer, or an error, which some wrap in a list."""
        try:
            chunks = _decode_all(body) if body.lstrip()[:1] == b"[" else [_decode(body)]
        except NOT_JSON:
            return UNREADABLE
        found = NOTHING
        for chunk in chunks:
            found |= self._read(chunk, is_stream=False)
        self.facts.is_complete = True
        return found

    def _read(self, chunk: _Chunk, is_stream: bool) -> int:
        facts = self.facts
        facts.name_model(chunk.model_version)
        if chunk.response_id:
            facts.response_id = text(chunk.response_id)
        found = NOTHING
        for candidate in chunk.candidates if isinstance(chunk.candidates, list) else ():
            if type(candidate) is dict:
                found |= self._candidate(candidate)
        if type(chunk.prompt_feedback) is dict and chunk.prompt_feedback.get("blockReason"):
            self._finish(chunk.prompt_feedback["blockReason"])
        if type(chunk.usage_metadata) is dict:
            self._count(chunk.usage_metadata)
        if chunk.error:
            facts.error = _error(chunk.error, is_stream)
        return found

    def _candidate(self, candidate: dict[str, Any]) -> int:
        found = NOTHING
        content = candidate.get("content")
        parts = content.get("parts") if type(content) is dict else None
        for part in parts if isinstance(parts, list) else ():
            if type(part) is dict:
                found |= self._part(part)
        if candidate.get("finishReason") is not None:
            self._finish(candidate["finishReason"])
        return found

    def _part(self, part: dict[str, Any]) -> int:
        if said := text(part.get("text")):
            if part.get("thought"):
                return REASONING
            self.facts.text_chars += len(said)
            return CONTENT
        if "functionCall" in part:
            return TOOL_CALL
        inline = part.get("inlineData")
        if type(inline) is dict and inline.get("data"):
            kind = inline.get("mimeType")
            return AUDIO if isinstance(kind, str) and kind.startswith("audio/") else CONTENT
        return NOTHING

    def _finish(self, reason: object) -> None:
        # Vertex can be asked for the numbers of its enumeration.
        self.facts.finish(word(reason))
        self.facts.is_complete = True

    def _count(self, usage: dict[str, Any]) -> None:
        self.facts.service_tier = text(usage.get("trafficType")) or self.facts.service_tier
        for field, name in _COUNTS:
            if (number := count(usage.get(name))) is not None:
                setattr(self.facts.counted(), field, number)


def _error(error: object, is_stream: bool) -> ProviderError:
    if type(error) is not dict:
        return ProviderError(is_stream, None, None, text(error))
    told = (word(error.get("status")), word(error.get("code")), text(error.get("message")))
    return ProviderError(is_stream, *told)
