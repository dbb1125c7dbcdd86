"""The end is counted once."""

from __future__ import annotations

from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.settle import settle

from .fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan


def test_an_exchange_that_found_no_route_is_begun_and_settled_in_one_step() -> None:
    desk = ListDesk()
    exchange = Exchange(inbound(), RecordingClient(), plan(ScriptedUpstream()), desk)
    settle(exchange, desk)
    assert (desk.started, len(desk.records), desk.in_flight) == (1, 1, set())


def test_one_that_was_begun_is_not_begun_again() -> None:
    desk = ListDesk()
    exchange = Exchange(inbound(), RecordingClient(), plan(ScriptedUpstream()), desk)
    desk.begin(exchange)
    settle(exchange, desk)
    assert desk.started == 1
