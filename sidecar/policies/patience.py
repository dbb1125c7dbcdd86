"""How long a caller may take, and when it was too long.

Knows: the four things a caller can be waited for, and the limit of each.
Must not know: a clock, a connection, or what is done about it; `since` and `now` are monotonic
seconds, given by whoever waits.
Why limits at all where direct there are none: a provider cuts slow callers off by itself, and a
sidecar that does not would keep two descriptors for each caller that has gone without a word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

NEVER: Final = float("inf")


class Waiting(Enum):
    """What a caller is waited for."""

    HEAD = "head"
    """The rest of a request head; on a new connection, its first byte."""
    BODY = "body"
    """More of a request body."""
    READING = "reading"
    """That it reads what was sent."""
    NEXT = "next"
    """Its next request."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`listen.timeouts:` None = off."""

    headers_s: float | None = field(default=30.0, metadata={"yaml": "headers"})
    """First byte of a request head (or the connection) -> the head complete; then 408."""
    body_s: float | None = field(default=120.0, metadata={"yaml": "body"})
    """Between two reads of a request body that is waited for; then 408, or the cut."""
    write_s: float | None = field(default=300.0, metadata={"yaml": "write"})
    """Nothing read by a caller that is written to; then the cut."""
    keepalive_s: float | None = field(default=300.0, metadata={"yaml": "keepalive"})
    """Last answer -> next request; then the connection is closed."""


def due_at(rule: Rule, waiting: Waiting, since: float) -> float:
    """When the wait that began (or last got something) at `since` has been too long."""
    limit_s = _limit_s(rule, waiting)
    return NEVER if limit_s is None else since + limit_s


def _limit_s(rule: Rule, waiting: Waiting) -> float | None:
    match waiting:
        case Waiting.HEAD:
            return rule.headers_s
        case Waiting.BODY:
            return rule.body_s
        case Waiting.READING:
            return rule.write_s
        case Waiting.NEXT:
            return rule.keepalive_s
