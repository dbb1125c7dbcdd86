"""The timers of the attempts, without a clock."""

from __future__ import annotations

from sidecar.core.outcome import Reason
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.relay import Relay
from sidecar.pipeline.watch import Watch, WatchList
from sidecar.policies.timeouts import Rule

from .fakes import (
    ListDesk,
    RecordingClient,
    ScriptedUpstream,
    ScriptedWire,
    inbound,
    plan,
)

RULE = Rule(first_byte_s=10, idle_s=5, total_s=100)


async def _watched(rule: Rule = RULE) -> tuple[WatchList, ScriptedWire, object]:
    desk = ListDesk()
    wire = ScriptedWire()
    exchange = Exchange(inbound(), RecordingClient(), plan(ScriptedUpstream()), desk)
    ending = wire.receive(Relay(exchange, desk), is_head=False)
    watches = WatchList()
    watches.add(Watch(rule, 0.0, wire))
    return watches, wire, ending


async def test_a_limit_that_passed_fails_the_wire() -> None:
    watches, wire, ending = await _watched()
    wire.sent_at = 0.0
    watches.tick(9.9)
    assert not ending.done()  # type: ignore[attr-defined]  # a future
    watches.tick(10.0)
    assert ending.result() is Reason.FIRST_BYTE_TIMEOUT  # type: ignore[attr-defined]  # a future


async def test_bytes_put_it_off() -> None:
    watches, wire, ending = await _watched()
    wire.sent_at = wire.read_at = 0.0
    watches.tick(1.0)
    wire.read_at = 4.0
    watches.tick(5.5)
    watches.tick(8.9)
    assert not ending.done()  # type: ignore[attr-defined]  # a future
    watches.tick(9.0)
    assert ending.result() is Reason.IDLE_TIMEOUT  # type: ignore[attr-defined]  # a future


async def test_a_held_reader_is_not_silent_but_the_total_counts_on() -> None:
    watches, wire, ending = await _watched()
    wire.sent_at = wire.read_at = 0.0
    wire.is_paused = True
    for now in range(1, 100):
        watches.tick(float(now))
    assert not ending.done()  # type: ignore[attr-defined]  # a future
    watches.tick(100.0)
    assert ending.result() is Reason.DEADLINE_EXCEEDED  # type: ignore[attr-defined]  # a future


async def test_an_upload_is_looked_at_again_until_it_has_been_sent() -> None:
    watches, wire, ending = await _watched(Rule(first_byte_s=10, idle_s=5, total_s=None))
    watches.tick(50.0)
    wire.sent_at = 50.0
    watches.tick(50.1)
    watches.tick(59.9)
    assert not ending.done()  # type: ignore[attr-defined]  # a future
    watches.tick(60.0)
    assert ending.result() is Reason.FIRST_BYTE_TIMEOUT  # type: ignore[attr-defined]  # a future


async def test_what_is_discarded_is_not_looked_at() -> None:
    _, wire, ending = await _watched()
    watch = Watch(RULE, 0.0, wire)
    watches = WatchList()
    watches.add(watch)
    watches.discard(watch)
    wire.sent_at = 0.0
    watches.tick(1e9)
    assert not ending.done()  # type: ignore[attr-defined]  # a future
