"""The waterfall of one exchange: which part of its time went where.

Knows: the ten phases, in order, and the mark that ends each.
Must not know: a clock. Marks are monotonic seconds, None where the thing did not happen; they may
come in any order (a provider can answer before the upload is whole), and the phases add up to the
duration all the same.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sidecar.core.records import Phases

PHASES: Final = (
    "receive",
    "queue",
    "retry",
    "connect",
    "send",
    "provider_wait",
    "prelude",
    "thinking",
    "answer",
    "tail",
)


_CONNECT: Final = PHASES.index("connect")
_HEADERS: Final = PHASES.index("provider_wait")
_LAST_TOKEN: Final = PHASES.index("answer")
_TAIL: Final = PHASES.index("tail")


class Marks(msgspec.Struct, gc=False):
    """Each is the end of the phase that is named beside it; `began_at` and `ended_at` are the
    whole. What did not happen is None."""

    began_at: float
    """The request head was parsed."""
    received_at: float | None = None
    """receive: the body was whole, or the first of its bytes went up."""
    queued_until: float | None = None
    """queue: a seat was had."""
    attempted_at: float | None = None
    """retry: the last attempt began."""
    connected_at: float | None = None
    """connect: a connection was had, from the pool or new."""
    sent_at: float | None = None
    """send: the last byte of the request was handed over."""
    headers_at: float | None = None
    """provider_wait: the final response head was parsed."""
    first_token_at: float | None = None
    """prelude: the first generated piece."""
    first_answer_at: float | None = None
    """thinking: the first piece that is not reasoning."""
    last_token_at: float | None = None
    """answer: the last generated piece."""
    is_stream: bool = False
    """Otherwise nothing tells prelude, thinking and answer apart: all is tail."""


def phases_ms(marks: Marks, ended_at: float) -> Phases:
    """Milliseconds in each, with three places.

    Nearly all bodies that are no streams have the same four marks in the same order: they are told
    in one line, which costs a third.
    """
    began, received, connected = marks.began_at, marks.received_at, marks.connected_at
    sent, headers = marks.sent_at, marks.headers_at
    if (
        not marks.is_stream
        and marks.attempted_at is None
        and marks.queued_until is None
        and received is not None
        and connected is not None
        and sent is not None
        and headers is not None
        and began <= received <= connected <= sent <= headers <= ended_at
    ):
        return Phases(
            int((received - began) * 1e6 + 0.5) / 1e3,
            0.0,
            0.0,
            int((connected - received) * 1e6 + 0.5) / 1e3,
            int((sent - connected) * 1e6 + 0.5) / 1e3,
            int((headers - sent) * 1e6 + 0.5) / 1e3,
            0.0,
            0.0,
            0.0,
            int((ended_at - headers) * 1e6 + 0.5) / 1e3,
        )
    return Phases(
        *[int(spent * 1e6 + 0.5) / 1e3 if spent else 0.0 for spent in phases_s(marks, ended_at)]
    )


def phases_s(marks: Marks, ended_at: float) -> list[float]:
    """Seconds in each of PHASES; the sum is `ended_at - began_at`.

    A phase whose end is not known lasts until the next mark that is; where there is none, it was
    the one in which the exchange ended.
    """
    spent = [0.0] * len(PHASES)
    cursor = marks.began_at
    reached = -1
    for at, mark in enumerate(
        (
            marks.received_at,
            marks.queued_until,
            marks.attempted_at,
            marks.connected_at,
            marks.sent_at,
            marks.headers_at,
            marks.first_token_at,
            marks.first_answer_at,
            marks.last_token_at,
        )
    ):
        if mark is not None:
            reached = at
            if cursor < mark:
                until = mark if mark < ended_at else ended_at
                if cursor < until:
                    spent[at] = until - cursor
                    cursor = until
    if cursor < ended_at:
        spent[_running(marks, reached)] += ended_at - cursor
    return spent


def _running(marks: Marks, reached: int) -> int:
    """The phase in which the exchange ended."""
    if reached == _LAST_TOKEN or (reached >= _HEADERS and not marks.is_stream):
        return _TAIL
    # Queue and retry are entered only where there is something to wait for.
    if reached < 0:
        return 0
    return _CONNECT if reached < _CONNECT else reached + 1
