"""OpenAI's Responses, and those that speak it too: Azure, xAI, DeepSeek, OpenRouter, LM Studio.

Knows: the events and whole bodies of `POST …/responses`.
Must not know: framing, time, or whose answer it is.
Text comes three or four times over in a stream (delta, done, item, response): only deltas count.
What an event is stands in its `type`; its name says the same, but OpenRouter sends no names.
The events that repeat the whole response are read for what stands around its output, which can be
the longest part and says nothing new.
"""

from __future__ import annotations

import re
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
    word,
)
from sidecar.dialects.model import model_asked
from sidecar.dialects.openai_common import (
    NOT_JSON,
    Told,
    behind_the_long_part,
    error_in,
    error_of,
    error_of_body,
    take_names,
    take_usage,
    type_of_head,
)

_PIECES: Final = {
    "response.output_text.delta": CONTENT,
    "response.image_generation_call.partial_image": CONTENT,
    "response.reasoning_text.delta": REASONING,
    "response.reasoning_summary_text.delta": REASONING,
    "response.refusal.delta": REFUSAL,
    "response.function_call_arguments.delta": TOOL_CALL,
    "response.custom_tool_call_input.delta": TOOL_CALL,
    "response.mcp_call_arguments.delta": TOOL_CALL,
    "response.code_interpreter_call_code.delta": TOOL_CALL,
    "response.shell_call_command.delta": TOOL_CALL,
    "response.apply_patch_call_operation_diff.delta": TOOL_CALL,
    "response.audio.delta": AUDIO,
    "response.audio.transcript.delta": TRANSCRIPT,
}
_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_CALL_TYPE_END: Final = "_call"
_RESPONSE_STARTS: Final = re.compile(rb'"response"\s*:\s*(?=\{)')


class _Response(Told):
    """Without its output."""

    status: Any = None
    incomplete_details: Any = None


class _Body(_Response):
    output: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: Any = None
    partial_image_b64: Any = None
    response: _Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode


class OpenAiResponses:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One event of a stream."""
        try:
            event = _decode_event(data)
        except NOT_JSON:
            return UNREADABLE
        kind = event.type if type(event.type) is str else name.decode("latin-1")
        if found := _PIECES.get(kind):
            piece = event.delta if event.delta is not None else event.partial_image_b64
            if text(piece) is None:
                return NOTHING
            if kind == "response.output_text.delta":
                self.facts.text_chars += len(piece)
            return found
        if event.response is not None:
            self._take(event.response, is_stream=True)
        if kind in _LAST:
            self._end(kind, event.response)
        elif kind == "error" or event.error:
            self.facts.error = _error(event)
        return NOTHING

    def ends(self, name: bytes, head: bytes, tail: bytes) -> int:
        """The two ends of an event that was too long: a picture, or a response whose output or
        instructions are long. What a repetition says is then known from its front and its end."""
        kind = type_of_head(name, head)
        if found := _PIECES.get(kind):
            return found
        event = behind_the_long_part(tail, b'{"response":{', _decode_event)
        response = None if event is None else event.response
        if response is not None:
            self._take(response, is_stream=True)
        if self.facts.model is None and (start := _RESPONSE_STARTS.search(head)):
            self.facts.name_model(model_asked("", head[start.end() :], is_whole=False))
        if kind in _LAST:
            self._end(kind, response)
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A whole response, or an error."""
        try:
            response = _decode_body(body)
        except NOT_JSON:
            return UNREADABLE
        self._take(response, is_stream=False)
        self.facts.is_complete = True
        if response.output is None and self.facts.error is None:
            self.facts.error = error_of_body(response)
        found = NOTHING
        for item in response.output if isinstance(response.output, list) else ():
            if type(item) is dict:
                found |= self._item(item)
        return found

    def _end(self, kind: str, response: _Response | None) -> None:
        if response is None or _how_it_ended(response) is None:
            self.facts.finish(kind.removeprefix("response."))
        self.facts.is_over = self.facts.is_complete = True

    def _take(self, response: _Response, is_stream: bool) -> None:
        facts = self.facts
        take_names(facts, response)
        take_usage(facts, response.usage)
        if type(response.incomplete_details) is dict:
            facts.finish(response.incomplete_details.get("reason"))
        facts.finish(_how_it_ended(response))
        if (error := error_in(response, is_stream)) is not None:
            facts.error = error

    def _item(self, item: dict[str, Any]) -> int:
        """One item of a whole output: a message, reasoning, a call, a picture."""
        kind = item.get("type")
        if kind == "message":
            return self._message(item.get("content"))
        if kind == "reasoning":
            parts = [*_parts(item.get("summary")), *_parts(item.get("content"))]
            return REASONING if any(text(part.get("text")) for part in parts) else NOTHING
        if kind == "image_generation_call":
            return CONTENT if text(item.get("result")) else NOTHING
        return TOOL_CALL if type(kind) is str and kind.endswith(_CALL_TYPE_END) else NOTHING

    def _message(self, content: object) -> int:
        found = NOTHING
        for part in _parts(content):
            if part.get("type") == "refusal":
                found |= REFUSAL if text(part.get("refusal")) else NOTHING
            elif said := text(part.get("text")):
                self.facts.text_chars += len(said)
                found |= CONTENT
        return found


def _how_it_ended(response: _Response) -> str | None:
    """Its status, unless it is still under way."""
    status = response.status
    return status if isinstance(status, str) and status in _ENDED else None


def _parts(parts: object) -> list[dict[str, Any]]:
    return [part for part in parts if type(part) is dict] if isinstance(parts, list) else []


def _error(event: _Event) -> ProviderError:
    """By the schema its words stand in the event itself; recorded is an object of its own."""
    if type(event.error) is dict:
        return error_of(event.error, is_stream=True)
    said = text(event.message) or text(event.error)
    return ProviderError(True, None, word(event.code), said)
