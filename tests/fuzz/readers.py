"""Damaged answers for every reader: no exception, no growth, no hang.

Knows: the recordings, how their bytes are damaged and cut, and what a reader must never do.
Must not know: what a damaged answer should say: nobody does.
A case is told again by (seed, reader, number).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidecar.core.facts import Facts
from sidecar.dialects.choose import Reader, recipe_for
from sidecar.metering.meter import Meter
from sidecar.metering.tokens import alike, rate_per_s

TRANSCRIPTS: Final = Path(__file__).parent.parent / "transcripts"
MAX_KEPT_BYTES: Final = 1_200_000
"""A whole body of 1 MiB; of a stream far less (see `kept_bytes`)."""
MAX_STREAM_KEPT_BYTES: Final = 3 * 64 * 1024
MAX_CASE_S: Final = 2.0

FAMILIES: Final = {
    "openai-chat": ("openai-chat", "text/event-stream"),
    "openai-completions": ("openai-completions", "text/event-stream"),
    "openai-responses": ("openai-responses", "text/event-stream"),
    "openai-audio": ("openai-audio", "text/event-stream"),
    "openai-images": ("openai-images", "text/event-stream"),
    "openai-embeddings": ("openai-embeddings", "application/json"),
    "anthropic-messages": ("anthropic", "text/event-stream"),
    "gemini-generate": ("gemini-stream", "text/event-stream"),
    "gemini-array": ("gemini-stream", "application/json"),
    "cohere-chat-v1": ("cohere", "application/stream+json"),
    "cohere-chat-v2": ("cohere", "text/event-stream"),
    "ollama-chat": ("ollama", "application/x-ndjson"),
    "ollama-generate": ("ollama", "application/x-ndjson"),
    "bedrock-converse": ("bedrock-converse", "application/vnd.amazon.eventstream"),
    "bedrock-invoke": ("bedrock-invoke", "application/vnd.amazon.eventstream"),
}
"""Name -> family and content type."""
_SPLICES: Final = (
    *(b"null", b"{}", b"[]", b'""', b"-1", b"1e999", b"9" * 40, b'"\\ud800"', b"true", b"0.5"),
    *(b"\r", b"\n\n", b"\r\n\r\n", b"data: ", b"event: x\n", b":\n", b"[DONE]", b"\xef\xbb\xbf"),
    *(b"\0", b"\xff", b"\\", b'"', b"{" * 500, b"[" * 5000, b"x" * 70_000, b'{"a":' * 300),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a reader did that it must not."""

    reader: str
    number: int
    what: str


def seeds(reader: str) -> list[bytes]:
    """The recordings of this reader's kind; Gemini's array is made of its bodies."""
    name = "gemini-generate" if reader == "gemini-array" else reader
    bodies = [file.read_bytes() for file in sorted(TRANSCRIPTS.glob(f"{name}.*.body"))]
    if reader == "gemini-array":
        bodies = [b"[%b,\n%b]" % (body, body) for body in bodies if body[:1] == b"{"]
    return [body for body in bodies if len(body) < 200_000]


def damaged(body: bytes, draw: random.Random) -> bytes:
    """One to four wounds: flipped, cut out, doubled, spliced in, counted wrong."""
    data = bytearray(body)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.choice((1, 1, 2, 8, 60, 900)))
        match draw.randrange(6):
            case 0 if data and at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * draw.choice((1, 2, 30))
            case 3:
                data[at:end] = draw.choice(_SPLICES)
            case 4:
                data[at:at] = draw.choice(_SPLICES)
            case _:
                other = draw.randrange(len(data) + 1)
                data[at:end] = data[other : other + 60]
    return bytes(data)


def cut(data: bytes, draw: random.Random) -> Iterator[bytes]:
    """In pieces of a few bytes, of a read, or at once."""
    most = draw.choice((1, 7, 100, 1500, 65_536, 1 << 20))
    if len(data) // most > 3000:
        most = 100
    at = 0
    while at < len(data):
        size = draw.randint(1, most)
        yield data[at : at + size]
        at += size


def kept_bytes(thing: object, seen: set[int] | None = None) -> int:
    """Bytes in strings and buffers that hang on a reader."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, (bytes, bytearray, str)):
        return sys.getsizeof(thing)
    total = 0
    if isinstance(thing, (list, tuple, set)):
        total += sum(kept_bytes(one, seen) for one in thing)
    elif isinstance(thing, dict):
        total += sum(kept_bytes(one, seen) for one in thing.values())
    if not type(thing).__module__.startswith(("sidecar", "tests", "fuzz")):
        return total
    for kind in type(thing).__mro__:
        for names in (getattr(kind, "__slots__", ()), getattr(kind, "__struct_fields__", ())):
            for name in names if isinstance(names, tuple) else ():
                total += kept_bytes(getattr(thing, name, None), seen)
    return total


def play(reader: str, seed: int, number: int) -> Fault | None:
    """One damaged answer through one reader."""
    draw = random.Random(f"{seed}/{reader}/{number}")
    family, kind = FAMILIES[reader]
    body = damaged(draw.choice(seeds_of(reader)), draw)
    is_good = draw.random() < 0.9
    coding = draw.choice((None, None, None, None, b"gzip"))
    recipe = recipe_for(family, is_good, kind.encode(), coding)
    assert recipe is not None
    made, facts = recipe.make()
    limit = MAX_STREAM_KEPT_BYTES if recipe.is_stream and coding is None else MAX_KEPT_BYTES
    began = time.process_time()
    try:
        most = _read(made, facts, cut(body, draw), family)
    except Exception as error:
        return Fault(reader, number, f"raised {error!r}")
    took_s = time.process_time() - began
    if most > limit:
        return Fault(reader, number, f"kept {most} bytes")
    if took_s > MAX_CASE_S:
        return Fault(reader, number, f"took {took_s:.1f} s for {len(body)} bytes")
    return None


def _read(made: Reader, facts: Facts, pieces: Iterator[bytes], family: str) -> int:
    """The most that was kept at a time. Raises what the reader raises, which a meter would hide."""
    meter = Meter(made, facts, 0.0, 2.0)
    now, most = 0.0, 0
    for number, piece in enumerate(pieces):
        now += 0.01
        meter._take(made.feed(piece), now)
        if number % 200 == 0:
            most = max(most, kept_bytes(made))
    meter._take(made.end(), now)
    json.dumps([*facts.finish_reasons, facts.model, facts.response_id, facts.service_tier])
    if facts.usage is not None:
        tokens = alike(facts.usage, family)
        rate = rate_per_s(tokens, meter.first_token_at, now, meter.output_events, False)
        assert rate is None or rate >= 0
        plain = (tokens.plain_input, tokens.plain_output)
        assert all(count is None or count >= 0 for count in plain)
    assert sum(meter.gap_counts) == max(meter.output_events - 1, 0)
    return max(most, kept_bytes(made))


_seeds: dict[str, list[bytes]] = {}


def seeds_of(reader: str) -> list[bytes]:
    """Read once."""
    if reader not in _seeds:
        _seeds[reader] = seeds(reader) or [b'data: {"type":"x"}\n\n']
    return _seeds[reader]


def run(
    seed: int, numbers: Iterator[int], is_over: Callable[[], bool], told: Callable[[int], None]
) -> tuple[int, list[Fault]]:
    """Every reader in turn until it is over; (cases, faults)."""
    cases, faults = 0, []
    for number in numbers:
        for reader in FAMILIES:
            if (fault := play(reader, seed, number)) is not None:
                faults.append(fault)
            cases += 1
        told(cases)
        if is_over():
            break
    return cases, faults
