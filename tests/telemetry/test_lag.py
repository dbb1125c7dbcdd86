"""A loop that was held up says so."""

from __future__ import annotations

import asyncio
import time

from sidecar.telemetry.lag import EVERY_S, LagWatcher


def test_a_loop_that_stood_still_is_late_by_as_much() -> None:
    noted: list[float] = []

    async def stall() -> float:
        watcher = LagWatcher(noted.append)
        watcher.start(asyncio.get_running_loop())
        time.sleep(EVERY_S + 0.2)
        while not noted:
            await asyncio.sleep(0.01)
        lag_s = watcher.lag_s()
        watcher.stop()
        return lag_s

    assert asyncio.run(stall()) >= 0.2
    assert 0.2 <= noted[0] < 2


def test_an_overdue_tick_counts_before_it_has_run() -> None:
    """A probe that is answered first after a stall must see the stall."""

    async def probe() -> tuple[float, float]:
        at = 100.0
        watcher = LagWatcher(lambda late_s: None, lambda: at)
        watcher.start(asyncio.get_running_loop())
        before_s = watcher.lag_s()
        at = 100.0 + EVERY_S + 6.0
        after_s = watcher.lag_s()
        watcher.stop()
        return before_s, after_s

    assert asyncio.run(probe()) == (0.0, 6.0)


def test_a_loop_at_rest_is_hardly_late_and_is_left_without_a_timer() -> None:
    noted: list[float] = []

    async def rest() -> None:
        watcher = LagWatcher(noted.append)
        watcher.start(asyncio.get_running_loop())
        while len(noted) < 2:
            await asyncio.sleep(0.01)
        watcher.stop()
        count = len(noted)
        await asyncio.sleep(EVERY_S * 1.5)
        assert len(noted) == count

    asyncio.run(rest())
    assert all(0 <= late_s < 2 for late_s in noted)
