"""One upstream connection, taken for one attempt.

Knows: how a connection is written to, read from, held back, and ended: into the pool, closed, or
read on for a moment because the caller has left content.
Must not know: what is sent. Exactly one of `give_back`, `drop` and `linger` ends it; more calls do
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from sidecar.core.outcome import Reason
from sidecar.core.response_heads import ResponseHead
from sidecar.net.connector import ClientConnection, Connector
from sidecar.net.reader import ResponseReader
from sidecar.pipeline.ports import Sink

_LINGER_S: Final = 0.25
_LINGER_BYTES: Final = 64 * 1024


class PooledWire:
    """The Wire port on one of aiohttp's pooled connections."""

    __slots__ = (
        "_connector",
        "_is_ended",
        "_lingering",
        "_paused_at",
        "_paused_s",
        "_protocol",
        "_reader",
        "blocked_at",
        "connect_s",
        "is_paused",
        "is_reused",
        "send",
        "sent_at",
    )

    def __init__(self, connector: Connector, protocol: ClientConnection, is_reused: bool) -> None:
        self._connector = connector
        self._protocol = protocol
        self._reader: ResponseReader | None = None
        self._is_ended = False
        self._lingering: asyncio.TimerHandle | None = None
        self.is_reused = is_reused
        self.connect_s = protocol.connect_s
        self.is_paused = False
        self._paused_at = 0.0
        self._paused_s = 0.0
        self.sent_at: float | None = None
        self.blocked_at: float | None = None
        self.send: Callable[[bytes], object] = (
            _write_nowhere if protocol.transport is None else protocol.transport.write
        )

    @property
    def bytes_received(self) -> int:
        return self._reader.bytes_received if self._reader else 0

    @property
    def read_at(self) -> float | None:
        return self._reader.read_at if self._reader else None

    def mark_sent(self) -> None:
        """The last request byte was handed over."""
        self.sent_at = monotonic()

    async def writable(self) -> None:
        """Wait until less than 64 KiB wait to be sent. A lost connection is told by `receive`."""
        if self._protocol.is_writable:
            return
        self.blocked_at = monotonic()
        try:
            await self._protocol.writable()
        except ConnectionError:
            return
        finally:
            self.blocked_at = None

    def send_end(self) -> None:
        """Nothing more will be sent. TLS has no such word: there only the end of all tells it."""
        transport = self._protocol.transport
        if transport is not None and transport.can_write_eof():
            transport.write_eof()

    def receive(
        self, sink: Sink, is_head: bool, may_switch: bool = False
    ) -> asyncio.Future[Reason | None]:
        """Push the response into `sink`."""
        ending: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
        reader = self._reader = ResponseReader(sink, is_head, may_switch, ending)
        protocol = self._protocol
        protocol.receiver = reader
        if protocol.transport is None or protocol.transport.is_closing():
            # It died between the pool and here.
            protocol.receiver = None
            reader.lost(None)
        return ending

    def pause(self) -> None:
        if not self.is_paused:
            self._paused_at = monotonic()
        self.is_paused = True
        self._protocol.pause()

    def resume(self) -> None:
        if self.is_paused:
            self._paused_s += monotonic() - self._paused_at
        self.is_paused = False
        self._protocol.resume()

    @property
    def held_s(self) -> float:
        """How long reading was held, in all."""
        return self._paused_s + (monotonic() - self._paused_at if self.is_paused else 0.0)

    def fail(self, reason: Reason) -> None:
        """End `receive` with this reason."""
        if self._reader is not None:
            self._reader.fail(reason)

    def give_back(self) -> None:
        """Into the pool, if nothing came after the response and it may be kept alive."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._lingering is not None:
            self._lingering.cancel()
        self._protocol.receiver = None
        if self.is_paused:
            self.resume()
        is_clean = self._reader is not None and self._reader.is_clean
        self._connector.put_back(self._protocol, is_clean)

    def drop(self) -> None:
        """Close now. What still waits to be sent is thrown away: the provider shall stop."""
        if self._is_ended:
            return
        self._is_ended = True
        if self._lingering is not None:
            self._lingering.cancel()
        if self._reader is not None:
            self._reader.stop()
        protocol = self._protocol
        protocol.receiver = None
        transport = protocol.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()
        self._connector.put_back(protocol, is_fit=False)

    def linger(self) -> None:
        """Read on for at most 250 ms or 64 KiB: the rest of a stream that has said its last event
        is a few bytes, and a new connection would cost the next caller a TLS handshake."""
        reader = self._reader
        if reader is None or reader.is_broken:
            self.drop()
            return
        if reader.is_done:
            self.give_back()
            return
        if self.is_paused:
            self.resume()
        # The attempt's own future went with its task.
        reader.ending = asyncio.get_running_loop().create_future()
        reader.ending.add_done_callback(self._lingered)
        reader.redirect(_Rest(self))
        self._lingering = asyncio.get_running_loop().call_later(_LINGER_S, self.drop)

    def _lingered(self, ending: asyncio.Future[Reason | None]) -> None:
        if ending.cancelled() or ending.result() is not None:
            self.drop()
        else:
            self.give_back()


class _Rest:
    """The sink of what nobody waits for."""

    __slots__ = ("_bytes_left", "_wire")

    def __init__(self, wire: PooledWire) -> None:
        self._wire = wire
        self._bytes_left = _LINGER_BYTES

    def more(self, body: bytes, read_at: float) -> None:
        self.take(None, body, False, read_at)

    def interim(self, head: ResponseHead) -> None:
        """The head has come already."""

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        self._bytes_left -= len(body)
        if self._bytes_left < 0 and not is_end:
            self._wire.drop()


def _write_nowhere(data: bytes) -> None:
    """The connection is gone; `receive` says so."""
