"""Callers who leave while nobody reads from them.

Knows: how the kernel tells of a peer that has closed or reset a connection whose reading is held.
Must not know: requests, or what is done about it.
Why: a held transport watches neither for data nor for the end, on asyncio and on uvloop alike, so
that an upload which the provider takes slowly would go on for a caller who has long gone. An epoll
of our own that asks for nothing but the peer's end sees it within a millisecond.
Only Linux has it. Elsewhere (macOS, Windows) such a caller is noticed when reading goes on, or by
`listen.timeouts`.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Any

_IS_THERE = hasattr(select, "EPOLLRDHUP")


class Departures:
    """Calls back, once, for a watched descriptor whose peer has ended. One for each loop."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._epoll: Any = select.epoll() if _IS_THERE else None
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, descriptor: int, departed: Callable[[], None]) -> None:
        """From now on; to be ended with the same callback."""
        if self._epoll is None:
            return
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._tell)
        # The number of one that was closed may be another's already: the kernel has forgotten the
        # old one, and so must we.
        is_known = descriptor in self._callbacks
        self._callbacks[descriptor] = departed
        try:
            if is_known:
                self._epoll.modify(descriptor, select.EPOLLRDHUP)
            else:
                self._epoll.register(descriptor, select.EPOLLRDHUP)
        except FileNotFoundError:
            self._epoll.register(descriptor, select.EPOLLRDHUP)
        except FileExistsError:
            self._epoll.modify(descriptor, select.EPOLLRDHUP)

    def unwatch(self, descriptor: int, departed: Callable[[], None]) -> None:
        """No longer. Nothing, if the number has become another's."""
        if self._callbacks.get(descriptor) != departed:
            return
        del self._callbacks[descriptor]
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            return  # closed meanwhile, and so forgotten by the kernel

    def _tell(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            departed = self._callbacks.get(descriptor)
            if departed is None:
                self._epoll.unregister(descriptor)
                continue
            self.unwatch(descriptor, departed)
            departed()

    def close(self) -> None:
        """Watch nothing more."""
        if self._epoll is None:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._epoll = None
        self._callbacks.clear()
