"""Generated events, and the times between them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from sidecar.core.facts import CONTENT, REASONING, TOOL_CALL, Facts
from sidecar.metering.meter import GAP_BOUNDS_S, Meter


class Scripted:
    """A reader whose pieces name the kinds: `b"CR"` is content and reasoning in one event."""

    KINDS: ClassVar[dict[str, int]] = {"C": CONTENT, "R": REASONING, "T": TOOL_CALL, "-": 0}

    def __init__(self) -> None:
        self.facts = Facts()
        self.rest: list[int] = []

    def feed(self, data: bytes) -> list[int]:
        events = data.decode().split()
        self.facts.events += len(events)
        kinds = [sum(self.KINDS[one] for one in event) for event in events]
        return [kind for kind in kinds if kind]

    def end(self) -> list[int]:
        return self.rest


def metered(*reads: tuple[float, str], stall_after_s: float = 2.0) -> Meter:
    reader = Scripted()
    meter = Meter(reader, reader.facts, 0.0, stall_after_s)
    for now, data in reads:
        meter.feed(data.encode(), now)
    return meter


def test_the_first_event_need_not_be_the_first_token() -> None:
    meter = metered((1.0, ""), (2.0, "-"), (3.0, "R"), (4.0, "C"), (5.0, "C"))
    assert (meter.first_event_at, meter.first_token_at) == (2.0, 3.0)
    assert (meter.first_answer_at, meter.last_token_at) == (4.0, 5.0)
    assert (meter.output_events, meter.has_reasoned) == (3, True)


def test_a_tool_call_is_an_answer() -> None:
    assert metered((1.0, "R"), (2.0, "T")).first_answer_at == 2.0


def test_an_event_that_brings_both_is_both() -> None:
    meter = metered((1.0, "RC"))
    assert (meter.first_answer_at, meter.has_reasoned, meter.output_events) == (1.0, True, 1)


def test_one_gap_for_each_event_after_the_first() -> None:
    meter = metered((1.0, "C"), (1.03, "C C"), (1.1, "-"), (2.03, "C"))
    assert sum(meter.gap_counts) == meter.output_events - 1 == 3
    assert meter.gap_counts[0] == 1, "two in one read"
    assert meter.gap_sum_s == pytest.approx(1.03)
    assert meter.longest_gap_s == pytest.approx(1.0)
    assert len(meter.gap_counts) == len(GAP_BOUNDS_S) + 1


def test_a_gap_on_a_bound_belongs_below_it() -> None:
    meter = metered((0.0, "C"), (0.5, "C"))
    assert meter.gap_counts[GAP_BOUNDS_S.index(0.5)] == 1


def test_without_two_events_there_is_no_gap() -> None:
    assert metered((1.0, "C")).longest_gap_s is None
    assert metered().first_token_at is None


def test_a_stall_is_a_gap_that_is_too_long() -> None:
    meter = metered((1.0, "C"), (3.0, "C"), (5.1, "C"), (9.0, "C"))
    assert meter.stalls == 2


def test_what_the_end_completes_counts() -> None:
    reader = Scripted()
    meter = Meter(reader, reader.facts, 0.0, 2.0)
    reader.rest = [CONTENT]
    meter.end(3.0)
    assert (meter.output_events, meter.first_token_at) == (1, 3.0)


def test_buffering_is_a_late_burst() -> None:
    burst = " ".join("C" * 8)
    assert metered((1.1, burst)).is_buffered
    assert not metered((0.9, burst)).is_buffered, "not late"
    assert not metered((1.1, "C C C")).is_buffered, "too few to tell"
    steady = [(1.1 + at * 0.02, "C") for at in range(20)]
    assert not metered(*steady).is_buffered
