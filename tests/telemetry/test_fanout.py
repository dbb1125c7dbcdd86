"""One broken observer harms nobody."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.core.records import Record
from sidecar.telemetry.fanout import Fanout

_NewRecord = Callable[..., Record]


def test_every_sink_gets_the_record_in_order(new_record: _NewRecord) -> None:
    seen: list[tuple[str, Record]] = []
    record = new_record()
    fanout = Fanout(
        [
            ("exchanges", lambda given, _: seen.append(("exchanges", given))),
            ("log", lambda given, _: seen.append(("log", given))),
        ],
        lambda signal, reason: None,
    )
    fanout.emit([record])
    assert seen == [("exchanges", record), ("log", record)]


def test_a_sink_that_raises_is_counted_and_the_next_one_is_served(new_record: _NewRecord) -> None:
    seen: list[Record] = []
    lost: list[tuple[str, str]] = []

    def broken(record: Record, body: bytes) -> None:
        raise RuntimeError("no more room")

    fanout = Fanout(
        [("exchanges", broken), ("log", lambda given, _: seen.append(given))],
        lambda signal, reason: lost.append((signal, reason)),
    )
    fanout.emit([new_record()])
    assert len(seen) == 1
    assert lost == [("exchanges", "sink_failed")]
