"""What was said: the prompts of a request and the words of an answer, in one shape for all.

Knows: where each dialect keeps its texts.
Must not know: whether anybody may see them; nothing here runs unless `traces.capture_content` asks
for it. Pictures, sound and tool calls are left out: only words are told.
Shape: `[{"role": …, "parts": [{"type": "text", "content": …}]}]`, as the GenAI conventions have it
(opentelemetry.io/docs/specs/semconv/gen-ai, "gen_ai.input.messages").
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import NOTHING, Facts

MAX_BODY_BYTES: Final = 256 * 1024
_decode: Final = msgspec.json.decode
_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_TEXT_KEYS: Final = ("text", "content", "parts", "thinking")


def input_messages(body: bytes, limit_bytes: int) -> str | None:
    """The request's messages as JSON; None where there are none."""
    if not body or len(body) > MAX_BODY_BYTES:
        return None
    try:
        asked = _decode(body)
    except _ERRORS:
        return None
    if not isinstance(asked, dict):
        return None
    said: list[tuple[str, str]] = []
    for key in ("system", "instructions", "systemInstruction", "system_instruction"):
        if text := _text(asked.get(key)):
            said.append(("system", text))
    for key in ("messages", "contents", "input", "prompt"):
        value = asked.get(key)
        for item in value if isinstance(value, list) else [value]:
            role = item.get("role") if isinstance(item, dict) else None
            if text := _text(item):
                said.append((role if isinstance(role, str) else "user", text))
    return _json(said, limit_bytes) if said else None


def output_messages(words: Words, limit_bytes: int) -> str | None:
    """The answer's words as JSON; None where there were none."""
    return _json([("assistant", words.text)], limit_bytes) if words.text else None


class Words:
    """An Interpreter that keeps words, up to a size, and understands nothing else."""

    def __init__(self, limit_bytes: int) -> None:
        self.facts = Facts()
        self._room = limit_bytes
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def event(self, name: bytes, data: bytes) -> int:
        """One event of a stream."""
        if self._room > 0 and name not in _REPEATS:
            self._keep(data)
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A body that is no stream."""
        self._keep(body)
        return NOTHING

    def _keep(self, data: bytes) -> None:
        try:
            told = _decode(data)
        except _ERRORS:
            return
        if isinstance(told, dict):
            piece = _answered(told)[: max(self._room, 0)]
            self._room -= len(piece)
            if piece:
                self._pieces.append(piece)


# Events that say again what others have said piece by piece.
_REPEATS: Final = frozenset(
    {
        b"response.output_text.done",
        b"response.content_part.done",
        b"response.content_part.added",
        b"response.output_item.done",
        b"response.output_item.added",
        b"response.completed",
        b"response.created",
        b"response.in_progress",
        b"message_start",
    }
)


def _answered(told: dict[str, Any]) -> str:
    """The words in one event, or in a whole answer."""
    pieces: list[str] = []
    for choice in _dicts(told.get("choices")):  # OpenAI and its like
        pieces.append(_text(choice.get("delta") or choice.get("message") or choice.get("text")))
    for candidate in _dicts(told.get("candidates")):  # Gemini
        pieces.append(_text(candidate.get("content")))
    if not pieces:
        kind = told.get("type")
        if isinstance(kind, str) and "output_text.delta" in kind:  # Responses
            pieces.append(_text(told.get("delta")))
        elif "contentBlockDelta" in told:  # Converse
            pieces.append(_text(told["contentBlockDelta"]))
        else:
            for key in ("delta", "message", "content", "response", "output"):
                pieces.append(_text(told.get(key)))
    return "".join(pieces)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any, depth: int = 0) -> str:
    """All words within, one after the other."""
    if isinstance(value, str):
        return value
    if depth > 6:
        return ""
    if isinstance(value, list):
        return "".join(_text(item, depth + 1) for item in value)
    if isinstance(value, dict):
        found = "".join(_text(value.get(key), depth + 1) for key in _TEXT_KEYS)
        return found or _text(value.get("delta") or value.get("message"), depth + 1)
    return ""


def _json(said: list[tuple[str, str]], limit_bytes: int) -> str:
    """The newest messages that fit; the first that does not is cut."""
    kept: list[dict[str, object]] = []
    room = limit_bytes
    for role, text in reversed(said):
        if room <= 0:
            break
        piece = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
        room = room - len(piece.encode()) if piece == text else 0
        kept.append({"role": role, "parts": [{"type": "text", "content": piece}]})
    return msgspec.json.encode(kept[::-1]).decode()
