"""The caller's side of a tunnel."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.outcome import Reason
from sidecar.pipeline import tunnel
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.tunnel import OPERATION, carry

from .fakes import (
    ListDesk,
    RecordingClient,
    ScriptedBody,
    ScriptedUpstream,
    ScriptedWire,
    inbound,
    plan,
)


def exchange_with(body: ScriptedBody) -> Exchange:
    request = inbound(method="GET", body=body)
    return Exchange(request, RecordingClient(), plan(ScriptedUpstream()), ListDesk())


async def test_nothing_goes_up_before_the_upstream_has_agreed() -> None:
    exchange, wire = exchange_with(ScriptedBody(b"frame", hangs=True)), ScriptedWire()
    switched = asyncio.Event()
    life = asyncio.create_task(carry(exchange, wire, switched), name="life")
    await asyncio.sleep(0.01)
    assert wire.sent == b""
    assert exchange.operation is None
    switched.set()
    await asyncio.sleep(0.01)
    assert wire.sent == b"frame"
    assert (exchange.operation, exchange.request_bytes) == (OPERATION, 5)
    life.cancel()


async def test_an_upstream_is_told_of_the_end_and_dropped_if_it_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tunnel, "_PARTING_S", 0.02)
    exchange, wire = exchange_with(ScriptedBody(b"a", b"b")), ScriptedWire()
    ending = wire.receive(object(), is_head=False)  # type: ignore[arg-type]  # nothing comes
    switched = asyncio.Event()
    switched.set()
    await carry(exchange, wire, switched)
    assert (wire.sent, wire.ends_sent) == (b"ab", 1)
    assert ending.result() is Reason.CLIENT_LEFT
