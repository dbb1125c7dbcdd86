"""Each fault strikes after the Nth generated event and leaves all before it untouched."""

from __future__ import annotations

import pytest

from sidecar.lab.damage import GARBAGE, Ending, damage_body, damage_stream
from sidecar.lab.reply import Kind, Piece
from sidecar.lab.script import Fault, FaultKind

_PIECES = [
    Piece(Kind.OPENING, b"role "),
    Piece(Kind.GENERATED, b"think "),
    Piece(Kind.BETWEEN, b"now-the-answer "),
    Piece(Kind.GENERATED, b"one "),
    Piece(Kind.GENERATED, b"two "),
    Piece(Kind.CLOSING, b"usage "),
    Piece(Kind.CLOSING, b"done"),
]
_WHOLE = "role think now-the-answer one two usage done"


def _played(fault: Fault | None) -> tuple[str, Ending]:
    def failure(sent: int) -> bytes:
        return b"error-as-%d" % sent

    *pieces, ending = damage_stream(_PIECES, fault, failure)
    assert isinstance(ending, Ending)
    data = b"".join(piece.data for piece in pieces if isinstance(piece, Piece))
    return data.replace(GARBAGE, b"garbage ").decode(), ending


def test_without_a_fault_all_pieces_leave() -> None:
    assert _played(None) == (_WHOLE, Ending.CLEAN)


@pytest.mark.parametrize("kind", [FaultKind.DRIP, FaultKind.HANG, FaultKind.REFUSE])
def test_faults_of_the_connection_leave_the_pieces_alone(kind: FaultKind) -> None:
    assert _played(Fault(kind)) == (_WHOLE, Ending.CLEAN)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (FaultKind.CUT, Ending.CLEAN),
        (FaultKind.RESET, Ending.RESET),
        (FaultKind.STALL, Ending.STALL),
    ],
)
@pytest.mark.parametrize(
    ("after_events", "left"),
    [
        (0, "role "),
        (1, "role think "),
        (2, "role think now-the-answer one "),
        (3, "role think now-the-answer one two "),
        (99, "role think now-the-answer one two "),
    ],
)
def test_a_stream_stops_after_the_nth_generated_event_or_after_the_last(
    kind: FaultKind, ending: Ending, after_events: int, left: str
) -> None:
    assert _played(Fault(kind, after_events=after_events)) == (left, ending)


def test_an_error_event_ends_the_stream_and_knows_its_place() -> None:
    played = _played(Fault(FaultKind.ERROR, after_events=2))
    assert played == ("role think now-the-answer one error-as-4", Ending.CLEAN)


def test_after_garbage_all_goes_on() -> None:
    played = _played(Fault(FaultKind.GARBAGE, after_events=2))
    assert played == ("role think now-the-answer one garbage two usage done", Ending.CLEAN)


def test_garbage_is_neither_text_nor_json_but_one_event() -> None:
    with pytest.raises(UnicodeDecodeError):
        GARBAGE.decode()
    assert GARBAGE.startswith(b"data: ")
    assert GARBAGE.count(b"\n\n") == 1


@pytest.mark.parametrize(
    ("fault", "left", "ending"),
    [
        (None, b"0123456789", Ending.CLEAN),
        (Fault(FaultKind.CUT, after_events=3), b"01234", Ending.CLEAN),
        (Fault(FaultKind.RESET, after_events=3), b"01234", Ending.RESET),
        (Fault(FaultKind.STALL, after_events=3), b"01234", Ending.STALL),
        (Fault(FaultKind.CUT, after_events=0), b"", Ending.CLEAN),
        (Fault(FaultKind.GARBAGE, after_events=1), b"01234" + GARBAGE + b"56789", Ending.CLEAN),
        (Fault(FaultKind.DRIP), b"0123456789", Ending.CLEAN),
    ],
)
def test_a_buffered_body_breaks_in_its_middle(
    fault: Fault | None, left: bytes, ending: Ending
) -> None:
    assert damage_body(b"0123456789", fault) == (left, ending)
