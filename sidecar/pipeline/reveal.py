"""What our own headers tell a caller, where `listen.reveal` asks for them.

Knows: `x-sidecar-request-id` and `server-timing` (https://www.w3.org/TR/server-timing/).
Must not know: sockets. An upstream's own `server-timing` stays beside ours: the header may repeat.
"""

from __future__ import annotations

from sidecar.core.units import milliseconds
from sidecar.pipeline.exchange import Exchange


def revealed(exchange: Exchange, now: float) -> bytes:
    """Whole header lines, for an answer whose head is made now."""
    lines = b""
    if exchange.plan.reveals_id:
        lines += b"x-sidecar-request-id: %b\r\n" % exchange.request_id.encode("latin-1")
    if exchange.plan.reveals_timing:
        lines += b"server-timing: %b\r\n" % _timing(exchange, now).encode()
    return lines


def _timing(exchange: Exchange, now: float) -> str:
    """Until the answer's head: ours (without waiting for anybody), the connection's, theirs."""
    rows = {"sidecar": exchange.overhead_s}
    answered_at, sent_at = exchange.answered_at, exchange.sent_at
    if answered_at is not None:
        rows["sidecar"] += max(now - answered_at, 0.0)
    began_at = exchange.attempted_at or exchange.received_at
    if exchange.connected_at is not None and began_at is not None:
        rows["connect"] = exchange.connected_at - began_at
    if sent_at is not None and answered_at is not None:
        rows["provider"] = answered_at - sent_at
    rows["total"] = now - exchange.t0
    return ", ".join(f"{name};dur={milliseconds(max(s, 0.0)):g}" for name, s in rows.items())
