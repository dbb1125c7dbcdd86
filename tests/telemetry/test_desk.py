"""The pipeline's door to telemetry: ids, times, and books that always balance."""

from __future__ import annotations

from typing import Any

from sidecar.core.records import Record
from sidecar.telemetry.desk import TelemetryDesk
from sidecar.telemetry.fanout import Fanout
from sidecar.telemetry.ledger import Ledger


class _Exchange:
    """What the desk looks at of one."""

    def __init__(self, upstream: str, state: str, is_begun: bool) -> None:
        self.upstream, self.state, self.is_begun = upstream, state, is_begun
        self.passed_over: dict[str, int] = {}


def _desk(
    emitted: list[Record], now: float = 100.0, wall: float = 1_700_000_000.25
) -> TelemetryDesk:
    ledger = Ledger(["openai"])
    fanout = Fanout([("list", emitted.append)], ledger.drop)
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


def test_begin_and_settle_keep_the_books_balanced(new_record: Any) -> None:
    emitted: list[Record] = []
    desk = _desk(emitted)
    exchange: Any = _Exchange(upstream="openai", state="waiting", is_begun=False)
    desk.begin(exchange)
    assert exchange.is_begun
    assert list(desk.states()) == [("openai", "waiting")]
    account = desk._ledger.account("openai")
    assert account.started == 1
    assert sum(account.outcomes.values()) == 0
    record = new_record()
    desk.settle(exchange, record)
    assert emitted == [record]
    assert list(desk.states()) == []
    assert sum(account.outcomes.values()) == account.started


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


def test_what_the_meter_passed_over_is_counted(new_record: Any) -> None:
    desk = _desk([])
    exchange: Any = _Exchange(upstream="openai", state="streaming", is_begun=False)
    exchange.passed_over = {"unreadable": 2}
    desk.begin(exchange)
    desk.settle(exchange, new_record())
    assert desk._ledger.skipped["unreadable"] == 2
    assert desk._ledger.skipped["too_dense"] == 0
