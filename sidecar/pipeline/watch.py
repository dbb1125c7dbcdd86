"""The timers of the attempts.

Knows: how the pure machine of `policies/timeouts` is asked, and what is done when a limit passed.
Must not know: what happens to the answer then.
Why a list that is gone through ten times a second, and not a timer each: setting and cancelling one
costs a request more than all its other bookkeeping, to fire about never. Going through a thousand
watches costs some fifty microseconds. A limit is noticed up to 100 ms late, never early.
"""

from __future__ import annotations

from typing import Final

from sidecar.core.outcome import Reason
from sidecar.pipeline.ports import Wire
from sidecar.policies.timeouts import Progress, Rule, due

TICK_S: Final = 0.1


class Watch:
    """Fails the wire when a limit of the rule is passed. `t0`: the request head was parsed."""

    __slots__ = ("_rule", "_t0", "_wire", "due_at")

    def __init__(self, rule: Rule, t0: float, wire: Wire) -> None:
        self._rule = rule
        self._t0 = t0
        self._wire = wire
        self.due_at = 0.0
        """Monotonic seconds before which nothing can fall due."""

    def look(self, now: float) -> None:
        """Ask what falls due; fail the wire, or note when to ask again."""
        wire = self._wire
        # A reader that is held back by a slow caller is not a silent provider.
        read_at = now if wire.is_paused else wire.read_at
        if read_at is not None and wire.sent_at is not None:
            # In a tunnel, what the caller says is life, too.
            read_at = max(read_at, wire.sent_at)
        verdict = due(self._rule, Progress(self._t0, wire.sent_at, read_at, wire.blocked_at), now)
        if isinstance(verdict, Reason):
            self.due_at = float("inf")
            wire.fail(verdict)
        else:
            # While the upload goes on nothing may be due yet: look again soon.
            self.due_at = now if verdict is None else verdict


class WatchList:
    """All watches that are on. The composition root calls `tick` every TICK_S."""

    __slots__ = ("_watches",)

    def __init__(self) -> None:
        self._watches: set[Watch] = set()

    def add(self, watch: Watch) -> None:
        self._watches.add(watch)

    def discard(self, watch: Watch) -> None:
        self._watches.discard(watch)

    def tick(self, now: float) -> None:
        """Look at those that may have fallen due."""
        for watch in [watch for watch in self._watches if now >= watch.due_at]:
            watch.look(now)
