"""The recorded answers, read: whole, in their cruel pieces, byte by byte, or as one likes.

Knows: what of a transcript's `expect` a reader must find. Must not know: any dialect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from sidecar.core.facts import (
    AUDIO,
    CONTENT,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    TRANSCRIPT,
    Facts,
    Interpreter,
)

FOLDER = Path(__file__).parent.parent / "transcripts"
MEMBERS = [
    *(
        "type",
        "delta",
        "message",
        "content_block",
        "usage",
        "error",
        "response",
        "output",
        "choices",
    ),
    *("text", "content", "id", "model", "status", "input_tokens", "summary", "candidates", "parts"),
]
"""Names of JSON members that readers look at."""
KINDS = {
    "content_events": CONTENT,
    "reasoning_events": REASONING,
    "refusal_events": REFUSAL,
    "tool_call_events": TOOL_CALL,
    "audio_events": AUDIO,
    "transcript_events": TRANSCRIPT,
}


class Framing(Protocol):
    interpreter: Interpreter

    def feed(self, data: bytes) -> list[int]: ...

    def end(self) -> list[int]: ...


@cache
def load(name: str) -> tuple[dict[str, Any], bytes]:
    """(what is known about it, the body)"""
    known: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return known, (FOLDER / f"{name}.body").read_bytes()


def names(*dialects: str, streamed: bool) -> list[str]:
    """The transcripts of these dialects that are streams, or that are not."""
    found = sorted(file.stem for dialect in dialects for file in FOLDER.glob(f"{dialect}.*.json"))
    return [name for name in found if bool(load(name)[0]["streamed"]) is streamed]


def cuts(name: str) -> Iterator[list[bytes]]:
    """Whole, at the recorded borders, and byte by byte."""
    known, body = load(name)
    yield [body]
    if "chunks" in known:
        edges = [0, *known["chunks"], len(body)]
        yield [body[a:b] for a, b in pairwise(edges)]
    if len(body) < 60_000:
        yield [body[at : at + 1] for at in range(len(body))]


def read(framing: Framing, pieces: Iterable[bytes]) -> list[int]:
    """The kinds of all events that brought something."""
    kinds: list[int] = []
    for piece in pieces:
        kinds += framing.feed(piece)
    return kinds + framing.end()


def found(facts: Facts, kinds: list[int]) -> dict[str, Any]:
    """In the words of `expect`."""
    usage = facts.usage
    told: dict[str, Any] = {
        "model": facts.model,
        "finish_reason": facts.finish_reasons[-1] if facts.finish_reasons else None,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_tokens": usage.cache_read_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "total_tokens": usage.total_tokens if usage else None,
        "events": facts.events,
        "comments": facts.comments,
        "text_chars": facts.text_chars,
        "complete": facts.is_complete,
        "done_marker": facts.is_over,
        "error": None,
    }
    for field, kind in KINDS.items():
        told[field] = sum(1 for one in kinds if one & kind)
    if (error := facts.error) is not None:
        told["error"] = {
            "where": "stream" if error.is_in_stream else "body",
            "type": error.type,
            "code": error.code,
            "message": error.message,
        }
    return told


def assert_as_expected(
    name: str, facts: Facts, kinds: list[int], but: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Everything that `expect` names and a reader tells. `but` may take out what this dialect
    knows better, with its reason beside it."""
    expected = dict(load(name)[0]["expect"])
    told = found(facts, kinds)
    if but is not None:
        but(expected)
    if expected.get("complete") is None:
        expected.pop("complete", None)
    if expected.get("error"):
        expected["error"] = {
            key: None if value is None else str(value) if key == "code" else value
            for key, value in expected["error"].items()
        }
    both = expected.keys() & told.keys()
    assert {key: told[key] for key in both} == {key: expected[key] for key in both}
