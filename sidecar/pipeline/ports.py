"""What the path needs of the world: a caller, an upstream and a desk. Implemented in net and app.

Knows: the few methods through which bytes, time and records pass.
Must not know: aiohttp, sockets, files. The path is written against these protocols only, so that
the engine below can be exchanged without touching the story above.
Bytes are pushed: an upstream hands each read to a `Sink` from its read callback, and the sink
writes to the caller in the same call. No task wakes up per chunk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from sidecar.core.errors import SidecarError

if TYPE_CHECKING:
    from sidecar.core.heads import RequestHead
    from sidecar.core.outcome import Reason
    from sidecar.core.response_heads import ResponseHead
    from sidecar.core.trace import OwnTrace
    from sidecar.pipeline.exchange import Exchange
    from sidecar.pipeline.watch import WatchList


class BodyError(SidecarError):
    """The caller's body will never be whole; `reason` says whose doing that is."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Body(Protocol):
    """The caller's request body, unframed."""

    @property
    def is_whole(self) -> bool:
        """True once the last byte is in: `take` then returns all that is left."""

    def take(self) -> bytes:
        """What is buffered now; b"" if nothing."""

    async def more(self) -> bytes:
        """Wait for bytes; b"" at the end. Raises BodyError where it will never be whole."""


class Source(Protocol):
    """Something whose reading can be held while the other side is full."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Client(Protocol):
    """The caller's side of one exchange."""

    @property
    def write(self) -> Callable[[bytes], object]:
        """Hand bytes to the socket; never blocks."""

    def follow(self, source: Source | None) -> None:
        """`source` is paused while the caller is full; None: nobody is."""

    @property
    def is_flushed(self) -> bool:
        """The last byte has been handed to the socket, and there is nothing left to do."""

    async def flushed(self) -> None:
        """Wait until the last byte has been handed to the socket."""

    def cut(self, must_reset: bool) -> None:
        """End the connection visibly after all bytes written so far: no end of body is made up.
        `must_reset`: the body ends with the connection, so only a reset can show the cut."""

    will_close: bool
    """The connection ends after this exchange; say so in the head."""

    is_tunnel: bool
    """Another protocol is spoken now, and the end of the caller's bytes is no leaving."""

    @property
    def has_stalled(self) -> bool:
        """It was given up because it did not read."""

    @property
    def speaks_chunked(self) -> bool:
        """False for HTTP/1.0: a body of unknown length then ends with the connection."""


class Sink(Protocol):
    """Takes what an upstream sends, as it comes."""

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        """One read's worth: the head if it was completed by it, body bytes without framing, and
        whether the body is now whole. `read_at`: monotonic seconds of the read."""

    def more(self, body: bytes, read_at: float) -> None:
        """`take` for the usual case, once per event: body bytes after the head, not the end."""

    def interim(self, head: ResponseHead) -> None:
        """A head before the final one that callers may want: 102 or 103."""


class Wire(Protocol):
    """One upstream connection, taken for one attempt. Exactly one of `give_back`, `drop`,
    `linger` ends it."""

    @property
    def is_reused(self) -> bool: ...

    @property
    def connect_s(self) -> float:
        """How long it took to set up, when it was new."""

    @property
    def bytes_received(self) -> int: ...

    @property
    def sent_at(self) -> float | None:
        """Monotonic seconds of the last request byte; None while the upload goes on."""

    @property
    def blocked_at(self) -> float | None:
        """Since when the upstream has not taken what waits for it; None while it does."""

    @property
    def read_at(self) -> float | None:
        """Monotonic seconds of the last read; None before the first byte."""

    @property
    def send(self) -> Callable[[bytes], object]:
        """Hand bytes to the socket; never blocks."""

    def mark_sent(self) -> None:
        """The last request byte was handed over: `sent_at`."""

    async def writable(self) -> None:
        """Wait until less than 64 KiB wait to be sent."""

    def receive(self, sink: Sink, is_head: bool, may_switch: bool) -> Awaitable[Reason | None]:
        """Push the response into `sink`; the result is None when it is whole, else why not.
        `is_head`: it was asked for with HEAD. `may_switch`: 101 makes a tunnel of it, which is
        whole when the upstream ends it."""

    def send_end(self) -> None:
        """Nothing more will be sent, and the upstream may know it."""

    @property
    def is_paused(self) -> bool: ...

    @property
    def held_s(self) -> float:
        """How long reading was held, in all."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def fail(self, reason: Reason) -> None:
        """End `receive` with this reason (a timer fired)."""

    def give_back(self) -> None:
        """Into the pool if the connection is in order, else closed."""

    def drop(self) -> None:
        """Close it now."""

    def linger(self) -> None:
        """The caller is content and gone: read on briefly so that the connection can be reused."""


class Upstream(Protocol):
    """One configured upstream: its pool and its head."""

    async def connect(self, must_be_new: bool, within_s: float | None) -> Wire | Reason:
        """A connection from the pool, or a new one; a Reason if none can be had (in time)."""

    def head(self, head: RequestHead, target: str, trace: OwnTrace | None) -> bytes:
        """The request head to send for the caller's head and the target after routing. `trace`:
        what stands for the caller's trace headers; None: they go on as they came."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Of our own: to be kept out of everything that is told."""


class Overhead(Protocol):
    """Where our own added time is counted: kernel read to write, in seconds."""

    def add(self, seconds: float) -> None: ...


class Desk(Protocol):
    """The composition root's side: time, names, books."""

    @property
    def now(self) -> Callable[[], float]:
        """Monotonic seconds."""

    @property
    def overhead_request(self) -> Overhead: ...

    @property
    def overhead_response(self) -> Overhead: ...

    @property
    def overhead_chunk(self) -> Overhead: ...

    @property
    def watches(self) -> WatchList:
        """Whose timers are looked after."""

    def new_id(self) -> str:
        """A request id of ours."""

    def own_trace(self, exchange: Exchange, propagate: str) -> OwnTrace | None:
        """What the next attempt sends in place of the caller's trace headers; None: nothing."""

    def started_at(self, t0: float) -> str:
        """Wall-clock text of a monotonic moment."""

    def begin(self, exchange: Exchange) -> None:
        """Count one more accepted request, under the upstream that its route chose first."""

    def settle(self, exchange: Exchange) -> None:
        """It has ended: count its one outcome and let its Record go out, now or a moment later."""
