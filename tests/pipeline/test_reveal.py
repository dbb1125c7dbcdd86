"""What our own headers tell a caller."""

from __future__ import annotations

import dataclasses

from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.reveal import revealed

from .fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan


def _exchange(**reveals: bool) -> Exchange:
    chosen = dataclasses.replace(plan(ScriptedUpstream()), **reveals)
    return Exchange(inbound(), RecordingClient(), chosen, ListDesk())


def test_nothing_unless_asked_for() -> None:
    assert revealed(_exchange(), 1.0) == b""


def test_the_id_by_which_it_is_found() -> None:
    assert revealed(_exchange(reveals_id=True), 1.0) == b"x-sidecar-request-id: ours-1\r\n"


def test_where_the_time_went_until_the_head() -> None:
    exchange = _exchange(reveals_timing=True)
    exchange.t0 = 10.0
    exchange.received_at, exchange.connected_at = 10.0, 10.020
    exchange.sent_at, exchange.answered_at = 10.021, 10.321
    exchange.overhead_s = 0.001
    assert revealed(exchange, 10.3215) == (
        b"server-timing: sidecar;dur=1.5, connect;dur=20, provider;dur=300, total;dur=321.5\r\n"
    )


def test_what_did_not_happen_has_no_row() -> None:
    exchange = _exchange(reveals_timing=True)
    exchange.t0 = 10.0
    assert revealed(exchange, 10.002) == b"server-timing: sidecar;dur=0, total;dur=2\r\n"
