"""What a scripted fault does to the pieces of an answer.

Knows: where in a stream, or in a buffered body, each fault strikes.
Must not know: dialects (an error event comes in as a function) or sockets (how it ends goes out as
a word, and the server acts on it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final

from sidecar.lab.reply import Kind, Piece
from sidecar.lab.script import Fault, FaultKind

GARBAGE: Final = b'data: {"id":"\xff\xfe\x00\xc3(","choices":[{"delta":{"content":"\xf0\x9f\n\n'
"""An event that is neither UTF-8 nor JSON, but framed, so that the next one can be read."""


class Ending(Enum):
    """How a body ends."""

    CLEAN = "clean"
    """As HTTP wants it, whatever the content."""
    RESET = "reset"
    STALL = "stall"


_ENDINGS: Final = {
    FaultKind.CUT: Ending.CLEAN,
    FaultKind.RESET: Ending.RESET,
    FaultKind.STALL: Ending.STALL,
}


def damage_stream(
    pieces: Iterable[Piece], fault: Fault | None, failure: Callable[[int], bytes]
) -> Iterator[Piece | Ending]:
    """The pieces that leave, then how the body ends. `failure` makes the dialect's error event
    and is told how many pieces left before it."""
    strikes_after = None if fault is None else fault.after_events
    generated = 0
    for sent, piece in enumerate(pieces):
        if (
            fault is not None
            and strikes_after is not None
            and (piece.kind is Kind.CLOSING or generated >= strikes_after)
            and piece.kind is not Kind.OPENING
        ):
            strikes_after = None
            if fault.kind in _ENDINGS:
                yield _ENDINGS[fault.kind]
                return
            if fault.kind is FaultKind.ERROR:
                yield Piece(Kind.CLOSING, failure(sent))
                break
            yield Piece(Kind.BETWEEN, GARBAGE)
        generated += piece.kind is Kind.GENERATED
        yield piece
    yield Ending.CLEAN


def damage_body(body: bytes, fault: Fault | None) -> tuple[bytes, Ending]:
    """What leaves of a buffered body, and how it ends. A body has no events: `@0` strikes before
    its first byte, any other number in its middle."""
    if fault is None or fault.after_events is None:
        return body, Ending.CLEAN
    half = len(body) // 2 if fault.after_events else 0
    if fault.kind is FaultKind.GARBAGE:
        return body[:half] + GARBAGE + body[half:], Ending.CLEAN
    return body[:half], _ENDINGS.get(fault.kind, Ending.CLEAN)
