"""The timers of one attempt.

Knows: how the pure machine of `policies/timeouts` is asked, and what is done when a limit passed.
Must not know: what happens to the answer then. One timer at most is set at any moment, and it is
never moved while bytes flow: when it fires, the machine says when to look again.
"""

from __future__ import annotations

import asyncio

from sidecar.core.outcome import Reason
from sidecar.pipeline.ports import Desk, Wire
from sidecar.policies.timeouts import Progress, Rule, due


class Watch:
    """Fails the wire when a limit of the rule is passed. `t0`: the request head was parsed."""

    __slots__ = ("_desk", "_rule", "_t0", "_timer", "_wire")

    def __init__(self, rule: Rule, t0: float, wire: Wire, desk: Desk) -> None:
        self._rule = rule
        self._t0 = t0
        self._wire = wire
        self._desk = desk
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Ask what falls due and set the timer for it."""
        self.stop()
        wire = self._wire
        now = self._desk.now()
        # A reader that is held back by a slow caller is not a silent provider.
        read_at = now if wire.is_paused else wire.read_at
        verdict = due(self._rule, Progress(self._t0, wire.sent_at, read_at), now)
        if isinstance(verdict, Reason):
            wire.fail(verdict)
        elif verdict is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(verdict - now, self.look)

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
