"""The way out on aiohttp's connector: connections to an upstream, and the pool they wait in.

Knows: what of aiohttp's `TCPConnector` and `ResponseHandler` we keep (resolver, DNS cache, happy
eyeballs, TLS, proxies) and what is replaced (the order of the pool, the reading).
Must not know: what the bytes mean.
Stands on names of aiohttp that are not public; `aio` lists and checks them. Read against aiohttp
3.14.5, 2026-11.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import TCPConnector
from yarl import URL


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

    @property
    def is_writable(self) -> bool:
        """Less than the high-water mark waits to be sent, or nobody is there."""
        return not self._paused or self.transport is None

    async def writable(self) -> None:
        """Wait for it."""
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
        """Connections that wait in the pool. One that has ended stays there until it is come
        across, but is no connection any more."""
        return sum(conn.is_connected() for conns in self._conns.values() for conn, _ in conns)

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

    async def open_new(self, within_s: float | None = None) -> ClientConnection:
        """A new connection. Raises what the connector raises, and TimeoutError."""
        began = monotonic()
        limits = [s for s in (within_s, self._events.connect_timeout_s) if s is not None]
        async with asyncio.timeout(min(limits, default=None)):
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
    proxy_headers: dict[str, str] | None,
) -> ClientRequest:
    """What the connector wants to know of an upstream: made once, never sent."""
    return ClientRequest(
        "GET",
        URL(url),
        loop=loop,
        ssl=tls,
        proxy=URL(proxy) if proxy else None,
        proxy_headers=proxy_headers,
    )
