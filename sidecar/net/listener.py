"""The data port: sockets, arrivals, and one task per request into the pipeline.

Knows: how a parsed (or unparsable) head becomes an Inbound, and which ports are bound.
Must not know: routing or policies.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.core.heads import UNREADABLE, RequestHead
from sidecar.core.outcome import Refusal
from sidecar.net.caller import Caller
from sidecar.net.requests import RequestBody
from sidecar.net.server import Server, ServerConnection
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client, Source

_BACKLOG: Final = 4096
_NO_SUCH_FAMILY: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

Handle = Callable[[Inbound, Client], Awaitable[None]]
Refuse = Callable[[Inbound, Client, Refusal | None], None]
Report = Callable[[Exception], None]


class Listener:
    """Serves the data port. `handle` takes a request; `refuse` counts and answers what never
    became one (None: its caller left before its turn); `report` hears of bugs."""

    def __init__(self, handle: Handle, refuse: Refuse, report: Report) -> None:
        self._handle = handle
        self._refuse = refuse
        self._report = report
        self._server = Server(self)
        self._sockets: list[asyncio.Server] = []

    async def bind(self, address: Address) -> Address:
        """Listen; the answer names the real port. Raises StartError."""
        loop = asyncio.get_running_loop()
        port = address.port
        for host in address.hosts:
            try:
                server = await loop.create_server(self._server, host, port, backlog=_BACKLOG)
            except OSError as error:
                if self._sockets and error.errno in _NO_SUCH_FAMILY:
                    continue  # `localhost` on a machine with one family only
                raise StartError(_sentence(address, error)) from None
            self._sockets.append(server)
            port = server.sockets[0].getsockname()[1]
        return Address(address.host, port)

    async def serve(
        self, connection: ServerConnection, head: RequestHead, body: RequestBody
    ) -> bool:
        """One request; True if the connection may serve another."""
        caller = Caller(connection, head.minor_version == 1, head.must_close)
        try:
            await self._handle(Inbound(head, body, connection.read_at), caller)
        except Exception as error:
            # Settled, and answered or cut, by the pipeline already.
            self._report(error)
            return False
        return not caller.will_close

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Bytes that were no request."""
        inbound = Inbound(UNREADABLE, _NoBody(), connection.read_at)
        caller = Caller(connection, speaks_chunked=True, will_close=True)
        self._refuse(inbound, caller, refusal)

    def never_served(self, count: int) -> None:
        """So many heads were parsed, but their caller left before their turn."""
        for _ in range(count):
            self._refuse(Inbound(UNREADABLE, _NoBody(), monotonic()), _Nobody(), None)

    @property
    def connections(self) -> int:
        """Callers' connections that are open."""
        return len(self._server.connections)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for server in self._sockets:
            server.close()
        await self._server.end_all()


def _sentence(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"listen.address {address}: the port is in use by another process; stop that one,"
            " or set listen.address (or SIDECAR_LISTEN) to another port"
        )
    # The numbers of a failed look-up are not the system's.
    is_lookup = error.errno is None or isinstance(error, socket.gaierror)
    why = "no such host" if is_lookup else os.strerror(error.errno or 0).lower()
    return f"listen.address {address}: cannot listen there ({why}); set it to another address"


class _NoBody:
    """Nothing was sent, or nothing that could be read."""

    is_whole = True

    def take(self) -> bytes:
        return b""

    async def more(self) -> bytes:
        return b""


class _Nobody:
    """A caller that has left."""

    will_close = True
    speaks_chunked = True

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def follow(self, source: Source | None) -> None:
        """Nobody is slow."""

    is_flushed = True

    async def flushed(self) -> None:
        """Nothing waits."""

    def cut(self, must_reset: bool) -> None:
        """Gone already."""
