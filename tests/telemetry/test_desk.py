"""The pipeline's door to telemetry: ids, times, and books that always balance."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.facts import Facts
from sidecar.core.outcome import Reason
from sidecar.core.records import Record
from sidecar.pipeline import Exchange
from sidecar.telemetry import desk as desk_module
from sidecar.telemetry.desk import BATCH, BATCH_BYTES, TelemetryDesk
from sidecar.telemetry.fanout import Fanout
from sidecar.telemetry.ledger import Ledger
from tests.pipeline.fakes import RecordingClient, ScriptedUpstream, inbound, plan


def _exchange(desk: TelemetryDesk) -> Exchange:
    return Exchange(inbound(), RecordingClient(), plan(ScriptedUpstream()), desk)


def _desk(
    emitted: list[Record], now: float = 100.0, wall: float = 1_700_000_000.25
) -> TelemetryDesk:
    ledger = Ledger(["openai"])
    fanout = Fanout([("list", lambda record, _: emitted.append(record))], ledger.drop)
    return TelemetryDesk(ledger, fanout, lambda: now, lambda: wall, "sc-")


def test_ids_are_never_given_twice() -> None:
    desk = _desk([])
    ids = {desk.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(made.startswith("sc-") for made in ids)


def test_a_monotonic_moment_is_told_as_wall_time() -> None:
    desk = _desk([])
    assert desk.started_at(100.0) == "2023-11-14T22:13:20.250Z"
    assert desk.started_at(99.5) == "2023-11-14T22:13:19.750Z"
    assert desk.started_at(100.0) == "2023-11-14T22:13:20.250Z"


def test_whoever_asks_finds_the_books_balanced() -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    exchange = _exchange(desk)
    desk.begin(exchange)
    assert exchange.is_begun
    assert list(desk.states()) == [(None, "waiting")]
    account = desk._ledger.account(None)
    assert account.started == 1
    assert account.ended == 0
    desk.settle(exchange)
    assert list(desk.states()) == []
    assert [record.request_id for record in emitted] == [exchange.request_id]
    assert account.ended == account.started


def test_what_has_ended_is_counted_in_batches() -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    for _ in range(BATCH - 1):
        desk.settle(_exchange(desk))
    assert emitted == []
    desk.settle(_exchange(desk))
    assert len(emitted) == BATCH
    desk.close_books()
    assert len(emitted) == BATCH


@pytest.mark.parametrize(("request_bytes", "response_bytes"), [(BATCH_BYTES + 1, 0), (1, 99_999)])
def test_large_bodies_wait_for_no_batch(request_bytes: int, response_bytes: int) -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    exchange = _exchange(desk)
    exchange.body, exchange.response_bytes = bytes(request_bytes), response_bytes
    desk.settle(exchange)
    assert len(emitted) == 1


def test_t101_a_wall_clock_that_jumps_changes_what_is_shown_and_nothing_else() -> None:
    """Limits and durations count on the monotonic clock; only app.py reads both."""
    moments = iter([1_700_000_000.0, 1_700_003_600.0, 1_699_996_400.0])
    desk = TelemetryDesk(
        Ledger(["openai"]),
        Fanout([], lambda signal, reason: None),
        lambda: 100.0,
        lambda: next(moments),
        "sc-",
    )
    shown = [desk.started_at(100.0) for _ in range(3)]
    assert [text[11:16] for text in shown] == ["22:13", "23:13", "21:13"]
    assert desk.now() == 100.0


def test_what_the_meter_passed_over_is_counted() -> None:
    desk = _desk([])
    exchange = _exchange(desk)
    exchange.body_facts = Facts(skipped={"unreadable": 2})
    desk.settle(exchange)
    desk.close_books()
    assert desk._ledger.skipped["unreadable"] == 2
    assert desk._ledger.skipped["too_dense"] == 0


def test_an_exchange_that_cannot_be_measured_is_counted_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    broken, good = _exchange(desk), _exchange(desk)
    broken.fail(Reason.CLIENT_LEFT)
    make = desk_module.record_of

    def failing(exchange: Exchange, *rest: Any) -> Record:
        if exchange is broken:
            raise RuntimeError
        return make(exchange, *rest)

    monkeypatch.setattr(desk_module, "record_of", failing)
    for exchange in (broken, good):
        desk.begin(exchange)
        desk.settle(exchange)
    desk.close_books()
    assert [record.outcome for record in emitted] == ["client_cancelled", "ok"]
    assert desk._ledger.drops["exchanges", "not_measured"] == 1
    account = desk._ledger.account(None)
    assert (account.started, account.ended) == (2, 2)


def test_one_record_that_cannot_be_added_up_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    settle, seen = Ledger.settle, []

    def fails_once(self: Ledger, *given: Any) -> None:
        settle(self, *given)
        seen.append(1)
        if len(seen) == 1:
            raise ValueError

    monkeypatch.setattr(desk_module.Ledger, "settle", fails_once)
    for _ in range(3):
        exchange = _exchange(desk)
        desk.begin(exchange)
        desk.settle(exchange)
    desk.close_books()
    assert len(emitted) == 3
    assert desk._ledger.account(None).ended == 3
    assert desk._ledger.drops["exchanges", "not_measured"] == 1
