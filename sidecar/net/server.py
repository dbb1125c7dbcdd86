"""The way in on aiohttp's server: one caller's connection, and what makes them.

Knows: what of aiohttp's `RequestHandler` we keep (accept, keep-alive, write buffer, lifecycle)
and what is replaced (its parser and its loop over requests).
Must not know: what the bytes mean, nor who answers; its events go to the listener.
Stands on names of aiohttp that are not public; `aio` lists and checks them. Read against aiohttp
3.14.5, 2026-11.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Refusal
from sidecar.net.requests import RequestBody, RequestReader
from sidecar.pipeline.ports import BodyError

_MAX_ARRIVALS: Final = 32
_KEEPALIVE_S: Final = 300.0
_LINGER_S: Final = 2.0


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
