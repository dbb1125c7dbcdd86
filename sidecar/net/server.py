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
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.net.departures import Departures
from sidecar.net.requests import RequestBody, RequestReader
from sidecar.pipeline.ports import BodyError
from sidecar.policies.patience import Rule, Waiting, due_at

if TYPE_CHECKING:
    from sidecar.net.caller import Caller

_HELD_ARRIVALS: Final = 32
"""So many requests may wait for their turn before the caller is held."""
_MAX_ARRIVALS: Final = 256
"""What one read may bring on top of them."""
_LINGER_S: Final = 2.0
_FIRST_WORD_S: Final = 1.0
_TOO_SLOW: Final = Refusal(
    Reason.CLIENT_TIMEOUT, "the request head did not come within listen.timeouts.headers"
)
_TOO_MANY: Final = Refusal(
    Reason.BAD_REQUEST, f"more than {_MAX_ARRIVALS} requests wait for an answer on this connection"
)


class ServerEvents(Protocol):
    """What a connection of the caller's side tells and asks its listener."""

    departures: Departures
    is_draining: bool
    """Each answer is its connection's last."""

    def opened(self, connection: ServerConnection) -> None:
        """One more."""

    async def serve(
        self,
        connection: ServerConnection,
        head: RequestHead,
        body: RequestBody,
        read_at: float,
        ready_at: float,
    ) -> bool:
        """Answer it; True if the connection may serve another. Raises only when cancelled.
        `read_at`: its head came; `ready_at`: those before it on this connection were over."""

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Answer bytes that were no request; the connection is closed then."""

    def never_served(self, count: int) -> None:
        """So many request heads were parsed, but their caller left before their turn."""


class ServerConnection(RequestHandler):
    """One caller's connection. `on_full` and `on_drained` follow the write buffer (64 KiB)."""

    __slots__ = (
        "_arrivals",
        "_body",
        "_events",
        "_is_body_held",
        "_is_flushing",
        "_is_queue_held",
        "_reader",
        "_refusal",
        "_unread_at",
        "_unread_bytes",
        "_watched",
        "caller",
        "idle_since",
        "is_surplus",
        "is_used",
        "on_drained",
        "on_full",
        "read_at",
    )

    def __init__(self, manager: web.Server, events: ServerEvents, **options: Any) -> None:
        super().__init__(manager, **options)
        self._events = events
        self._reader = RequestReader(self)
        self._arrivals: deque[tuple[RequestHead, RequestBody, float]] = deque()
        """Heads that were read and wait for their turn."""
        self._refusal: Refusal | None = None
        """Why nothing more is read; told when the arrivals before it are served."""
        self._body: RequestBody | None = None
        """That of the request which is being served."""
        self._is_body_held = self._is_queue_held = False
        self._watched: int | None = None
        """The descriptor, while reading is held."""
        self._is_flushing = False
        self._unread_bytes = 0
        self._unread_at: float | None = None
        """When the caller was last seen to read; None while nothing waits for it."""
        self.caller: Caller | None = None
        """Where the answer goes to that is being given."""
        self.read_at = self.idle_since = monotonic()
        """Monotonic seconds of the last read, and of the last answer (or the beginning)."""
        self.is_used = False
        """A request came on it."""
        self.is_surplus = False
        """There was no room for it: its first request is its last, and is refused."""
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    # --- what the transport tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._events.opened(self)

    def data_received(self, data: bytes) -> None:
        self.read_at = monotonic()
        self._reader.feed(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio allows it
        transport, caller = self.transport, self.caller
        if caller is not None and caller.is_tunnel and transport and transport.can_write_eof():
            # The other protocol has its own way to part: the rest of it still comes down.
            self._reader.end()
            return True
        # A half-closed caller counts as gone. While writing is paused, asyncio would only notice
        # after the buffer has drained, which may be never.
        if self._request_in_progress and self._task_handler is not None:
            self._task_handler.cancel()
        return None

    def departed(self) -> None:
        """The caller has ended its side while nobody read from it."""
        self._watched = None
        task, transport = self._task_handler, self.transport
        if task is not None:
            task.cancel()
        if transport is not None:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._reader.lost()
        self._unwatch()
        if self._arrivals:
            self._events.never_served(len(self._arrivals))
            self._arrivals.clear()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.on_full is not None:
            self.on_full()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_at = None
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
        self._is_flushing = True
        try:
            await self._drain_helper()
        finally:
            self._is_flushing = False
            if self.transport is not None:
                transport.set_write_buffer_limits(high=high)

    # --- what the reader tells ---

    def arrived(self, head: RequestHead, body: RequestBody) -> Refusal | None:
        """A head is complete; its body follows."""
        waiting = len(self._arrivals)
        if waiting == _MAX_ARRIVALS:
            return _TOO_MANY
        self.is_used = True
        self._arrivals.append((head, body, self.read_at))
        if waiting + 1 >= _HELD_ARRIVALS and not self._is_queue_held:
            self._is_queue_held = True
            self._hold_reading()
        self._wake()
        return None

    def refused(self, refusal: Refusal) -> None:
        """The bytes are no request."""
        self._refusal = refusal
        self._wake()

    def write(self, data: bytes) -> None:
        """To the caller, if it is still there."""
        if self.transport is not None:
            self.transport.write(data)

    def hold(self) -> None:
        """Stop reading: too much of a body waits."""
        self._is_body_held = True
        self._hold_reading()

    def release(self) -> None:
        """Read on, as far as the body is concerned."""
        self._is_body_held = False
        self._read_on()

    def _hold_reading(self) -> None:
        self._pause_transport_reading()
        transport = self.transport
        if self._watched is None and transport is not None and not transport.is_closing():
            self._watched = transport.get_extra_info("socket").fileno()
            self._events.departures.watch(self._watched, self.departed)

    def _read_on(self) -> None:
        if not self._is_body_held and not self._is_queue_held:
            self._unwatch()
            self._resume_transport_reading()

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._events.departures.unwatch(self._watched, self.departed)
            self._watched = None

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
                    if not self.is_surplus:
                        await self._part()
                    break
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
                continue
            head, body, read_at = self._arrivals.popleft()
            if self._is_queue_held and len(self._arrivals) < _HELD_ARRIVALS:
                self._is_queue_held = False
                self._read_on()
            self._request_in_progress = True
            self._body = body
            try:
                ready_at = max(read_at, self.idle_since)
                may_keep = await self._events.serve(self, head, body, read_at, ready_at)
            finally:
                self._request_in_progress = False
                self._body = None
            self.idle_since = monotonic()
            if not body.is_whole:
                may_keep = False
                if not head.wants_websocket:
                    await self._swallow(body)
            may_keep = may_keep and not self._events.is_draining
        self._task_handler = None
        if self.transport is not None:
            self.transport.close()

    # --- how long the caller may take ---

    @property
    def is_idle(self) -> bool:
        """Nothing was asked that is not answered, not even in part."""
        return not (
            self._request_in_progress
            or self._arrivals
            or self._reader.head_began_at is not None
            or self._refusal is not None
            or self._force_close
        )

    @property
    def may_give_way(self) -> bool:
        """It is idle; and if it is new, it has had time for a first word."""
        transport = self.transport
        is_leaving = self.is_surplus or transport is None or transport.is_closing()
        is_new = not self.is_used and monotonic() - self.idle_since < _FIRST_WORD_S
        return self.is_idle and not is_new and not is_leaving

    @property
    def is_busy(self) -> bool:
        """A request is being served, or waits for it."""
        return self._request_in_progress or bool(self._arrivals)

    def look(self, rule: Rule, now: float) -> None:
        """Give the caller up if it has taken too long."""
        wait = self._wait(now)
        if wait is None or now < due_at(rule, *wait):
            return
        match wait[0]:
            case Waiting.BODY:
                if self._body is not None:
                    message = "the request body did not come on within listen.timeouts.body"
                    self._body.fail(BodyError(Reason.CLIENT_TIMEOUT, message))
            case Waiting.READING:
                if self.caller is not None:
                    self.caller.has_stalled = True
                self.departed()
            case Waiting.HEAD if self._reader.head_began_at is not None or self.is_surplus:
                self.give_up(_TOO_SLOW)
            case _:
                if self.transport is not None:
                    self.transport.close()

    def _wait(self, now: float) -> tuple[Waiting, float] | None:
        """What the caller is waited for, and since when it has not come on."""
        if self.writing_paused or self._is_flushing:
            return Waiting.READING, self._last_seen_to_read(now)
        if self._request_in_progress:
            wanted_at = self._body.wanted_at if self._body is not None else None
            return None if wanted_at is None else (Waiting.BODY, max(wanted_at, self.read_at))
        if self._refusal is not None or self._arrivals:
            return None
        if (began_at := self._reader.head_began_at) is not None:
            return Waiting.HEAD, max(self.idle_since, began_at)
        return (Waiting.NEXT if self.is_used else Waiting.HEAD), self.idle_since

    def _last_seen_to_read(self, now: float) -> float:
        """Asked again and again: what waits for the caller has become less, or not."""
        size = self.transport.get_write_buffer_size() if self.transport is not None else 0
        if self._unread_at is None or size != self._unread_bytes:
            self._unread_bytes, self._unread_at = size, now
        return self._unread_at

    def give_up(self, refusal: Refusal) -> None:
        """Read nothing more, and say why."""
        self._reader.lost()
        self.refused(refusal)

    async def _part(self) -> None:
        """End after an answer to bytes that were no request, or no body: more of them may be on
        their way, and are thrown away."""
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
        except TimeoutError:
            return
        except BodyError:
            await self._part()
