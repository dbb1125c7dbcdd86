"""Who has left is told once, though nobody reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from sidecar.net.departures import Departures


async def soon(true: Callable[[], bool]) -> bool:
    for _ in range(100):
        if true():
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.mark.parametrize("leave", ["close", "half-close"])
async def test_the_end_of_a_watched_peer_is_told_once(leave: str) -> None:
    departures, told = Departures(), list[str]()
    ours, theirs = socket.socketpair()
    departed = lambda: told.append("left")  # noqa: E731  # one and the same object, twice
    departures.watch(ours.fileno(), departed)
    theirs.send(b"bytes are no departure")
    await asyncio.sleep(0.02)
    assert told == []
    if leave == "close":
        theirs.close()
    else:
        theirs.shutdown(socket.SHUT_WR)
    assert await soon(lambda: told == ["left"])
    await asyncio.sleep(0.02)
    assert told == ["left"]
    departures.close()
    ours.close()
    theirs.close()


async def test_one_that_is_no_longer_watched_is_not_told_of() -> None:
    departures, told = Departures(), list[str]()
    ours, theirs = socket.socketpair()
    departed = lambda: told.append("left")  # noqa: E731  # one and the same object, twice
    departures.watch(ours.fileno(), departed)
    departures.unwatch(ours.fileno(), departed)
    theirs.close()
    await asyncio.sleep(0.05)
    assert told == []
    departures.close()
    ours.close()


async def test_a_number_that_another_has_by_now_is_left_to_it() -> None:
    departures, told = Departures(), list[str]()
    first, second = (lambda: told.append("first")), (lambda: told.append("second"))
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    departures.watch(number, first)
    ours.close()
    theirs.close()
    ours, theirs = socket.socketpair()
    if ours.fileno() != number:
        ours, theirs = theirs, ours
    assert ours.fileno() == number
    departures.watch(number, second)
    departures.unwatch(number, first)
    theirs.close()
    assert await soon(lambda: told == ["second"])
    departures.close()
    ours.close()
