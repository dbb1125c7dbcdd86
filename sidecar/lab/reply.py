"""What a simulated model says, before any dialect: words, tool calls, counts.

Knows: how a script and the few facts of a request become a reply, and the pieces that dialects cut
it into.
Must not know: JSON of any provider, HTTP, clocks. Ids and times come in as a Stamp.
Why words of a fixed text: the same request has the same answer, so a test may compare the bytes
that came through a proxy with those that came direct. One word is one token and one event; some
words are not ASCII, because cutting UTF-8 in the middle is a favourite mistake of relays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from sidecar.lab.script import Script

DEFAULT_TOKENS: Final = 40
_PROSE: Final = (
    "The quick brown fox jumps over the lazy dog , naïve as ever , while a café in 東京 serves "
    "jalapeño soup — hot , cheap and 100 % simulated . Every word here is one token , no model "
    "was asked , and nobody pays a single € for it 🙂 ."
)
_MUSING: Final = (
    "Let me think this through : the request wants an answer , the script says how long it may "
    "be , so I count the words twice and then begin ."
)
_TEXT: Final = tuple(_PROSE.split())
_THOUGHT: Final = tuple(_MUSING.split())
_ARGUMENT_CHARS: Final = 6


class Kind(Enum):
    """What a piece of an answer is to whoever counts: only GENERATED is the model's own output."""

    OPENING = "opening"
    """Before anything generated."""
    GENERATED = "generated"
    BETWEEN = "between"
    """Structure between generated pieces."""
    CLOSING = "closing"
    """After all of them."""


class Piece(NamedTuple):
    """The bytes of one event (or of some that always leave together), and their meaning."""

    kind: Kind
    data: bytes


class Stamp(NamedTuple):
    """What differs between two answers to the same request."""

    token: str
    """At least 24 hex digits; all ids of one answer are made of it."""
    at_s: int
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one tool, its arguments as JSON text in pieces."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, in no dialect."""

    input_chars: int
    max_tokens: int | None = None
    thinks: bool = False
    tools: tuple[tuple[str, object], ...] = ()
    """(name, JSON schema of the arguments)"""
    must_call: str | None = None
    """A tool's name, or "" for any."""
    has_tool_result: bool = False
    """The last message is a tool's result: calling again would never end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What will be said. Each element of `reasoning` and `text` is one generated event."""

    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    call: ToolCall | None
    input_tokens: int
    output_tokens: int
    is_cut_short: bool
    """The request's own limit of tokens ended it."""

    @property
    def reasoning_text(self) -> str:
        return "".join(self.reasoning)

    @property
    def whole_text(self) -> str:
        return "".join(self.text)


def reply_to(script: Script, wish: Wish) -> Reply:
    """Numbers that the script gives stand; the request's limit holds for the default length."""
    tokens = script.tokens
    is_cut_short = False
    if tokens is None:
        tokens = max(DEFAULT_TOKENS, script.reasoning or 0)
        if wish.max_tokens is not None and wish.max_tokens < tokens:
            tokens, is_cut_short = wish.max_tokens, True
    reasoning = script.reasoning
    if reasoning is None:
        reasoning = tokens // 4 if wish.thinks else 0
    reasoning = min(reasoning, tokens)
    call = _call(script, wish)
    if call is not None and script.tokens is None:
        tokens = reasoning + 1 + len(call.arguments)
    return Reply(
        reasoning=tuple(_words(_THOUGHT, reasoning)),
        text=() if call else tuple(_words(_TEXT, tokens - reasoning)),
        call=call,
        input_tokens=tokens_of(wish.input_chars),
        output_tokens=tokens,
        is_cut_short=is_cut_short and call is None,
    )


def tokens_of(chars: int) -> int:
    """A rule of thumb: four characters a token, and never none."""
    return max(1, chars // 4)


def generated_s(script: Script, events: int) -> float:
    """Seconds from the request to the last of so many generated events."""
    return script.ttft_s + script.gap_s * max(0, events - 1)


def _words(source: tuple[str, ...], count: int) -> Iterator[str]:
    for n in range(count):
        word = source[n % len(source)]
        yield word if n == 0 else " " + word


def _call(script: Script, wish: Wish) -> ToolCall | None:
    if not wish.tools or (wish.must_call is None and not script.calls_tool):
        return None
    if wish.must_call is None and wish.has_tool_result:
        return None
    name, schema = next((tool for tool in wish.tools if tool[0] == wish.must_call), wish.tools[0])
    text = json.dumps(example_of(schema), ensure_ascii=False)
    return ToolCall(
        name,
        tuple(text[at : at + _ARGUMENT_CHARS] for at in range(0, len(text), _ARGUMENT_CHARS)),
    )


_PLAIN_EXAMPLES: Final[Mapping[object, object]] = {
    "string": "Zürich",
    "integer": 7,
    "number": 2.5,
    "boolean": True,
    "null": None,
}
_MAX_DEPTH: Final = 8


def example_of(schema: object, depth: int = 0) -> object:
    """A value that a simple JSON schema allows. References and combinations are not followed."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return {}
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = kind[0]
    if kind == "array":
        return [example_of(schema.get("items"), depth + 1)]
    if isinstance(kind, str) and kind in _PLAIN_EXAMPLES:
        return _PLAIN_EXAMPLES[kind]
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: example_of(part, depth + 1) for name, part in properties.items()}


def as_json(value: object) -> bytes:
    """Compact, in the order given, UTF-8 as it is: the way providers write their events."""
    return msgspec.json.encode(value)


def chars_of(value: object) -> int:
    """Characters of all strings inside a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(chars_of(part) for part in value.values())
    if isinstance(value, list):
        return sum(chars_of(part) for part in value)
    return 0


def items_of(value: object) -> list[Mapping[str, object]]:
    """The objects in a JSON list; nothing for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count_of(value: object) -> int | None:
    """A whole number that is not negative, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def object_of(value: object) -> Mapping[str, object]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


_FILL: Final = "aB3xK9mQ7pLz2WvR5tYn8CdF"


def fill(text: str, width: int = 16) -> str:
    """Padding that hides how long `text` is, as OpenAI's `obfuscation` does."""
    return _FILL[: width - len(text) % width]
