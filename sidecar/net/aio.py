"""Every name of aiohttp that is not public, in one place.

Knows: which hooks of aiohttp's server and connector we stand on, and what each would do behind our
back if left alone.
Must not know: what the bytes mean. Each class here gives a clean surface to the rest of `net`.
Why private names at all: the public client and server cost twice as much per request and lose
bytes (a StreamReader raises before it hands out what it holds; response headers are re-written).
`self_check` builds one of each at start and fails with a clear sentence if a hook is gone; a test
does the same against whatever aiohttp is installed. Read against aiohttp 3.14.5, 2026-11.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import TCPConnector
from aiohttp.web_protocol import RequestHandler
from yarl import URL

from sidecar.core.errors import StartError
from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Refusal
from sidecar.net.requests import RequestBody, RequestReader
from sidecar.pipeline.ports import BodyError

_MAX_ARRIVALS: Final = 32
_KEEPALIVE_S: Final = 300.0
_LINGER_S: Final = 2.0


# --- the way in ----------------------------------------------------------------------------------


class ServerEvents(Protocol):
    """What a connection of the caller's side tells its listener."""

    async def serve(
        self, connection: ServerConnection, head: RequestHead, body: RequestBody
    ) -> bool:
        """Answer it; True if the connection may serve another. Raises only when cancelled."""

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Answer bytes that were no request; the connection is closed then."""

    def never_served(self, count: int) -> None:
        """So many request heads were parsed, but their caller left before their turn."""


class ServerConnection(RequestHandler):
    """One caller's connection. `on_full` and `on_drained` follow the write buffer (64 KiB)."""

    __slots__ = ("_arrivals", "_events", "_reader", "_refusal", "on_drained", "on_full", "read_at")

    def __init__(self, manager: web.Server, events: ServerEvents, **options: Any) -> None:
        super().__init__(manager, **options)
        self._events = events
        self._reader = RequestReader(self)
        self._arrivals: deque[tuple[RequestHead, RequestBody]] = deque()
        """Heads that were read and wait for their turn."""
        self._refusal: Refusal | None = None
        """Why nothing more is read; told when the arrivals before it are served."""
        self.read_at = 0.0
        """Monotonic seconds of the last read."""
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    # --- what the transport tells ---

    def data_received(self, data: bytes) -> None:
        self.read_at = monotonic()
        self._reader.feed(data)

    def eof_received(self) -> None:
        # A half-closed caller counts as gone. While writing is paused, asyncio would only notice
        # after the buffer has drained, which may be never.
        if self._request_in_progress and self._task_handler is not None:
            self._task_handler.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._reader.lost()
        if self._arrivals:
            self._events.never_served(len(self._arrivals))
            self._arrivals.clear()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.on_full is not None:
            self.on_full()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_drained is not None:
            self.on_drained()

    @property
    def is_flushed(self) -> bool:
        """Nothing waits to be written, or nobody is there to read it."""
        return self.transport is None or not self.transport.get_write_buffer_size()

    async def flushed(self) -> None:
        """Wait until the write buffer is empty, or the connection is lost."""
        transport = self.transport
        if transport is None or self.is_flushed:
            return
        _, high = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(high=0)
        try:
            await self._drain_helper()
        finally:
            if self.transport is not None:
                transport.set_write_buffer_limits(high=high)

    # --- what the reader tells ---

    def arrived(self, head: RequestHead, body: RequestBody) -> None:
        """A head is complete; its body follows."""
        self._arrivals.append((head, body))
        if len(self._arrivals) == _MAX_ARRIVALS:
            self.hold()
        self._wake()

    def refused(self, refusal: Refusal) -> None:
        """The bytes are no request."""
        self._refusal = refusal
        self._wake()

    def write(self, data: bytes) -> None:
        """To the caller, if it is still there."""
        if self.transport is not None:
            self.transport.write(data)

    def hold(self) -> None:
        """Stop reading."""
        self._pause_transport_reading()

    def release(self) -> None:
        """Read on."""
        self._resume_transport_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def start(self) -> None:
        """Serve one request after the other. Replaces aiohttp's loop, which makes a request object,
        a writer and a second task for each."""
        may_keep = True
        while may_keep and not self._force_close:
            if not self._arrivals:
                if self._refusal is not None:
                    self._events.refuse(self, self._refusal)
                    await self._part()
                    break
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
                continue
            if len(self._arrivals) == _MAX_ARRIVALS:
                self.release()
            head, body = self._arrivals.popleft()
            self._request_in_progress = True
            try:
                may_keep = await self._events.serve(self, head, body)
            finally:
                self._request_in_progress = False
            if not body.is_whole:
                may_keep = False
                await self._swallow(body)
            if may_keep:
                self._await_next()
        self._task_handler = None
        if self.transport is not None:
            self.transport.close()

    def _await_next(self) -> None:
        """Let the idle timer end the connection if no further request comes."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    async def _part(self) -> None:
        """End after an answer to bytes that were no request: more of them may be on their way."""
        await self.flushed()
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
            await asyncio.sleep(_LINGER_S)

    async def _swallow(self, body: RequestBody) -> None:
        """Read on for a moment: closing with unread bytes would send a reset, and the caller could
        lose the answer that was sent early."""
        try:
            async with asyncio.timeout(_LINGER_S):
                while not body.is_whole and self.transport is not None:
                    await body.more()
        except (TimeoutError, BodyError):
            return


class Server(web.Server):
    """Makes our connections. aiohttp's own factory falls back to a connection without any option
    if a single one is unknown to it."""

    def __init__(self, events: ServerEvents) -> None:
        super().__init__(_never_called, handler_cancellation=True)
        self._events = events

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
            keepalive_timeout=_KEEPALIVE_S,
            access_log=None,
        )


async def _never_called(request: object) -> Any:
    raise AssertionError("ServerConnection.start calls the listener instead")


# --- the way out ---------------------------------------------------------------------------------


class Receiver(Protocol):
    """Takes the bytes of one response as they are read."""

    def feed(self, data: bytes) -> None: ...

    def lost(self, exc: BaseException | None) -> None:
        """The connection ended: None for a FIN, else why."""


class ClientConnection(ResponseHandler):
    """One connection to an upstream. With a receiver every byte goes there; without one it is
    idle, and bytes or an end that come then make it useless."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.receiver: Receiver | None = None
        self.opened_at = monotonic()
        self.connect_s = 0.0
        self.is_tunnelling = True
        """Until the connector hands it out: replies of a proxy are aiohttp's own matter."""

    def data_received(self, data: bytes) -> None:
        if self.receiver is not None:
            self.receiver.feed(data)
        elif self.is_tunnelling:
            super().data_received(data)
        else:
            # Nobody asked: taken for the next response it would answer the wrong request.
            self.force_close()
            self.close()

    def eof_received(self) -> None:
        # Said at once: the transport itself only reports the end when all of a pending upload has
        # been flushed to a peer that no longer reads.
        super().eof_received()
        self._end(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._end(exc)

    def _end(self, exc: BaseException | None) -> None:
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            self.force_close()
            receiver.lost(exc)

    async def writable(self) -> None:
        """Wait until less than the high-water mark waits to be sent."""
        if self._paused and self.transport is not None:
            await self._drain_helper()

    def pause(self) -> None:
        """Stop reading: the caller is slow."""
        self._pause_transport_reading()

    def resume(self) -> None:
        """Read on."""
        self._resume_transport_reading()


class ConnectorEvents(Protocol):
    """What a connector asks and tells."""

    connect_timeout_s: float | None
    max_idle: int | None

    def is_too_old(self, opened_at: float, now: float) -> bool: ...


class Connector(TCPConnector):
    """aiohttp's pool with the last in first out, an idle cap, an age limit, and one time limit
    over name look-up, all addresses, proxy and TLS together."""

    _cleanup_handle: asyncio.TimerHandle | None

    def __init__(self, events: ConnectorEvents, template: ClientRequest, **options: Any) -> None:
        super().__init__(limit=0, **options)
        self._events = events
        self._template = template
        # Made once: aiohttp would make and hash one for every request.
        self._key = template.connection_key
        self._factory = lambda: ClientConnection(self._loop)  # type: ignore[assignment]  # see above

    @property
    def idle(self) -> int:
        """Connections that wait in the pool."""
        return sum(len(conns) for conns in self._conns.values())

    @property
    def active(self) -> int:
        """Connections that serve an attempt."""
        return len(self._acquired)

    def take_idle(self) -> ClientConnection | None:
        """The warmest connection of the pool that may still be used, or None."""
        conns = self._conns.get(self._key)
        now = monotonic()
        while conns:
            protocol, idle_since = conns.popleft()
            assert isinstance(protocol, ClientConnection)
            keepalive_s = self._keepalive_timeout
            if (
                protocol.is_connected()
                and not protocol.should_close
                and (keepalive_s is None or now - idle_since <= keepalive_s)
                and not self._events.is_too_old(protocol.opened_at, now)
            ):
                self._acquired.add(protocol)
                return protocol
            protocol.close()
        return None

    async def open_new(self) -> ClientConnection:
        """A new connection. Raises what the connector raises, and TimeoutError."""
        began = monotonic()
        async with asyncio.timeout(self._events.connect_timeout_s):
            protocol = await self._create_connection(self._template, [], _NO_TIMEOUT)
        assert isinstance(protocol, ClientConnection)
        if self._closed:
            protocol.close()
            raise aiohttp.ClientConnectionError("the connector is closed")
        self._acquired.add(protocol)
        protocol.is_tunnelling = False
        protocol.opened_at = monotonic()
        protocol.connect_s = protocol.opened_at - began
        return protocol

    def put_back(self, protocol: ClientConnection, is_fit: bool) -> None:
        """Into the pool if it is fit for another request, else closed."""
        # What comes from now on was not asked for.
        protocol.receiver = None
        now = monotonic()
        is_fit = is_fit and not self._events.is_too_old(protocol.opened_at, now)
        if self._closed or not is_fit or protocol.should_close:
            self._release(self._key, protocol, should_close=True)
            return
        self._acquired.discard(protocol)
        conns = self._conns[self._key]
        # aiohttp's own pool takes from the left and appends on the right, so that the coldest
        # connection is used first and none ever ages away. Here the warmest is.
        conns.appendleft((protocol, now))
        limit = self._events.max_idle
        while limit is not None and len(conns) > limit:
            conns.pop()[0].close()
        if not self._cleanup_handle and self._keepalive_timeout is not None:
            self._cleanup_handle = self._loop.call_later(self._keepalive_timeout, self._cleanup)


_NO_TIMEOUT: Final = aiohttp.ClientTimeout(
    total=None, connect=None, sock_connect=None, sock_read=None
)


def request_template(
    url: str,
    loop: asyncio.AbstractEventLoop,
    *,
    tls: Any,
    proxy: str | None,
    proxy_auth: aiohttp.BasicAuth | None,
) -> ClientRequest:
    """What the connector wants to know of an upstream: made once, never sent."""
    return ClientRequest(
        "GET",
        URL(url),
        loop=loop,
        ssl=tls,
        proxy=URL(proxy) if proxy else None,
        proxy_auth=proxy_auth,
    )


_SERVER_HOOKS: Final = (
    "_drain_helper",
    "_force_close",
    "_keepalive_handle",
    "_keepalive_timeout",
    "_next_keepalive_close_time",
    "_pause_transport_reading",
    "_process_keepalive",
    "_request_in_progress",
    "_resume_transport_reading",
    "_task_handler",
    "_waiter",
    "start",
)
_CLIENT_HOOKS: Final = (
    "_drain_helper",
    "_paused",
    "_pause_transport_reading",
    "_resume_transport_reading",
    "should_close",
)
_CONNECTOR_HOOKS: Final = (
    "_acquired",
    "_cleanup",
    "_cleanup_handle",
    "_closed",
    "_conns",
    "_create_connection",
    "_factory",
    "_keepalive_timeout",
    "_release",
)


class _NoEvents:
    """Stands in for listener and upstream during the self-check."""

    connect_timeout_s: float | None = None
    max_idle: int | None = None

    async def serve(
        self, connection: ServerConnection, head: RequestHead, body: RequestBody
    ) -> bool:
        return False

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Nobody is there."""

    def never_served(self, count: int) -> None:
        """Nothing is counted."""

    def is_too_old(self, opened_at: float, now: float) -> bool:
        return False


async def self_check() -> None:
    """Build one of each and see that every hook and limit took effect. Raises StartError."""
    events = _NoEvents()
    server = Server(events)()
    loop = asyncio.get_running_loop()
    template = request_template("http://localhost", loop, tls=True, proxy=None, proxy_auth=None)
    connector = Connector(events, template)
    client = ClientConnection(loop)
    missing = [
        f"{type(thing).__name__}.{name}"
        for thing, names in (
            (server, _SERVER_HOOKS),
            (client, _CLIENT_HOOKS),
            (connector, _CONNECTOR_HOOKS),
        )
        for name in names
        if not hasattr(thing, name)
    ]
    if not isinstance(connector._factory(), ClientConnection):
        missing.append("the connector's factory")
    await connector.close()
    if missing:
        raise StartError(
            f"aiohttp {aiohttp.__version__} does not fit: {', '.join(missing)} not found;"
            " install the version that this release names"
        )
