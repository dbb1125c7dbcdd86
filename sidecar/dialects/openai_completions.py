"""OpenAI's older completions, as OpenAI, vLLM, Together and others still answer them.

Knows: chunks and whole bodies of `POST …/completions`: text, usage, finish reasons and errors.
Must not know: framing, time, or whose answer it is.
Chunks and bodies have one shape, so one reading does for both.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sidecar.core.facts import CONTENT, NOTHING, UNREADABLE, Facts, text
from sidecar.dialects.openai_common import (
    NOT_JSON,
    Told,
    error_in,
    error_of_body,
    hear_choice,
    take_names,
    take_usage,
)


class _Choice(msgspec.Struct):
    text: Any = None
    finish_reason: Any = None
    index: Any = None


class _Chunk(Told):
    choices: list[_Choice] | None = None


_decode: Final = msgspec.json.Decoder(_Chunk).decode


class OpenAiCompletions:
    """Interprets one answer."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts = Facts()

    def event(self, name: bytes, data: bytes) -> int:
        """One chunk."""
        return self._read(data, is_stream=True)

    def whole(self, body: bytes) -> int:
        """A whole completion, or an error."""
        found = self._read(body, is_stream=False)
        self.facts.is_complete = found != UNREADABLE
        return found

    def _read(self, data: bytes, is_stream: bool) -> int:
        try:
            chunk = _decode(data)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        take_names(facts, chunk)
        take_usage(facts, chunk.usage)
        if (error := error_in(chunk, is_stream)) is not None:
            facts.error = error
        elif not is_stream and chunk.choices is None:
            facts.error = error_of_body(chunk)
        found = NOTHING
        for choice in chunk.choices or ():
            hear_choice(facts, choice.index)
            if said := text(choice.text):
                facts.text_chars += len(said)
                found = CONTENT
            if choice.finish_reason:
                facts.finish(choice.finish_reason)
                facts.end_choice()
        return found
