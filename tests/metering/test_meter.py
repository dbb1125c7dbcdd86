"""Generated events, and the times between them."""

from __future__ import annotations

from itertools import accumulate
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, REASONING, TOOL_CALL, Facts
from sidecar.metering.meter import BUNDLE_READ_BYTES, BUNDLE_READS, GAP_BOUNDS_S, Meter


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
    meter.catch_up()
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


def test_after_the_first_token_reads_are_read_in_bundles() -> None:
    reader = Scripted()
    meter = Meter(reader, reader.facts, 0.0, 2.0)
    meter.feed(b"C", 1.0)
    assert meter.output_events == 1
    for number in range(BUNDLE_READS - 1):
        meter.feed(b"C", 2.0 + number)
    assert meter.output_events == 1
    meter.feed(b"C", 10.0)
    assert (meter.output_events, meter.last_token_at) == (1 + BUNDLE_READS, 10.0)


def test_a_large_read_waits_for_no_bundle() -> None:
    reader = Scripted()
    meter = Meter(reader, reader.facts, 0.0, 2.0)
    meter.feed(b"C", 1.0)
    meter.feed(b"C " * BUNDLE_READ_BYTES, 2.0)
    assert meter.output_events == 1 + BUNDLE_READ_BYTES


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["", "-", "C", "R C", "RC T"]))))
def test_bundles_change_nothing_in_what_is_measured(reads: list[tuple[float, str]]) -> None:
    moments = accumulate(pause for pause, _ in reads)
    timed = [(now, data) for now, (_, data) in zip(moments, reads, strict=True)]
    bundled = metered(*timed)
    reader = Scripted()
    single = Meter(reader, reader.facts, 0.0, 2.0)
    for now, data in timed:
        single.feed(data.encode(), now)
        single.catch_up()
    for name in (
        *("first_event_at", "first_token_at", "first_answer_at", "last_token_at"),
        *("output_events", "has_reasoned", "gap_counts", "gap_sum_s", "longest_gap_s", "stalls"),
    ):
        assert getattr(bundled, name) == getattr(single, name)


class Breaking(Scripted):
    def feed(self, data: bytes) -> list[int]:
        if data == b"!":
            raise RuntimeError
        return super().feed(data)

    def end(self) -> list[int]:
        raise RuntimeError


def test_t86_a_reader_that_breaks_is_believed_in_nothing() -> None:
    reader = Breaking()
    meter = Meter(reader, reader.facts, 0.0, 2.0)
    for data in (b"C", b"C", b"!", b"C"):
        meter.feed(data, 1.0)
    meter.catch_up()
    assert (meter.first_token_at, meter.output_events) == (None, 0)
    assert (meter.facts.is_lost, meter.facts.skipped) == (True, {"reader_failed": 1})
    meter.feed(b"C", 2.0)
    meter.end(3.0)
    assert meter.output_events == 0
    assert meter.facts.skipped == {"reader_failed": 1}


def test_t86_a_reader_may_break_at_the_end() -> None:
    reader = Breaking()
    meter = Meter(reader, reader.facts, 0.0, 2.0)
    meter.feed(b"C", 1.0)
    meter.end(2.0)
    assert (meter.output_events, meter.facts.skipped) == (0, {"reader_failed": 1})
