"""What one exchange is going to be: written down before it is played, from the seed and its number.

Knows: what valid requests and answers look like in all their framings, and in which steps each side
plays them. Must not know: damage (`mutate` does that), sockets, time.
Why written down first: a story that is nothing but data can be told again, by its number alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Final

from tests.fuzz.strict import NO_BODY, Fields

BIG_BODY_BYTES: Final = 4 * 1024 * 1024 + 200_000
"""More than the program holds whole, so that it has to stream."""
_BIG_EVERY: Final = 400
_LONGEST_WAIT_S: Final = 0.02
_DONE: Final = b"data: [DONE]\n\n"
_NAMES: Final = (b"X-Some", b"x-more", b"Accept", b"User-Agent", b"X-UPPER", b"x_under", b"ETag")
_VALUES: Final = (b"", b"1", b"a b, c", b"*/*", b"caf\xe9", b'"quoted; text"', b"~" * 900, b"k=v")
_ENDS: Final = (b"/chat/completions", b"/responses", b"/files", b"/models?limit=20&after=%C3%A9")
_CHUNKED: Final = (b"Transfer-Encoding: chunked", b"transfer-encoding:\tChunked")
_INTERIM: Final = (
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
)


class End(Enum):
    """What a side does when it has said all."""

    KEEP = "keep"
    FIN = "fin"
    HALF = "half"
    """FIN, but it goes on reading."""
    RST = "rst"


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    wait_s: float


@dataclass(frozen=True, slots=True)
class Until:
    """Until so many answers are whole, or patience is at its end, or the connection is."""

    answers: int
    patience_s: float | None = None


Step = Send | Wait | Until | End


@dataclass(slots=True)
class Ask:
    """A request. `target` as the provider shall see it."""

    method: bytes
    target: bytes
    fields: Fields
    """Those that go on, names in lower case."""
    body: bytes
    raw: bytes
    has_expect: bool = False


@dataclass(slots=True)
class Reply:
    """An answer, and what the provider does after it."""

    status: int
    fields: Fields
    body: bytes
    raw: bytes
    end: End


@dataclass(slots=True)
class Turn:
    """One request and its answer. `steps` are the provider's, `reply` is the answer before any
    damage, and `said` is what the provider says in the end."""

    token: bytes
    ask: Ask
    reply: Reply
    said: bytes = b""
    end: End = End.KEEP
    steps: list[Step] = field(default_factory=list)
    is_early: bool = False
    """It answers before it has read the request's body."""
    damage: str = ""
    """What was done to the answer, if anything was."""


@dataclass(slots=True)
class Story:
    """One connection of a caller: one to three turns on it."""

    number: int
    turns: list[Turn]
    steps: list[Step] = field(default_factory=list)
    """The caller's."""
    damage: str = ""
    """What was done to the caller's bytes."""
    damaged_at: int | None = None
    """The first turn that the caller's damage reaches."""
    is_pipelined: bool = False

    @property
    def kind(self) -> str:
        """What was damaged, in words; "none" where bytes were only cut into pieces and delayed."""
        kinds = [f"caller: {self.damage}"] if self.damage else []
        kinds += [f"provider: {turn.damage}" for turn in self.turns if turn.damage]
        return " + ".join(kinds) or "none"

    @property
    def planned_s(self) -> float:
        """How long both sides wait by themselves."""
        steps = [*self.steps, *(step for turn in self.turns for step in turn.steps)]
        return sum(step.wait_s for step in steps if isinstance(step, Wait))

    @property
    def sound_turns(self) -> int:
        """How many of the first answers must be there to the byte, and their requests too."""
        count = len(self.turns)
        if self.damaged_at is not None:
            # A caller that breaks while an earlier answer is on its way may lose that as well.
            count = 0 if self.is_pipelined else self.damaged_at
        return next((n for n, turn in enumerate(self.turns[:count]) if turn.damage), count)


