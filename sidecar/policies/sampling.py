"""Which exchanges become spans.

Knows: a ratio, and whether the caller's own decision comes first.
Must not know: spans, exporters, chance. The decision hangs on the trace's id alone, so that all
who use the same ratio decide alike (OpenTelemetry's TraceIdRatioBased: the lower 64 bits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sidecar.core.trace import Parent

_IDS: Final = 1 << 64
_LOWER: Final = _IDS - 1
FORWARD: Final = "forward"
"""The caller's trace headers go up byte for byte."""
PARTICIPATE: Final = "participate"
"""Each attempt sends a `traceparent` of its own."""
NONE: Final = "none"
"""No trace header goes up."""
PROPAGATE: Final = (FORWARD, PARTICIPATE, NONE)


@dataclass(frozen=True, slots=True)
class Rule:
    """`ratio`: of the traces that begin here. `is_parent_based`: whoever brings a decision has
    decided."""

    ratio: float = 1.0
    is_parent_based: bool = True


def is_sampled(rule: Rule, parent: Parent | None, trace_id: str) -> bool:
    """Whether spans are made. `trace_id`: 32 hexadecimal digits."""
    if parent is not None and rule.is_parent_based:
        return parent.is_sampled
    return is_kept(rule, int(trace_id[16:], 16))


def is_kept(rule: Rule, trace_id: int) -> bool:
    """Of a trace that begins here."""
    return trace_id & _LOWER < round(rule.ratio * _IDS)
