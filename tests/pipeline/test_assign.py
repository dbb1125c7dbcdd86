"""The targets of an exchange."""

from __future__ import annotations

from sidecar.pipeline.assign import assign
from sidecar.pipeline.exchange import Exchange

from .fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan


def test_a_route_names_one_target_and_a_refused_exchange_has_none() -> None:
    of = plan(ScriptedUpstream())
    exchange = Exchange(inbound(), RecordingClient(), of, ListDesk())
    assert assign(exchange) == ()
    exchange.target = of.targets["up"]
    assert assign(exchange) == (of.targets["up"],)
