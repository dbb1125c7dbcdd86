"""Whose trace an exchange is part of, and whether spans of it are made.

Knows: the caller's header, the sampling rule, and where ids come from.
Must not know: what a span says. An exchange that is not sampled costs this and nothing more; one
that is, two ids.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sidecar.core.headers import TRACE_HEADERS
from sidecar.core.trace import OwnTrace, Trace, parse_traceparent, write_traceparent
from sidecar.pipeline.exchange import Exchange
from sidecar.policies import sampling

_NOTHING_GOES_UP: Final = OwnTrace(TRACE_HEADERS, None)
_PARENT: Final = frozenset({b"traceparent"})
_PARENT_AND_STATE: Final = frozenset({b"traceparent", b"tracestate"})
_NO_TRACE: Final = Trace(None, None, None, is_recorded=False)
"""Of a trace that nobody keeps the id would lead nowhere."""


class Tracing:
    """`rule` None: no spans are made; the caller's ids are told all the same. `bits(n)`: n random
    bits."""

    def __init__(self, rule: sampling.Rule | None, bits: Callable[[int], int]) -> None:
        self._rule = rule
        self._bits = bits

    def trace_of(self, exchange: Exchange) -> Trace:
        """Decided once for each exchange."""
        trace = exchange.trace
        if trace is None:
            trace = exchange.trace = self._decide(exchange.head.traceparent)
        return trace

    def _decide(self, traceparent: bytes | None) -> Trace:
        rule = self._rule
        if traceparent is None and rule is None:
            return _NO_TRACE
        parent = parse_traceparent(traceparent)
        if rule is None:
            return Trace(parent and parent.trace_id, None, parent, is_recorded=False)
        if parent is None:
            number = self._bits(128)
            # Most are not kept: of those nothing is made.
            if not sampling.is_kept(rule, number):
                return _NO_TRACE
            trace_id = f"{number or 1:032x}"
            return Trace(trace_id, self.new_span_id(), None, is_recorded=True)
        trace_id = parent.trace_id
        if sampling.is_sampled(rule, parent, trace_id):
            return Trace(trace_id, self.new_span_id(), parent, is_recorded=True)
        return Trace(trace_id, None, parent, is_recorded=False)

    def new_span_id(self) -> str:
        """16 hexadecimal digits, not all of them 0."""
        return f"{self._bits(64) or 1:016x}"

    def own_trace(self, exchange: Exchange, propagate: str) -> OwnTrace | None:
        """What the next attempt sends in place of the caller's trace headers. None: they go on
        byte for byte, as they do wherever there is no span of ours to put in their place."""
        if propagate == sampling.NONE:
            return _NOTHING_GOES_UP
        trace = self.trace_of(exchange)
        if not trace.is_recorded or trace.trace_id is None:
            return None
        span_id = trace.attempt_ids[len(exchange.attempts)] = self.new_span_id()
        # A state without its parent belongs to nobody (W3C Trace Context §3.3).
        instead_of = _PARENT_AND_STATE if trace.parent is None else _PARENT
        return OwnTrace(instead_of, write_traceparent(trace.trace_id, span_id, is_sampled=True))


NOT_TRACING: Final = Tracing(None, lambda bits: 0)
"""No span is made; the caller's ids are told all the same."""
