"""Which idle connections are kept.

Knows: the limits on an upstream's idle connections, and the verdict on one that comes back.
Must not know: sockets or a clock.
Why last in, first out: the connection used last is the least likely to have been closed by the
provider meanwhile, and the coldest ones can then age away; first in, first out keeps all of them
warm for ever and hands out the one most likely to be dead.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """`pool:` of an upstream. None = off (no limit)."""

    max_idle: int | None = 100
    """Idle connections kept; the coldest goes first."""
    keepalive_s: float | None = field(default=30.0, metadata={"yaml": "keepalive"})
    """How long an idle connection may wait for its next request."""
    max_age_s: float | None = field(default=600.0, metadata={"yaml": "max_age"})
    """A connection older than this is not used again, so that DNS changes are followed."""
    dns_ttl_s: float | None = field(default=60.0, metadata={"yaml": "dns_ttl"})
    """How long a looked-up address is remembered. None = look up for each connection."""

    def is_too_old(self, opened_at: float, now: float) -> bool:
        """True once the connection must not be used again."""
        return self.max_age_s is not None and now - opened_at >= self.max_age_s
