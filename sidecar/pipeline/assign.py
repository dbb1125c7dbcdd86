"""Targets in order of preference.

Knows: which upstreams an exchange may try, best first.
Must not know: what became of earlier attempts.
Today a route names one upstream; splits and fallbacks will lengthen this list, and nothing else.
"""

from __future__ import annotations

from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.graph import Target


def assign(exchange: Exchange) -> tuple[Target, ...]:
    """The targets to try, in order; empty only where accept has refused."""
    return () if exchange.target is None else (exchange.target,)
