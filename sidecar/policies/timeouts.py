"""How long an upstream may take, phase by phase.

Knows: the timers of one attempt and which of them is due next.
Must not know: a clock or a loop; `now` is monotonic seconds, given by the caller.
Why one lazily re-armed deadline: a timer that is moved with every chunk would be the dearest line
of the hot path. Instead one timer is set, and when it fires this machine says either which limit
was passed, or when to look again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sidecar.core.outcome import Reason


@dataclass(frozen=True, slots=True)
class Rule:
    """`timeouts:` of an upstream. None = off."""

    connect_s: float | None = field(default=5.0, metadata={"yaml": "connect"})
    """Name look-up, TCP and TLS together, all addresses included."""
    first_byte_s: float | None = field(default=600.0, metadata={"yaml": "first_byte"})
    """Last request byte sent -> first byte of the response."""
    idle_s: float | None = field(default=600.0, metadata={"yaml": "idle"})
    """Between two reads of the response; comments and pings count as life."""
    total_s: float | None = field(default=None, metadata={"yaml": "total"})
    """Request head parsed -> end of the response."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is; all times are monotonic seconds."""

    began_at: float
    """t0: the request head was parsed."""
    sent_at: float | None
    """The last request byte was written; None while the upload goes on."""
    read_at: float | None
    """The last read of the response; None before the first byte."""


def due(rule: Rule, progress: Progress, now: float) -> Reason | float | None:
    """The Reason if a limit is passed, else when to look again, or None if nothing can fall due.

    An upload in progress has no first-byte limit: the provider owes nothing yet.
    """
    limits: list[tuple[float, Reason]] = []
    if rule.total_s is not None:
        limits.append((progress.began_at + rule.total_s, Reason.DEADLINE_EXCEEDED))
    if progress.read_at is not None:
        if rule.idle_s is not None:
            limits.append((progress.read_at + rule.idle_s, Reason.IDLE_TIMEOUT))
    elif progress.sent_at is not None and rule.first_byte_s is not None:
        limits.append((progress.sent_at + rule.first_byte_s, Reason.FIRST_BYTE_TIMEOUT))
    if not limits:
        return None
    at, reason = min(limits)
    return reason if now >= at else at
