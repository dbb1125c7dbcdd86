"""How long an upstream may take, phase by phase.

Knows: the timers of one attempt and which of them is due next.
Must not know: a clock or a loop; `now` is monotonic seconds, given by the caller.
Why one lazily re-armed deadline: a timer that is moved with every chunk would be the dearest line
of the hot path. Instead one timer is set, and when it fires this machine says either which limit
was passed, or when to look again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from sidecar.core.outcome import Reason

# Ours must come first: the caller then gets an answer that says what happened, and not its own
# SDK's bare time-out.
_BEFORE_THE_CALLER: Final = 0.95
_MAX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Rule:
    """`timeouts:` of an upstream. None = off."""

    connect_s: float | None = field(default=5.0, metadata={"yaml": "connect"})
    """Name look-up, TCP and TLS together, all addresses included."""
    first_byte_s: float | None = field(default=600.0, metadata={"yaml": "first_byte"})
    """Last request byte sent -> first byte of the response."""
    idle_s: float | None = field(default=600.0, metadata={"yaml": "idle"})
    """Between two reads of the response (comments and pings count as life), or two of its own of
    an upload."""
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
    blocked_at: float | None = None
    """Since when the provider has not taken more of an upload; None while it does."""


def due(rule: Rule, progress: Progress, now: float) -> Reason | float | None:
    """The Reason if a limit is passed, else when to look again, or None if nothing can fall due.

    An upload in progress has no first-byte limit: the provider owes nothing yet, but to take it.
    """
    limits: list[tuple[float, Reason]] = []
    if rule.total_s is not None:
        limits.append((progress.began_at + rule.total_s, Reason.DEADLINE_EXCEEDED))
    if progress.read_at is not None:
        if rule.idle_s is not None:
            limits.append((progress.read_at + rule.idle_s, Reason.IDLE_TIMEOUT))
    elif progress.sent_at is not None:
        if rule.first_byte_s is not None:
            limits.append((progress.sent_at + rule.first_byte_s, Reason.FIRST_BYTE_TIMEOUT))
    elif progress.blocked_at is not None and rule.idle_s is not None:
        limits.append((progress.blocked_at + rule.idle_s, Reason.IDLE_TIMEOUT))
    if not limits:
        return None
    at, reason = min(limits)
    return reason if now >= at else at


@dataclass(frozen=True, slots=True)
class Lowered:
    """A rule after the caller's own limits. `is_callers_total`: the deadline is the caller's."""

    rule: Rule
    is_callers_total: bool


@lru_cache(maxsize=256)
def lowered(rule: Rule, read_timeout: bytes | None, timeout_ms: bytes | None) -> Lowered:
    """The rule, where the caller waits no longer than that. It is never raised.

    `read_timeout`: `x-stainless-read-timeout`, seconds between two reads, as SDKs send it with
    every request (so that this is answered from a cache). `timeout_ms`: `x-sidecar-timeout-ms`,
    for the whole exchange. What is no positive number is not there.
    """
    waits_s = _positive(read_timeout)
    if waits_s is not None:
        waits_s *= _BEFORE_THE_CALLER
        rule = replace(
            rule,
            first_byte_s=_least(rule.first_byte_s, waits_s),
            idle_s=_least(rule.idle_s, waits_s),
        )
    total_ms = _positive(timeout_ms)
    if total_ms is None or (rule.total_s is not None and rule.total_s <= total_ms / 1000):
        return Lowered(rule, False)
    return Lowered(replace(rule, total_s=total_ms / 1000), True)


def _least(own_s: float | None, callers_s: float) -> float:
    return callers_s if own_s is None else min(own_s, callers_s)


def _positive(text: bytes | None) -> float | None:
    """Digits with at most one point; nothing else that Python takes for a number."""
    if text is None or len(text) > _MAX_DIGITS or not text.replace(b".", b"", 1).isdigit():
        return None
    number = float(text)
    return number if number > 0 else None
