"""AWS Bedrock's InvokeModel: each model's own words, packed.

Knows: how they are packed (base64 in each event), which of the other interpreters reads them, and
the forms that only Bedrock has: Titan, Llama, Mistral, Cohere's and Anthropic's old text.
Must not know: framing (`event_stream`) or time.
The packing's own count (`amazon-bedrock-invocationMetrics`) stands only where the model gave none.
Seen in recordings (tests/transcripts), 2026-11.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import (
    CONTENT,
    NOTHING,
    UNREADABLE,
    Facts,
    Interpreter,
    count,
    text,
)
from sidecar.dialects.anthropic import Anthropic
from sidecar.dialects.bedrock_converse import BedrockConverse
from sidecar.dialects.cohere import Cohere
from sidecar.dialects.openai_chat import OpenAiChat
from sidecar.dialects.openai_common import NOT_JSON
from sidecar.dialects.openai_completions import OpenAiCompletions


class _Packed(msgspec.Struct):
    packed: bytes = msgspec.field(name="bytes")


_ABSENT: Final = msgspec.Raw(b"")


class _Nova(msgspec.Struct, rename="camel"):
    """Converse's events, each under its own name."""

    message_start: msgspec.Raw = _ABSENT
    content_block_start: msgspec.Raw = _ABSENT
    content_block_delta: msgspec.Raw = _ABSENT
    content_block_stop: msgspec.Raw = _ABSENT
    message_stop: msgspec.Raw = _ABSENT
    metadata: msgspec.Raw = _ABSENT


class _Text(msgspec.Struct):
    """Of Titan, Llama, Mistral, Cohere and old Anthropic."""

    type: Any = None
    event_type: Any = None
    choices: Any = None
    output: Any = None
    message: Any = None
    capital_message: Any = msgspec.field(default=None, name="Message")
    output_text: Any = msgspec.field(default=None, name="outputText")
    results: Any = None
    generation: Any = None
    generations: Any = None
    outputs: Any = None
    completion: Any = None
    text: Any = None
    stop_reason: Any = None
    finish_reason: Any = None
    completion_reason: Any = msgspec.field(default=None, name="completionReason")
    titan_input: Any = msgspec.field(default=None, name="inputTextTokenCount")
    titan_output: Any = msgspec.field(default=None, name="totalOutputTextTokenCount")
    prompt_token_count: Any = None
    generation_token_count: Any = None
    token_count: Any = msgspec.field(default=None, name="tokenCount")
    metrics: Any = msgspec.field(default=None, name="amazon-bedrock-invocationMetrics")


_unpack: Final = msgspec.json.Decoder(_Packed).decode
_decode: Final = msgspec.json.Decoder(_Text).decode
_decode_nova: Final = msgspec.json.Decoder(_Nova).decode
_NOVA_EVENTS: Final = _Nova.__struct_encode_fields__


class BedrockInvoke:
    """Interprets one answer."""

    __slots__ = ("_inner", "facts")

    def __init__(self) -> None:
        self.facts = Facts()
        self._inner: Interpreter | None = None
        """Whoever reads the words of this model."""

    def event(self, name: bytes, data: bytes) -> int:
        """One event: a packed one of the model's own."""
        try:
            inner = _unpack(data).packed
            told = _decode(inner)
        except NOT_JSON:
            return UNREADABLE
        found = self._one(told, inner)
        if type(told.metrics) is dict:
            self._fill_in(told.metrics)
        return found

    def whole(self, body: bytes) -> int:
        """A whole answer, or an error."""
        try:
            told = _decode(body)
        except NOT_JSON:
            return UNREADABLE
        if text(told.message) or text(told.capital_message) or told.output is not None:
            found = self._read_by(BedrockConverse).whole(body)
        elif told.type is not None:
            found = self._read_by(Anthropic).whole(body)
        elif told.choices is not None:
            found = self._read_by(_openai(told.choices)).whole(body)
        else:
            found = self._plain(told)
        self.facts.is_complete = found != UNREADABLE
        return found

    def _one(self, told: _Text, inner: bytes) -> int:
        if told.type is not None:
            return self._read_by(Anthropic).event(b"", inner)
        if told.choices is not None:
            return self._read_by(_openai(told.choices)).event(b"", inner)
        if told.event_type is not None:
            return self._read_by(Cohere).event(b"", inner)
        nova = _decode_nova(inner)
        for field, event_name in zip(_Nova.__struct_fields__, _NOVA_EVENTS, strict=True):
            event = getattr(nova, field)
            if event:
                return self._read_by(BedrockConverse).event(event_name.encode(), bytes(event))
        return self._plain(told)

    def _read_by(self, make: type[Any]) -> Interpreter:
        """The interpreter of this model; it fills our facts."""
        if not isinstance(self._inner, make):
            made: Interpreter = make()
            made.facts = self.facts
            self._inner = made
        assert self._inner is not None
        return self._inner

    def _plain(self, told: _Text) -> int:
        """Text, why it stopped, and counts, under the names that this model gives them."""
        found = self._say(told.output_text, told.generation, told.completion, told.text)
        self._finish(told.completion_reason, told.stop_reason, told.finish_reason)
        self._count(told)
        for pieces in (told.results, told.generations, told.outputs):
            for piece in pieces if isinstance(pieces, list) else ():
                if type(piece) is dict:
                    found |= self._say(piece.get("outputText"), piece.get("text"))
                    reasons = ("completionReason", "finish_reason", "stop_reason")
                    self._finish(*[piece.get(reason) for reason in reasons])
                    if (number := count(piece.get("tokenCount"))) is not None:
                        self.facts.counted().output_tokens = number
        return found

    def _say(self, *said: object) -> int:
        found = NOTHING
        for one in said:
            if (words := text(one)) is not None:
                self.facts.text_chars += len(words)
                found = CONTENT
        return found

    def _finish(self, *reasons: object) -> None:
        for reason in reasons:
            if text(reason) is not None:
                self.facts.finish(reason)
                self.facts.is_complete = True

    def _count(self, told: _Text) -> None:
        for stated in (told.titan_input, told.prompt_token_count):
            if (number := count(stated)) is not None:
                self.facts.counted().input_tokens = number
        for stated in (told.titan_output, told.generation_token_count):
            if (number := count(stated)) is not None:
                self.facts.counted().output_tokens = number

    def _fill_in(self, metrics: dict[str, Any]) -> None:
        # It is the last word of every stream: nothing comes after it.
        self.facts.is_over = True
        for field, name in (
            ("input_tokens", "inputTokenCount"),
            ("output_tokens", "outputTokenCount"),
            ("cache_read_tokens", "cacheReadInputTokenCount"),
        ):
            if (number := count(metrics.get(name))) is not None:
                usage = self.facts.counted()
                if getattr(usage, field) is None:
                    setattr(usage, field, number)


def _openai(choices: object) -> type[OpenAiChat] | type[OpenAiCompletions]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return OpenAiCompletions if type(first) is dict and "text" in first else OpenAiChat
