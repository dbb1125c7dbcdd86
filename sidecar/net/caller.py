"""The caller's side of one exchange: where its bytes come from and where its answer goes.

Knows: how a request body is taken out of aiohttp's stream without losing what it holds, and how a
connection is written, held, flushed and cut.
Must not know: what the bytes are.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestPayloadError

from sidecar.net.aio import ServerConnection, take_whole
from sidecar.pipeline.ports import BodyError, Source

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# l_onoff=1, l_linger=0: the next close of the socket is a reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class CallerBody:
    """The Body port on aiohttp's request stream."""

    __slots__ = ("_connection", "_must_continue", "_payload")

    def __init__(
        self, payload: StreamReader, connection: ServerConnection, must_continue: bool
    ) -> None:
        self._payload = payload
        self._connection = connection
        self._must_continue = must_continue

    @property
    def is_whole(self) -> bool:
        """True once the last byte is in."""
        return self._payload.is_eof()

    def take(self) -> bytes:
        """What is buffered now."""
        try:
            payload = self._payload
            return take_whole(payload) if payload.is_eof() else payload.read_nowait()
        except RequestPayloadError:
            raise BodyError("the request body breaks its own framing") from None

    async def more(self) -> bytes:
        """Wait for bytes; b"" at the end."""
        if self._must_continue:
            self._must_continue = False
            if self._connection.transport is not None:
                self._connection.transport.write(_CONTINUE)
        try:
            return await self._payload.readany()
        except RequestPayloadError:
            raise BodyError("the request body breaks its own framing") from None


class Caller:
    """The Client port on one of aiohttp's server connections."""

    __slots__ = ("_connection", "_must_reset", "speaks_chunked", "will_close", "write")

    def __init__(
        self, connection: ServerConnection, speaks_chunked: bool, will_close: bool
    ) -> None:
        self._connection = connection
        self.speaks_chunked = speaks_chunked
        self.will_close = will_close
        self._must_reset = False
        transport = connection.transport
        self.write: Callable[[bytes], object] = (
            _write_nowhere if transport is None else transport.write
        )

    def follow(self, source: Source | None) -> None:
        """Hold `source` while more than 64 KiB wait for the caller."""
        connection = self._connection
        if source is None:
            connection.on_full = connection.on_drained = None
            return
        connection.on_full = source.pause
        connection.on_drained = source.resume
        if connection.writing_paused:
            source.pause()

    @property
    def is_flushed(self) -> bool:
        """Nothing waits, and no cut is due."""
        return not self._must_reset and self._connection.is_flushed

    async def flushed(self) -> None:
        """Wait until the last byte was handed to the socket; then end it, if it is to be cut."""
        await self._connection.flushed()
        if self._must_reset:
            _reset(self._connection)

    def cut(self, must_reset: bool) -> None:
        """End without the end of the body, after all that was written. Closing flushes, and what
        is missing then shows the cut; a body that ends with the connection needs a reset."""
        self.will_close = True
        self._must_reset = must_reset
        transport = self._connection.transport
        if transport is not None and not must_reset:
            transport.close()


def _reset(connection: ServerConnection) -> None:
    transport = connection.transport
    if transport is None:
        return
    pseudo = transport.get_extra_info("socket")
    # uvloop's stand-in has no setsockopt of its own.
    with socket.socket(fileno=os.dup(pseudo.fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def _write_nowhere(data: bytes) -> None:
    """The caller has left already; its task is about to be cancelled."""
