"""How late the event loop is.

Knows: a timer that should fire every 250 ms, and by how much it missed.
Must not know: who asks. The ledger keeps the greatest lateness for the next scrape; `/livez` asks
how late the loop is at this moment.
Why the monotonic clock and not `loop.time()`: uvloop's is whole milliseconds, taken once a turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.25


class LagWatcher:
    """Watches from `start` to `stop`. `note` gets the lateness of each tick in seconds."""

    def __init__(
        self, note: Callable[[float], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._note = note
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: float | None = None
        self._last_s = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch this loop."""
        self._loop = loop
        self._arm()

    def stop(self) -> None:
        """No timer is left behind."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due_at = None

    def lag_s(self) -> float:
        """The lateness of the last tick, or of the next one if it is overdue by more.

        After a stall the loop may answer a probe before it runs the overdue timer, or after; both
        must see the stall.
        """
        overdue_s = 0.0 if self._due_at is None else self._now() - self._due_at
        return max(self._last_s, overdue_s)

    def _arm(self) -> None:
        self._due_at = self._now() + EVERY_S
        self._timer = self._loop.call_later(EVERY_S, self._tick)

    def _tick(self) -> None:
        if self._due_at is not None:
            self._last_s = max(self._now() - self._due_at, 0.0)
            self._note(self._last_s)
        self._arm()
