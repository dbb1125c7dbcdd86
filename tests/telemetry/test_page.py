"""The books at one moment."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.core.facts import Facts
from sidecar.core.records import Record, Tokens
from sidecar.metering.meter import Meter
from sidecar.telemetry import names
from sidecar.telemetry.ledger import Ledger, Seen
from sidecar.telemetry.page import Page, Pages, Reading

_NewRecord = Callable[..., Record]


def _page(ledger: Ledger, reader: str = "scrape") -> Page:
    return Pages(ledger, lambda: [("openai", "waiting")], list, "1.2.3", wall_ns=lambda: 7).page(
        reader
    )


def _reading(page: Page, name: str) -> Reading:
    [found] = [one for one in page.readings if one.family.name == names.PREFIX + name]
    return found


def test_a_page_does_not_change_while_the_books_do(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(new_record(), Seen(example=("a", "b"), at=1.0))
    page = _page(ledger)
    before = repr(page)
    ledger.settle(new_record(), Seen(example=("c", "d"), at=2.0))
    ledger.overhead_chunk.add(0.5)
    ledger.drop("log", "queue_full")
    assert repr(page) == before
    assert page.at_ns == 7


def test_tokens_stand_by_kind_and_source(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    usage = Tokens(100, 50, 30, 20, 10)
    for source in ("reported", "estimated"):
        ledger.settle(
            new_record(usage=usage, usage_source=source, operation="chat", response_model="m")
        )
    numbers = dict(_reading(_page(ledger), "tokens_total").numbers)
    assert numbers == {
        ("openai", "m", kind, source): count
        for source in ("reported", "estimated")
        for kind, count in zip(names.TOKEN_KINDS, (50, 30, 20, 40, 10), strict=True)
    }


def test_each_reader_has_its_own_greatest_lag() -> None:
    ledger = Ledger([])
    _page(ledger, "otlp")
    ledger.note_lag(0.5)
    assert _reading(_page(ledger), "event_loop_lag_seconds").numbers == [((), 0.5)]
    assert _reading(_page(ledger), "event_loop_lag_seconds").numbers == [((), 0.0)]
    assert _reading(_page(ledger, "otlp"), "event_loop_lag_seconds").numbers == [((), 0.5)]


def test_gaps_of_a_running_stream_are_counted_once(new_record: _NewRecord) -> None:
    class Nothing:
        def feed(self, data: bytes) -> list[int]:
            return [1]

        def end(self) -> list[int]:
            return []

    ledger = Ledger(["openai"])
    stream = Meter(Nothing(), Facts(model="m"), 0.0, 2.0)
    for now in (1.0, 1.1, 1.2):
        stream.feed(b"x", now)
    ledger.count_running("openai", (), stream)
    [(values, buckets)] = _reading(_page(ledger), "token_gap_seconds").buckets
    assert values == ("openai", "m")
    assert sum(buckets.counts) == 2
    stream.feed(b"x", 1.3)
    stream.catch_up()
    ledger.settle(
        new_record(operation="chat", response_model="m", output_events=4), Seen(stream=stream)
    )
    [(_, buckets)] = _reading(_page(ledger), "token_gap_seconds").buckets
    assert sum(buckets.counts) == 3
    assert abs(buckets.total - 0.3) < 1e-9
