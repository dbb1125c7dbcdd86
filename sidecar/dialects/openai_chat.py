"""OpenAI's chat completions as they are documented: read fast, because nearly all are.

Knows: chunks and whole bodies of `POST .../chat/completions` in their plain form, decoded straight
into typed structs; and that whatever does not fit these types, or tells of an error, is read by
`openai_chat_odd`, which expects anything.
Must not know: framing, time, or whose answer it is.
Two ways, one result: what is read here is read there alike (tests read every transcript both ways).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from sidecar.core.facts import (
    CONTENT,
    NOTHING,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    Facts,
    Usage,
)
from sidecar.dialects.openai_chat_odd import read_event, read_whole
from sidecar.dialects.openai_common import NOT_JSON

_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] | None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, gc=False):
    function: _Function | None = None


class _Piece(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    audio: None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Piece | None = None
    message: _Piece | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Count = None
    cache_write_tokens: _Count = None
    reasoning_tokens: _Count = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: _Count = None
    cached_tokens: _Count = None
    # Names of another dialect: whoever uses them is read where all names are known.
    input_tokens: None = None
    output_tokens: None = None
    input_tokens_details: None = None
    output_tokens_details: None = None
    input_token_details: None = None
    output_token_details: None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    usage: _Usage | None = None
    x_groq: Any = None
    error: None = None
    object: str | None = None


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
        except NOT_JSON:
            return read_event(self.facts, data, name)
        if chunk.object == "error" or (chunk.usage is None and chunk.x_groq is not None):
            return read_event(self.facts, data)
        return _read(self.facts, chunk)

    def whole(self, body: bytes) -> int:
        """A whole completion, or an error."""
        try:
            chunk = _decode(body)
        except NOT_JSON:
            return read_whole(self.facts, body)
        if chunk.object == "error" or (chunk.usage is None and chunk.x_groq is not None):
            return read_whole(self.facts, body)
        found = _read(self.facts, chunk)
        self.facts.is_complete = True
        return found


def _read(facts: Facts, chunk: _Chunk) -> int:
    if chunk.model and chunk.model != facts.model:
        facts.model = chunk.model
    if facts.response_id is None and chunk.id:
        facts.response_id = chunk.id
    if chunk.service_tier is not None:
        facts.service_tier = chunk.service_tier or None
    found = NOTHING
    for choice in chunk.choices:
        if choice.index != facts.choice:
            facts.hear(choice.index)
        piece = choice.delta or choice.message
        if piece is not None:
            if piece.content:
                found |= CONTENT
                facts.text_chars += len(piece.content)
            if piece.reasoning_content or piece.reasoning:
                found |= REASONING
            if piece.tool_calls is not None or piece.function_call is not None:
                found |= _called(piece)
            if piece.refusal:
                found |= REFUSAL
        if choice.finish_reason:
            facts.finish(choice.finish_reason)
            facts.end_choice()
    if chunk.usage is not None:
        _count(facts, chunk.usage)
    return found


def _called(piece: _Piece) -> int:
    """A name or a piece of arguments; the opening of an empty call is neither."""
    for call in piece.tool_calls or ():
        function = call.function
        if function is not None and (function.name or function.arguments):
            return TOOL_CALL
    function = None if piece.tool_calls else piece.function_call
    if function is not None and (function.name or function.arguments):
        return TOOL_CALL
    return NOTHING


def _count(facts: Facts, told: _Usage) -> None:
    """Each number that is there; a later one stands for an earlier one."""
    asked, made = told.prompt_tokens_details, told.completion_tokens_details
    cached = None if asked is None else asked.cached_tokens
    if cached is None:
        # DeepSeek, and Moonshot, have it beside the others.
        cached = told.prompt_cache_hit_tokens
        if cached is None:
            cached = told.cached_tokens
    new = Usage(
        told.prompt_tokens,
        told.completion_tokens,
        cached,
        None if asked is None else asked.cache_write_tokens,
        None if made is None else made.reasoning_tokens,
        told.total_tokens,
    )
    if facts.usage is not None:
        new.keep_from(facts.usage)
    if new.says_anything:
        facts.usage = new
