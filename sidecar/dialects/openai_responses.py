"""OpenAI's Responses, streamed and whole; also as Azure, DeepSeek, xAI and OpenRouter speak them.

Knows: which of its some seventy event types bring a generated piece, and where the rest stands.
Must not know: framing, time, or whose answer it is.
The text comes again whole in `*.done` events and in the last one: only deltas are counted. Where a
server sends only `.done`, it is counted after all.
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


class _Event(msgspec.Struct):
    type: Any = None
    delta: Any = None
    response: Any = None
    error: Any = None
    code: Any = None
    message: Any = None
    partial_image_b64: Any = None


class _Response(msgspec.Struct):
    id: Any = None
    model: Any = None
    status: Any = None
    usage: Any = None
    error: Any = None
    output: Any = None
    service_tier: Any = None
    incomplete_details: Any = None
    message: Any = None
    code: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_whole: Final = msgspec.json.Decoder(_Response).decode
_KINDS: Final = {
    "response.output_text.delta": CONTENT,
    "response.reasoning_summary_text.delta": REASONING,
    "response.reasoning_text.delta": REASONING,
    "response.reasoning.delta": REASONING,
    "response.refusal.delta": REFUSAL,
    "response.function_call_arguments.delta": TOOL_CALL,
    "response.custom_tool_call_input.delta": TOOL_CALL,
    "response.mcp_call_arguments.delta": TOOL_CALL,
    "response.code_interpreter_call_code.delta": TOOL_CALL,
    "response.shell_call_command.delta": TOOL_CALL,
    "response.audio.delta": AUDIO,
    "response.output_audio.delta": AUDIO,
    "response.audio.transcript.delta": TRANSCRIPT,
    "response.output_audio_transcript.delta": TRANSCRIPT,
}
_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


class OpenAiResponses:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One event. OpenRouter names none, so the type in the JSON decides."""
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return UNREADABLE
        kind = text(event.type) or name.decode("latin-1")
        if (brings := _KINDS.get(kind)) is not None:
            if not event.delta:
                return NOTHING
            if brings == CONTENT and isinstance(event.delta, str):
                self.facts.text_chars += len(event.delta)
            return brings
        if type(event.response) is dict:
            self._response(event.response, is_last=kind in _LAST)
        if kind == "error":
            self._fail(event.error if type(event.error) is dict else event, is_in_stream=True)
        return NOTHING

    def whole(self, body: bytes) -> int:
        """A whole response, or an error."""
        try:
            response = _decode_whole(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return UNREADABLE
        self.facts.is_complete = True
        told = msgspec.structs.asdict(response)
        self._response(told, is_last=False)
        self.facts.is_complete = True
        if self.facts.error is None and response.status is None and text(response.message):
            self._fail(told, is_in_stream=False)
        found = NOTHING
        for item in response.output if isinstance(response.output, list) else ():
            found |= self._item(item)
        return found

    def _response(self, response: dict[str, Any], is_last: bool) -> None:
        facts = self.facts
        facts.response_id = text(response.get("id")) or facts.response_id
        facts.name_model(response.get("model"))
        facts.service_tier = text(response.get("service_tier")) or facts.service_tier
        self._count(response.get("usage"))
        status = response.get("status")
        if is_last:
            facts.is_over = facts.is_complete = True
        if is_last or status in ("completed", "incomplete", "failed", "cancelled"):
            facts.finish(status)
        if response.get("error"):
            # Said by an `error` event already, perhaps; the last word stands.
            self._fail(response["error"], is_in_stream=is_last)

    def _item(self, item: object) -> int:
        if type(item) is not dict:
            return NOTHING
        found = NOTHING
        match item.get("type"):
            case "message":
                for part in item.get("content") or ():
                    if type(part) is not dict:
                        continue
                    if said := text(part.get("text")):
                        self.facts.text_chars += len(said)
                        found |= CONTENT
                    if part.get("refusal"):
                        found |= REFUSAL
            case "reasoning":
                if item.get("summary") or item.get("content"):
                    found |= REASONING
            case str(kind) if kind.endswith("_call"):
                found |= TOOL_CALL
        return found

    def _count(self, usage: object) -> None:
        if type(usage) is not dict:
            return
        counted = self.facts.counted()
        asked, made = usage.get("input_tokens_details"), usage.get("output_tokens_details")
        asked, made = asked if type(asked) is dict else {}, made if type(made) is dict else {}
        for field, value in (
            ("input_tokens", usage.get("input_tokens")),
            ("output_tokens", usage.get("output_tokens")),
            ("total_tokens", usage.get("total_tokens")),
            ("cache_read_tokens", asked.get("cached_tokens")),
            ("cache_write_tokens", asked.get("cache_write_tokens")),
            ("reasoning_tokens", made.get("reasoning_tokens")),
        ):
            if (number := count(value)) is not None:
                setattr(counted, field, number)

    def _fail(self, error: Any, is_in_stream: bool) -> None:
        if isinstance(error, msgspec.Struct):
            error = {"code": error.code, "message": error.message}  # type: ignore[attr-defined]  # an _Event
        told = error if type(error) is dict else {"message": error}
        self.facts.error = ProviderError(
            is_in_stream, word(told.get("type")), word(told.get("code")), text(told.get("message"))
        )
