"""The speed gate: ratios to a plain aiohttp relay in the same run, medians of three rounds."""

from __future__ import annotations

import sys

import pytest

from tests.bench.measure import Result, run

BOUNDS = {"request": 0.45, "event": 0.60, "first": 0.6, "kib": 20.0, "ready": 0.6}
# Shared machines: the gate is to catch what became dearer, not what the neighbours do. Of an event
# most is the kernel's own work for one read and one write, the same for any relay, and wall time
# of a lone caller is mostly waking up: both ratios move most with the machine. The exact figures
# are those of `make bench`.
MARGIN = 1.3
WIDE_MARGIN = 1.6

pytestmark = [
    pytest.mark.speed,
    pytest.mark.timeout(420),
]


@pytest.fixture(scope="module")
def result() -> Result:
    assert sys.platform == "linux", "CPU is read from /proc"
    return run()


def test_a_buffered_request_costs_less_than_half_of_the_plain_relays(result: Result) -> None:
    assert result.ratio("request_us") <= BOUNDS["request"] * MARGIN


def test_a_streamed_event_costs_less_than_the_plain_relays(result: Result) -> None:
    assert result.ratio("event_us") <= BOUNDS["event"] * WIDE_MARGIN


def test_the_first_event_is_delayed_less_than_by_the_plain_relay(result: Result) -> None:
    assert result.added_first_ratio() <= BOUNDS["first"] * WIDE_MARGIN


def test_an_open_stream_is_small(result: Result) -> None:
    assert result.sidecar.stream_kib[0] <= BOUNDS["kib"] * MARGIN


def test_it_is_ready_at_once(result: Result) -> None:
    assert result.ready_s <= BOUNDS["ready"] * MARGIN
