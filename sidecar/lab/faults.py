"""Faults as steps of a story, on real sockets, plain or TLS.

Knows: how to read a request off a socket, keep every byte of it, and play a list of steps: send,
drip, sleep, FIN, RST, wait until the peer leaves.
Must not know: who listens (`fault_server`), nor what a sensible server would do.
Why so raw: a library would repair, refuse or log what these stories want to happen.

A script is a tuple of steps and reads as a short story:
`answer(head, event, sleep(0.5), rst)`: read the request, send these, wait, reset.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: the kernel then sends RST instead of FIN."""


@dataclass(slots=True)
class Seen:
    """One request as it came off the wire. Times are monotonic seconds."""

    head: bytes
    """From the request line to the blank line, exact."""
    connection: int
    """Which accepted connection, counted from 1."""
    raw_body: bytearray = field(default_factory=bytearray)
    """With its framing."""
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    """The body came to its end."""
    answered_at: float | None = None
    """The script's first send."""
    left_at: float | None = None
    """The peer was seen to close, where the script waits for that."""

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """(name in lower case, value) in order."""
        lines = self.head.split(b"\r\n")[1:-2]
        pairs = (line.partition(b":") for line in lines)
        return [(name.lower(), value.strip()) for name, _, value in pairs]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


class Turn:
    """One request while its script plays."""

    def __init__(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.seen = seen
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        if self.seen.answered_at is None:
            self.seen.answered_at = time.monotonic()
        self.writer.write(data)
        await self.writer.drain()

    async def read_body(self) -> None:
        seen = self.seen
        if seen.header(b"transfer-encoding") is not None:
            await self._read_chunked()
        else:
            left = int(seen.header(b"content-length") or 0)
            while left:
                piece = await self._take(self.reader.read(min(left, 1 << 18)))
                if not piece:
                    raise ConnectionError("the body broke off")
                seen.body += piece
                left -= len(piece)
        seen.is_whole = True

    async def _read_chunked(self) -> None:
        while True:
            size = int((await self._take(self.reader.readuntil(b"\r\n"))).strip(), 16)
            self.seen.body += await self._take(self.reader.readexactly(size))
            end = await self._take(self.reader.readexactly(2))
            assert end == b"\r\n", end
            if not size:
                return

    async def _take(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        piece = await reading
        self.seen.raw_body += piece
        return piece

    async def delivered(self) -> None:
        """Wait until the peer's kernel has everything, or is gone: a reset throws the rest away."""
        transport = self.writer.transport
        before = None
        while not transport.is_closing():
            now = _sent(transport.get_extra_info("socket"))
            # Below a TLS transport another one may hold bytes and does not say so. While it does,
            # it hands some of them to an idle socket in every turn of the loop.
            if not transport.get_write_buffer_size() and not now[0] and now == before:
                return
            before = now
            await asyncio.sleep(0.001)


Step = Callable[[Turn], Awaitable[None]]
Script = tuple[Step, ...]


class HungUpError(Exception):
    """The script ended its connection."""


def answer(*steps: Step | bytes) -> Script:
    """Read the whole request, then these; bytes are sent as they are."""
    return (read_body, *(send(step) if isinstance(step, bytes) else step for step in steps))


def at_once(*steps: Step | bytes) -> Script:
    """These right after the request head; the body is not read."""
    return tuple(send(step) if isinstance(step, bytes) else step for step in steps)


async def read_body(turn: Turn) -> None:
    await turn.read_body()


def send(data: bytes) -> Step:
    async def step(turn: Turn) -> None:
        await turn.send(data)

    return step


def send_many(pieces: list[bytes], gap_s: float = 0.0) -> Step:
    """Each in a write of its own; with no gap the loop still turns between two writes."""

    async def step(turn: Turn) -> None:
        for piece in pieces:
            await turn.send(piece)
            await asyncio.sleep(gap_s)

    return step


def send_until_left(piece: bytes, gap_s: float) -> Step:
    """For ever, until the peer goes; the moment is noted."""

    async def step(turn: Turn) -> None:
        sending = asyncio.create_task(_for_ever(turn, piece, gap_s), name="for ever")
        try:
            await until_left(turn)
        finally:
            sending.cancel()

    return step


async def _for_ever(turn: Turn, piece: bytes, gap_s: float) -> None:
    while True:
        await turn.send(piece)
        await asyncio.sleep(gap_s)


async def until_left(turn: Turn) -> None:
    """Wait for the peer's FIN or RST."""
    try:
        while await turn.reader.read(1 << 16):
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    turn.seen.left_at = time.monotonic()
    turn.writer.transport.abort()
    raise HungUpError


def sleep(seconds: float) -> Step:
    async def step(_: Turn) -> None:
        await asyncio.sleep(seconds)

    return step


def wait_for(event: threading.Event) -> Step:
    """Until the test sets it."""

    async def step(_: Turn) -> None:
        while not event.is_set():
            await asyncio.sleep(0.001)

    return step


async def fin(turn: Turn) -> None:
    """An orderly end: all bytes, then FIN; on TLS close_notify before it."""
    turn.writer.close()
    raise HungUpError


async def bare_fin(turn: Turn) -> None:
    """All bytes, then FIN; on TLS without close_notify."""
    await turn.delivered()
    with socket.socket(fileno=_duplicate(turn)) as raw:
        raw.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.05)
    turn.writer.transport.abort()
    raise HungUpError


def drip(data: bytes, gap_s: float = 0.0) -> Step:
    """Byte by byte, each in a write of its own."""
    return send_many([data[at : at + 1] for at in range(len(data))], gap_s)


def read_bytes(count: int) -> Step:
    """So many bytes of the body, and no more."""

    async def step(turn: Turn) -> None:
        turn.seen.body += await turn.reader.readexactly(count)

    return step


async def rst(turn: Turn) -> None:
    """All bytes reach the peer's kernel, then RST."""
    await turn.delivered()
    reset(turn.writer.transport)
    raise HungUpError


def reset(transport: asyncio.Transport | asyncio.WriteTransport) -> None:
    """End a connection with RST; what it has not sent is lost."""
    # uvloop's stand-in for a socket has no options of its own.
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


def _duplicate(turn: Turn) -> int:
    return int(turn.writer.get_extra_info("socket").dup().detach())


def _sent(raw: socket.socket) -> tuple[int, int]:
    """Bytes that the peer has not acknowledged yet, and those that it has."""
    import fcntl  # Linux only, like the stories that need it
    import termios

    waiting = fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    # struct tcp_info of linux/tcp.h: tcpi_bytes_acked, 8 bytes.
    acknowledged = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)[120:]
    return int(struct.unpack("i", waiting)[0]), int(struct.unpack("Q", acknowledged)[0])