def token(seed: int, number: int, turn: int) -> bytes:
    """Names a turn in its request's path; a damaged one does not pass for another's."""
    check = zlib.crc32(b"%d/%d/%d" % (seed, number, turn))
    return b"%d-%d-%08x" % (number, turn, check)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn stands."""

    seed: int
    number: int
    turn: int
    is_last: bool
    can_head: bool
    """HEAD may be asked: which answer belongs to it is certain."""
    upstream: bytes
    """As the relay knows the provider: damaged answers have a pool of their own, because what is
    left on a connection may, for a moment, be taken for the answer to the next request on it."""


def turn_for(rng: Random, place: Place) -> Turn:
    """A valid one."""
    name = token(place.seed, place.number, place.turn)
    ask = _ask(rng, name, place)
    reply = _reply(rng, name, ask)
    made = Turn(name, ask, reply, reply.raw, reply.end)
    made.is_early = bool(ask.body) and reply.end is End.KEEP and rng.random() < 0.1
    return made


def play(rng: Random, data: bytes, end: End) -> list[Step]:
    """Bytes as steps: cut at random places, with or without a pause between two pieces."""
    steps: list[Step] = []
    pieces = list(_pieces(rng, data))
    for at, piece in enumerate(pieces):
        steps.append(Send(piece))
        if at < len(pieces) - 1:
            wait = rng.random()
            if wait < 0.75:
                steps.append(Wait(0.0 if wait < 0.6 else rng.random() * _LONGEST_WAIT_S))
    if end is not End.KEEP:
        if rng.random() < 0.3:
            steps.append(Wait(rng.random() * _LONGEST_WAIT_S))
        steps.append(end)
    return steps


def _pieces(rng: Random, data: bytes) -> Iterator[bytes]:
    if len(data) < 2 or rng.random() < 0.4:
        yield data
        return
    cuts = sorted(rng.randrange(1, len(data)) for _ in range(rng.randrange(1, 7)))
    at = 0
    for cut in cuts:
        if cut > at:
            yield data[at:cut]
            at = cut
    yield data[at:]


def _ask(rng: Random, name: bytes, place: Place) -> Ask:
    is_last = place.is_last
    minor = 0 if is_last and rng.random() < 0.05 else 1
    chance = rng.random()
    method = b"POST" if chance < 0.6 else b"GET" if chance < 0.85 else b"OPTIONS"
    if place.can_head and chance > 0.92:
        method = b"HEAD"
    target = b"/v1/f/" + name + rng.choice(_ENDS)
    fields = _fields(rng)
    lines = [b"Host: localhost", *(b": ".join(pair) for pair in fields)]
    body, framed, has_expect = b"", b"", False
    if method == b"POST" or rng.random() < 0.05:
        body = _body(rng)
        if is_last and minor and rng.randrange(_BIG_EVERY) == 0:
            body = rng.randbytes(1 << 16) * (BIG_BODY_BYTES >> 16)
        if minor and rng.random() < 0.4:
            lines.append(rng.choice(_CHUNKED))
            framed = chunked(rng, body)
        else:
            lines.append(b"Content-Length: %d" % len(body))
            framed = body
        has_expect = minor == 1 and bool(body) and rng.random() < 0.05
        if has_expect:
            lines.append(b"Expect: 100-continue")
    if is_last and rng.random() < 0.1:
        lines.append(b"Connection: close")
    line = b"%b /%b%b HTTP/1.%d" % (method, place.upstream, target, minor)
    head = b"\r\n".join([line, *lines]) + b"\r\n\r\n"
    lowered = [(key.lower(), value.strip(b" \t")) for key, value in fields]
    return Ask(method, target, lowered, body, head + framed, has_expect)


def _reply(rng: Random, name: bytes, ask: Ask) -> Reply:
    status = rng.choice((200, 200, 200, 200, 201, 204, 304, 400, 404, 429, 500, 503, 529))
    fields = [(b"X-Turn", name), *_fields(rng)]
    body = _body(rng)
    if is_stream := status == 200 and rng.random() < 0.4:
        fields.append((b"Content-Type", b"text/event-stream; charset=utf-8"))
        body = b"".join(b"data: %d\n\n" % n for n in range(rng.randrange(12))) + _DONE
    lines = [b"HTTP/1.1 %d %b" % (status, rng.choice((b"OK", b"", b"Gr\xfc\xdfe da")))]
    lines += [b": ".join(pair) for pair in fields]
    framing = rng.random()
    end = End.KEEP
    if status == 204 or (status == 304 and framing < 0.5):
        framed = b""
    elif framing < (0.1 if is_stream else 0.6):
        lines.append(b"Content-Length: %d" % len(body))
        framed = body
    elif framing < 0.85:
        lines.append(b"Transfer-Encoding: chunked")
        framed = chunked(rng, body)
    else:
        framed, end = body, End.FIN
    if end is End.FIN or rng.random() < 0.1:
        end = End.FIN
        lines.append(b"Connection: close")
    if ask.method == b"HEAD" or status in NO_BODY:
        body = framed = b""
    early = b""
    if rng.random() < 0.05:
        early = rng.choice(_INTERIM)
    lowered = [(key.lower(), value.strip(b" \t")) for key, value in fields]
    raw = early + b"\r\n".join(lines) + b"\r\n\r\n" + framed
    return Reply(status, lowered, body, raw, end)


def chunked(rng: Random, body: bytes) -> bytes:
    """Framed in chunks of random sizes; now and then with an extension, and with trailers."""
    made, at = bytearray(), 0
    extension = b";x=y" if rng.random() < 0.1 else b""
    size_limit = max(1, len(body) // rng.choice((1, 2, 8)))
    while at < len(body):
        piece = body[at : at + rng.randint(max(1, size_limit // 2), size_limit)]
        made += b"%x%b\r\n%b\r\n" % (len(piece), extension, piece)
        at += len(piece)
    made += b"0\r\n"
    if rng.random() < 0.1:
        made += b"X-Trailer: one\r\nHost: evil\r\n"
    return bytes(made + b"\r\n")


def _fields(rng: Random) -> Fields:
    return [(rng.choice(_NAMES), rng.choice(_VALUES)) for _ in range(rng.randrange(4))]


def _body(rng: Random) -> bytes:
    chance = rng.random()
    if chance < 0.1:
        return b""
    if chance < 0.95:
        return rng.randbytes(rng.randrange(1, 3000))
    return rng.randbytes(rng.randrange(60_000, 200_000))
