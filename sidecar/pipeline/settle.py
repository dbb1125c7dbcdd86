"""The end: every exchange is counted once, and one Record goes out.

Knows: that this runs in `finally`, for success, failure and a caller who left.
Must not know: who reads the Record. Telemetry that fails is counted there and changes nothing here.
"""

from __future__ import annotations

from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Desk
from sidecar.pipeline.summary import record_of


def settle(exchange: Exchange, desk: Desk) -> None:
    """Exactly once per exchange; one that found no route is begun here, under `none`."""
    if not exchange.is_begun:
        desk.begin(exchange)
    desk.settle(exchange, record_of(exchange, desk.now(), desk.started_at(exchange.t0)))
