"""The speed gate: ratios to a plain aiohttp relay in the same run, medians of three rounds.

The bounds are what the project promises; the gate lets pass what is up to a quarter dearer, so that
it catches what became dearer and not what the neighbours on a shared machine do. `make bench` holds
the exact figures against the bounds themselves.
"""

from __future__ import annotations

import sys

import pytest

from tests.bench.measure import Result, run

REQUEST_RATIO = 0.50
EVENT_RATIO = 0.68
ADDED_FIRST_RATIO = 0.6
# With spans of one exchange in ten, sent to a collector; `make bench` tells, nothing is gated.
TRACED_REQUEST_RATIO = 0.58
TRACED_EVENT_RATIO = 0.72
STREAM_KIB = 20.0
READY_S = 0.6
MARGIN = 1.25
# An event's cost is mostly the kernel's (one read, one write, waking the other side), and that part
# moves most with the machine: 0.62 to 0.80 were seen within one day.
EVENT_MARGIN = 1.4

pytestmark = [
    pytest.mark.speed,
    pytest.mark.timeout(420),
]


@pytest.fixture(scope="module")
def result() -> Result:
    assert sys.platform == "linux", "CPU is read from /proc"
    return run()


def test_a_buffered_request_costs_less_than_half_of_the_plain_relays(result: Result) -> None:
    assert result.ratio("request_us") <= REQUEST_RATIO * MARGIN


def test_a_streamed_event_costs_less_than_the_plain_relays(result: Result) -> None:
    assert result.ratio("event_us") <= EVENT_RATIO * EVENT_MARGIN


def test_the_first_event_is_delayed_less_than_by_the_plain_relay(result: Result) -> None:
    assert result.best_ratio("added_first_us") <= ADDED_FIRST_RATIO * MARGIN


def test_an_open_stream_is_small(result: Result) -> None:
    assert result.stream_kib <= STREAM_KIB * MARGIN


def test_it_is_ready_at_once(result: Result) -> None:
    assert result.ready_s <= READY_S * MARGIN
