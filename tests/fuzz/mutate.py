"""Damage: to the bytes of a request or an answer, or to the manners of who sends them.

Knows: what goes wrong in the wild and what an attacker tries. Must not know: what a relay ought to
make of it; nothing here says what is right.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.fuzz.story import End, Place, Send, Step, Story, Turn, Until, Wait, play, turn_for

_STRANGE: Final = b"\r\n\0 :;,\t\x0b\x7f\xff0129afAZ"
_PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\r\n ", b"0\r\n\r\n", b"Content-Length: 5\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: gzip\r\n"),
    *(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"+", b"0x", b"-1", b";"),
    *(b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"Host: b"),
)
_STALL_S: Final = 5.0
"""Longer than any limit that the program was given."""
_SLOW_S: Final = 0.3
_SPOILED_AFTER: Final = 4
"""Bytes that keep their meaning: a method that became another would be another story."""


def write(seed: int, number: int) -> Story:
    """The story of this number: whole, or damaged on either side or on both."""
    rng = Random(b"%d/%d" % (seed, number))
    side = rng.random()
    is_callers, is_providers = side > 0.65, 0.3 < side <= 0.65 or side > 0.92
    count = rng.choice((1, 1, 1, 2, 3))
    damaged = rng.randrange(count) if is_providers else -1
    turns = [
        turn_for(
            rng,
            Place(
                *(seed, number, n, n == count - 1),
                can_head=not is_callers,
                upstream=b"damaged" if n == damaged else b"sound",
            ),
        )
        for n in range(count)
    ]
    told = Story(number, turns, is_pipelined=rng.random() < 0.15)
    if is_providers:
        _spoil_answer(rng, turns[damaged])
    for turn in turns:
        turn.steps = turn.steps or play(rng, turn.said, turn.end)
    if is_callers:
        _spoil_caller(rng, told)
    else:
        told.steps = _steps(rng, told, [turn.ask.raw for turn in turns], None)
    return told


def _steps(rng: Random, told: Story, asks: list[bytes], patience_s: float | None) -> list[Step]:
    """A caller that asks, waits for the answer, and asks again; or asks all at once."""
    steps: list[Step] = []
    if told.is_pipelined:
        steps += play(rng, b"".join(asks), End.KEEP)
    else:
        for n, raw in enumerate(asks):
            if n < len(told.turns) and told.turns[n].ask.has_expect:
                at = raw.find(b"\r\n\r\n") + 4
                steps += [Send(raw[:at]), Wait(rng.random() * 0.01)]
                raw = raw[at:]
            steps += play(rng, raw, End.KEEP)
            if n < len(asks) - 1:
                steps.append(Until(n + 1, patience_s))
    steps.append(Until(len(told.turns), patience_s))
    steps.append(End.FIN if rng.random() < 0.8 else End.RST)
    return steps


def _spoil_caller(rng: Random, told: Story) -> None:
    asks = [turn.ask.raw for turn in told.turns]
    at = told.damaged_at = rng.randrange(len(asks))
    patience_s = None if rng.random() < 0.2 else rng.random() * _SLOW_S
    kind = rng.random()
    if kind < 0.45:
        told.damage, asks[at] = "bytes", spoiled(rng, asks[at], _SPOILED_AFTER)
    elif kind < 0.55:
        told.damage, asks[at] = "a header twice", repeated(rng, asks[at])
    elif kind < 0.65:
        told.damage = "garbage behind"
        at = told.damaged_at = len(asks) - 1
        asks[at] += garbage(rng)
    else:
        _spoil_manners(rng, told, asks[: at + 1])
        return
    told.steps = _steps(rng, told, asks, patience_s)


def _spoil_manners(rng: Random, told: Story, asks: list[bytes]) -> None:
    """Everything up to `asks`, and then the caller does not behave."""
    raw = asks[-1]
    kind = rng.random()
    is_cut = kind < 0.5
    if is_cut:
        asks[-1] = raw[: rng.randrange(len(raw))]
    steps = _steps(rng, told, asks, None)
    if not is_cut:
        told.damage = "leaves" if kind < 0.9 else "says its end and waits"
        steps[-2:] = [Wait(rng.random() ** 2 * 0.05)]
        if kind < 0.9:
            steps.append(rng.choice((End.FIN, End.RST)))
        else:
            steps += [End.HALF, Until(len(told.turns), None), End.FIN]
    else:
        told.damage = "cut"
        steps[-2:] = [Wait(rng.random() ** 2 * 0.05)]
        ending = rng.random()
        if ending < 0.8:
            steps.append(rng.choice((End.FIN, End.RST)))
        else:
            # Says nothing more: it is for the other side to end it.
            steps += [End.HALF] if ending < 0.9 else []
            steps += [Until(len(told.turns), None), End.FIN]
    told.steps = steps


def _spoil_answer(rng: Random, turn: Turn) -> None:
    said, kind = turn.said, rng.random()
    if kind < 0.45:
        turn.damage, turn.said = "bytes", spoiled(rng, said, 0)
    elif kind < 0.55:
        turn.damage, turn.said = "a header twice", repeated(rng, said)
    elif kind < 0.8:
        turn.damage, turn.said = "cut", said[: rng.randrange(len(said))]
        turn.end = rng.choice((End.FIN, End.RST, End.HALF, End.RST))
    elif kind < 0.9:
        turn.damage = "garbage behind"
        turn.said = said + garbage(rng)
    elif kind < 0.97:
        turn.damage, turn.is_early = "early, and ends", True
        turn.end = rng.choice((End.FIN, End.RST))
    else:
        turn.damage = "silent"
        at = rng.randrange(len(said))
        begun, rest = play(rng, said[:at], End.KEEP), play(rng, said[at:], turn.end)
        turn.steps = [*begun, Wait(_STALL_S), *rest]
    if turn.end is End.KEEP and rng.random() < 0.7:
        # Or else the other side must tell by itself that nothing more comes.
        turn.end = rng.choice((End.FIN, End.RST))
    turn.is_early = turn.is_early or rng.random() < 0.05


def spoiled(rng: Random, raw: bytes, first: int) -> bytes:
    """One to three wounds behind the first bytes, more of them in the head than anywhere."""
    made = bytearray(raw)
    head_ends = raw.find(b"\r\n\r\n") + 4
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        limit = head_ends if rng.random() < 0.7 else len(made)
        at = rng.randrange(first, max(min(limit, len(made)), first + 1))
        kind = rng.random()
        if kind < 0.35:
            made[at : at + 1] = bytes([rng.choice(_STRANGE) if kind < 0.25 else rng.randrange(256)])
        elif kind < 0.6:
            made[at:at] = rng.choice(_PIECES) if kind < 0.5 else rng.randbytes(rng.randrange(1, 20))
        elif kind < 0.8:
            del made[at : at + rng.randrange(1, 20)]
        else:
            made[at:at] = made[at : at + rng.randrange(1, 100)]
    return bytes(made)


def repeated(rng: Random, raw: bytes) -> bytes:
    """One of the header lines a second time, somewhere in the head."""
    head, mark, rest = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if len(lines) > 1:
        lines.insert(rng.randrange(1, len(lines) + 1), rng.choice(lines[1:]))
    return b"\r\n".join(lines) + mark + rest


def garbage(rng: Random) -> bytes:
    """What nobody asked for, behind a whole message."""
    kind = rng.random()
    if kind < 0.4:
        return rng.randbytes(rng.randrange(1, 400))
    if kind < 0.7:
        return b"".join(rng.choice(_PIECES) for _ in range(rng.randrange(1, 6)))
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"
