"""What makes the connections of the caller's side, and ends them all.

Knows: aiohttp's `web.Server`, which keeps the list of them.
Must not know: what a connection does. Stands on names of aiohttp that are not public; `aio` lists
and checks them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sidecar.net.server import ServerConnection, ServerEvents


class Server(web.Server):
    """Makes our connections. aiohttp's own factory falls back to a connection without any option
    if a single one is unknown to it."""

    def __init__(self, events: ServerEvents) -> None:
        super().__init__(_never_called, handler_cancellation=True)
        self._events = events

    @property
    def callers(self) -> list[ServerConnection]:
        """All connections that are open."""
        return self.connections  # type: ignore[return-value]  # `__call__` makes no others

    async def end_all(self) -> None:
        """Cancel what is being served, close every connection, and wait until all is settled."""
        tasks = [conn._task_handler for conn in self.connections if conn._task_handler]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for conn in self.connections:
            conn.force_close()

    def __call__(self) -> RequestHandler:
        return ServerConnection(
            self,
            self._events,
            loop=self._loop,
            keepalive_timeout=0,  # `look` sees to it
            access_log=None,
        )


async def _never_called(request: object) -> Any:
    raise AssertionError("ServerConnection.start calls the listener instead")
