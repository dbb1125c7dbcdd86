"""What a reader finds in an answer: facts, in the provider's own words and numbers.

Knows: the kinds of generated pieces, and what is worth keeping of an answer.
Must not know: time, dialects, or what the facts mean: numbers of two providers may count different
things under one name, and are made alike in `metering`.
Unknown is None, never 0. What is said twice counts as said last; nothing is added up.
Why msgspec structs and not dataclasses: some are made for every answer; a struct costs a
sixth. None can be part of a cycle.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

CONTENT: Final = 1
"""A piece of the visible answer. The kinds are bits: one event may bring several."""
REASONING: Final = 2
REFUSAL: Final = 4
TOOL_CALL: Final = 8
"""A tool's name, or a piece of its arguments."""
AUDIO: Final = 16
TRANSCRIPT: Final = 32
"""What the audio says."""
NOTHING: Final = 0
"""An event that brought nothing generated."""
UNREADABLE: Final = -1
"""Bytes that are no event of this dialect."""

MAX_REASONS: Final = 16
MAX_CHOICES: Final = 62
"""Those beyond are heard, and not waited for."""
_MAX_COUNT: Final = 1 << 53


class Usage(msgspec.Struct, gc=False):
    """Token counts as the provider states them; None where it does not."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def says_anything(self) -> bool:
        """At least one number is there."""
        return (
            self.input_tokens is not None
            or self.output_tokens is not None
            or self.total_tokens is not None
            or self.cache_read_tokens is not None
            or self.cache_write_tokens is not None
            or self.reasoning_tokens is not None
        )

    def keep_from(self, before: Usage) -> None:
        """What was said before, and is not said now, still stands."""
        if self.input_tokens is None:
            self.input_tokens = before.input_tokens
        if self.output_tokens is None:
            self.output_tokens = before.output_tokens
        if self.cache_read_tokens is None:
            self.cache_read_tokens = before.cache_read_tokens
        if self.cache_write_tokens is None:
            self.cache_write_tokens = before.cache_write_tokens
        if self.reasoning_tokens is None:
            self.reasoning_tokens = before.reasoning_tokens
        if self.total_tokens is None:
            self.total_tokens = before.total_tokens


class ProviderError(msgspec.Struct, frozen=True, gc=False):
    """An error as the provider tells it. `is_in_stream`: under a status that promised success."""

    is_in_stream: bool
    type: str | None
    code: str | None
    message: str | None

    @property
    def words(self) -> tuple[str | None, str | None, str | None]:
        return self.type, self.code, self.message


class Facts(msgspec.Struct, gc=False):
    """Filled while an answer is read."""

    model: str | None = None
    """That answered, as named last."""
    response_id: str | None = None
    service_tier: str | None = None
    finish_reasons: list[str] = []
    """In the provider's own words; of several choices each its own."""
    usage: Usage | None = None
    error: ProviderError | None = None
    events: int = 0
    """With data; without comments and the mark of the end."""
    comments: int = 0
    text_chars: int = 0
    """Of the visible answer."""
    is_over: bool = False
    """The dialect's last event was read."""
    is_complete: bool = False
    """Nothing of the answer is missing: the last event, or what stands for it."""
    is_lost: bool = False
    """Reading was given up: what is missing may have been there."""
    skipped: dict[str, int] = {}
    """reason -> how much was not understood, and therefore not counted."""
    choice: int = -1
    """The one of several that spoke last."""
    open_choices: int = 0
    """A bit for each choice that has begun and not ended; of those that have ended, likewise."""
    ended_choices: int = 0

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def hear(self, choice: int) -> None:
        """Another one of several choices speaks; to be told when it is not the same as before."""
        self.choice = choice
        bit = 1 << choice if 0 <= choice < MAX_CHOICES else 0
        if bit & ~self.ended_choices:
            self.open_choices |= bit
            self.is_complete = self.is_over

    def end_choice(self) -> None:
        """The one that spoke last has said why it ends. All have ended: nothing is missing."""
        bit = 1 << self.choice if 0 <= self.choice < MAX_CHOICES else 0
        self.open_choices &= ~bit
        self.ended_choices |= bit
        if not self.open_choices:
            self.is_complete = True

    def finish(self, reason: object) -> None:
        """One more reason, if it is one; not one that is said again."""
        if not isinstance(reason, str) or not reason or reason in self.finish_reasons:
            return
        if len(self.finish_reasons) < MAX_REASONS:
            self.finish_reasons.append(reason)

    def name_model(self, name: object) -> None:
        if isinstance(name, str) and name:
            self.model = name

    def counted(self) -> Usage:
        """The usage to fill; made when there is a first number."""
        if self.usage is None:
            self.usage = Usage()
        return self.usage


class Interpreter(Protocol):
    """Reads one answer of one dialect. What it does not understand it leaves out."""

    facts: Facts

    def event(self, name: bytes, data: bytes) -> int:
        """One event: its name (b"" where the framing has none) and its data. The kinds of what it
        brought, or UNREADABLE."""

    def whole(self, body: bytes) -> int:
        """A body that is not a stream, errors included. Likewise."""


def count(value: object) -> int | None:
    """A number of tokens, or None. Some providers write whole numbers as floats; what is negative,
    broken, huge or text is no count."""
    # Exact types: nearly every value is an int, and a bool is none.
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < _MAX_COUNT else None


def text(value: object) -> str | None:
    """A non-empty string, or None."""
    return value if isinstance(value, str) and value else None


def word(value: object) -> str | None:
    """A code, which may be a number: as text, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)
