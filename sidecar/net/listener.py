"""The data port: sockets, arrivals, and one task per request into the pipeline.

Knows: how a parsed (or unparsable) head becomes an Inbound, and which ports are bound.
Must not know: routing or policies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.core.heads import UNREADABLE, Framing, RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.net.aio import MAX_LINE_BYTES, Arrival, Server
from sidecar.net.caller import Caller, CallerBody
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client, Source

_BACKLOG: Final = 4096

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
                raise StartError(
                    f"cannot listen on {address} (listen.address): {error.strerror or error}"
                ) from None
            self._sockets.append(server)
            port = server.sockets[0].getsockname()[1]
        return Address(address.host, port)

    async def serve(self, arrival: Arrival) -> bool:
        """One request, or bytes that were none; True if the connection may serve another."""
        connection = arrival.connection
        if arrival.refused is not None:
            self._refuse(
                Inbound(UNREADABLE, _NoBody(), connection.read_at),
                Caller(connection, speaks_chunked=True, will_close=True),
                _refusal(arrival.refused),
            )
            return False
        message = arrival.message
        version = message.version
        head = RequestHead(message.method, message.path, version.minor, message.raw_headers)
        caller = Caller(
            connection,
            speaks_chunked=version.minor == 1,
            # After a chunked body the parser would take its trailers for the next request's
            # headers, after an upgrade it parses nothing more; HTTP/1.0 callers are served once.
            will_close=message.should_close
            or message.upgrade
            or head.framing is Framing.CHUNKED
            or not version.minor,
        )
        inbound = Inbound(head, _body(arrival, head), connection.read_at)
        if version.major != 1 or version.minor > 1:
            caller.will_close = True
            refusal = Refusal(Reason.BAD_VERSION, "only HTTP/1.0 and HTTP/1.1 are spoken here")
            self._refuse(inbound, caller, refusal)
            return False
        try:
            await self._handle(inbound, caller)
        except Exception as error:
            # Settled, and answered or cut, by the pipeline already.
            self._report(error)
            return False
        return not caller.will_close

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


def _body(arrival: Arrival, head: RequestHead) -> CallerBody:
    must_continue = head.expect is not None and head.minor_version == 1
    return CallerBody(arrival.payload, arrival.connection, must_continue)


def _refusal(error: BaseException) -> Refusal:
    """What the parser's refusal means; nothing of the bytes is told back."""
    if isinstance(error, BadHttpMethod):
        return Refusal(Reason.NOT_IMPLEMENTED, "this request method is not known")
    if isinstance(error, LineTooLong):
        if error.args[1] == MAX_LINE_BYTES:
            return Refusal(
                Reason.URI_TOO_LONG, f"the request line is longer than {MAX_LINE_BYTES} bytes"
            )
        return Refusal(Reason.HEADER_TOO_LARGE, "a header is too long")
    return Refusal(Reason.BAD_REQUEST, "these bytes are no valid HTTP/1.1 request")


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
