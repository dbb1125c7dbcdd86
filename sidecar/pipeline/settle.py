"""The end: every exchange is counted once, and one Record goes out.

Knows: that this runs in `finally`, for success, failure and a caller who left.
Must not know: when the Record is made, or who reads it. Telemetry that fails is counted there and
changes nothing here.
"""

from __future__ import annotations

from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Desk


def settle(exchange: Exchange, desk: Desk) -> None:
    """Exactly once per exchange; one that found no route is begun here, under `none`."""
    if not exchange.is_begun:
        desk.begin(exchange)
    exchange.ended_at = desk.now()
    desk.settle(exchange)
