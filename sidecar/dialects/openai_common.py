"""What all of OpenAI's dialects tell in one way: who answered, what was counted, what went wrong.

Knows: the members that chat completions, completions, Responses, embeddings, audio and images have
in common, under the names and in the places that providers give them.
Must not know: which of them is read, framing, or time.
Every value may be of any type: gateways write lists, objects and null where a string is documented.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from sidecar.core.facts import Facts, ProviderError, Usage, count, text, word

NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises: broken JSON, JSON of other types, broken UTF-8, or nesting without end."""


_BEHIND: Final = re.compile(rb'"(?:model|usage)"\s*:')
_MAX_TRIES: Final = 64
# The event's type, if nothing but plain members stands before it.
_TYPE_IN_FRONT: Final = re.compile(
    rb'\s*\{\s*(?:"\w+"\s*:\s*(?:-?\d+|"[^"\\]*"|null|true|false)\s*,\s*)*?'
    rb'"type"\s*:\s*"([\w.]+)"'
)


_ASKED: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_MADE: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")


class Told(msgspec.Struct):
    """The common members, to be decoded with those that a dialect adds."""

    id: Any = None
    object: Any = None
    model: Any = None
    service_tier: Any = None
    usage: Any = None
    error: Any = None
    message: Any = None
    detail: Any = None
    code: Any = None
    type: Any = None


_T = TypeVar("_T", bound=msgspec.Struct)


def hear_choice(facts: Facts, index: object) -> None:
    """Which of several choices speaks; one that does not say so is the first."""
    choice = index if type(index) is int else 0
    if choice != facts.choice:
        facts.hear(choice)


def take_names(facts: Facts, told: Told) -> None:
    """Who answered: the first id, the last model and tier."""
    if told.model and told.model != facts.model:
        facts.name_model(told.model)
    if facts.response_id is None and told.id:
        facts.response_id = text(told.id)
    if told.service_tier is not None:
        facts.service_tier = text(told.service_tier)


def take_usage(facts: Facts, usage: object) -> None:
    """Each number that is there; a later one stands for an earlier one."""
    if type(usage) is not dict:
        return
    counted = facts.usage or Usage()
    asked = _details(usage, _ASKED)
    made = _details(usage, _MADE)
    counted.input_tokens = _last(counted.input_tokens, usage, "prompt_tokens", "input_tokens")
    counted.output_tokens = _last(
        counted.output_tokens, usage, "completion_tokens", "output_tokens"
    )
    counted.total_tokens = _last(counted.total_tokens, usage, "total_tokens")
    # DeepSeek, and Moonshot, have it beside the others.
    counted.cache_read_tokens = _last(
        counted.cache_read_tokens, usage, "prompt_cache_hit_tokens", "cached_tokens"
    )
    if asked is not None:
        counted.cache_read_tokens = _last(counted.cache_read_tokens, asked, "cached_tokens")
        counted.cache_write_tokens = _last(counted.cache_write_tokens, asked, "cache_write_tokens")
    if made is not None:
        counted.reasoning_tokens = _last(counted.reasoning_tokens, made, "reasoning_tokens")
    if counted.says_anything:
        facts.usage = counted


def _last(before: int | None, usage: dict[str, Any], *names: str) -> int | None:
    """The first of the names that has a count; where none has, what was said before."""
    for name in names:
        if (value := usage.get(name)) is not None and (number := count(value)) is not None:
            return number
    return before


def _details(usage: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any] | None:
    for name in names:
        if type(found := usage.get(name)) is dict:
            return found
    return None


def error_in(told: Told, is_stream: bool) -> ProviderError | None:
    """An error that says it is one."""
    if type(told.error) is dict:
        return error_of(told.error, is_stream) if told.error else None
    if told.error or told.object == "error":
        # xAI has a text beside a code; older vLLM no wrapper at all.
        said = text(told.error) or text(told.message)
        return ProviderError(is_stream, word(told.type), word(told.code), said)
    return None


def error_of(error: dict[str, Any], is_stream: bool) -> ProviderError:
    """From the error's own object."""
    return ProviderError(
        is_stream, word(error.get("type")), word(error.get("code")), text(error.get("message"))
    )


def error_of_body(told: Told) -> ProviderError | None:
    """Of a body without an answer: there a mere `message` (Mistral) or `detail` (Mistral, Voyage)
    is an error, too."""
    if (error := error_in(told, is_stream=False)) is not None:
        return error
    if not told.detail and text(told.message) is None:
        return None
    said = text(told.message) or text(told.detail)
    return ProviderError(False, word(told.type), word(told.code), said)


def error_of_list(body: bytes) -> ProviderError | None:
    """Gemini's imitation wraps its errors in a list."""
    try:
        errors = msgspec.json.decode(body, type=list[Told])
    except NOT_JSON:
        return None
    return error_in(errors[0], is_stream=False) if errors else None


def type_of_head(name: bytes, head: bytes) -> str:
    """The type of an event of which only the ends are kept; its name where it is not in front."""
    found = _TYPE_IN_FRONT.match(head)
    return (found[1] if found else name).decode("latin-1")


def behind_the_long_part(tail: bytes, opening: bytes, decode: Callable[[bytes], _T]) -> _T | None:
    """The members at the end of an object whose middle is missing; `opening` stands for what opened
    the objects that end there. What belongs to another depth, or stands inside a string, closes
    more or less than that, and is refused by the decoder: nothing is taken for what it is not."""
    for found in list(_BEHIND.finditer(tail))[-_MAX_TRIES:]:
        try:
            return decode(opening + tail[found.start() :])
        except NOT_JSON:
            continue
    return None
