"""The caller's side of one exchange: where its answer goes.

Knows: how a connection is written, held, flushed and cut.
Must not know: what the bytes are.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable

from sidecar.net.server import ServerConnection
from sidecar.pipeline.ports import Source

# l_onoff=1, l_linger=0: the next close of the socket is a reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Caller:
    """The Client port on one of aiohttp's server connections."""

    __slots__ = (
        "_connection",
        "_must_reset",
        "has_stalled",
        "is_tunnel",
        "speaks_chunked",
        "will_close",
        "write",
    )

    def __init__(
        self, connection: ServerConnection, speaks_chunked: bool, will_close: bool
    ) -> None:
        self._connection = connection
        self.speaks_chunked = speaks_chunked
        self.will_close = will_close
        self.is_tunnel = False
        self.has_stalled = False
        """It was given up because it did not read."""
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
        transport = self._connection.transport
        if self._must_reset and transport is not None:
            transport.abort()

    def cut(self, must_reset: bool) -> None:
        """End without the end of the body, after all that was written. Closing flushes, and what
        is missing then shows the cut; a body that ends with the connection needs a reset."""
        self.will_close = True
        self._must_reset = must_reset
        transport = self._connection.transport
        if transport is None:
            return
        is_closing = transport.is_closing()
        if is_closing and transport.get_extra_info("ssl_object") is not None:
            return  # below the TLS the socket may be gone already
        if must_reset:
            # Said to the socket at once: whoever closes it, in whatever way, it is a reset. It may
            # be closing already, because the caller has said its end.
            _reset_on_close(transport)
        elif not is_closing:
            transport.close()


def _reset_on_close(transport: asyncio.Transport) -> None:
    pseudo = transport.get_extra_info("socket")
    # uvloop's stand-in has no setsockopt of its own.
    with socket.socket(fileno=os.dup(pseudo.fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def _write_nowhere(data: bytes) -> None:
    """The caller has left already; its task is about to be cancelled."""
