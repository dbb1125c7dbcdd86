"""A scripted provider: real sockets, plain or TLS, that do exactly what a test wrote down.

Knows: how to read a request off a socket, keep every byte of it, and play a list of steps: send,
sleep, FIN, RST. Must not know: the relay, nor what a sensible server would do.
Why its own thread and loop: the test's own code blocks on sockets, and a provider that shared its
thread could not answer meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import socket
import ssl
import struct
import termios
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_MAX_HEAD_BYTES = 1 << 20


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
        """Wait until the peer's kernel has everything: a reset throws the rest away."""
        raw = self.writer.get_extra_info("socket")
        while self.writer.transport.get_write_buffer_size() or _unacknowledged(raw.fileno()):
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


async def rst(turn: Turn) -> None:
    """All bytes reach the peer's kernel, then RST."""
    await turn.delivered()
    with socket.socket(fileno=_duplicate(turn)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    turn.writer.transport.abort()
    raise HungUpError


def _duplicate(turn: Turn) -> int:
    return int(turn.writer.get_extra_info("socket").dup().detach())


def _unacknowledged(fd: int) -> int:
    waiting = fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", waiting)[0])


class Origin:
    """The provider. `at` scripts a path; `seen` tells what came for it."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        """Accepted so far."""
        self.open = 0
        self._requests: dict[str, list[Seen]] = defaultdict(list)
        self._scripts: dict[str, list[Script]] = {}
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(context), self._loop)
        self._server = listening.result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _listen(self, context: ssl.SSLContext | None) -> asyncio.Server:
        return await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=context, backlog=4096, limit=_MAX_HEAD_BYTES
        )

    def at(self, path: str, *scripts: Script) -> str:
        """One script for each request in turn; the last one for all that follow."""
        self._scripts[path] = list(scripts)
        self._requests.pop(path, None)
        return path

    def script(self, *scripts: Script, end: str = "") -> str:
        """`at` a path that nobody else uses, which ends in `end`; tells the path."""
        return self.at(f"/s/{next(self._numbers)}{end}", *scripts)

    def seen(self, path: str) -> list[Seen]:
        """The requests for this path, oldest first."""
        return self._requests[path]

    @property
    def all_seen(self) -> list[Seen]:
        return [seen for requests in list(self._requests.values()) for seen in requests]

    def close(self) -> None:
        """Stop listening and drop all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        # Closed transports free their sockets in the loop's next turns.
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        # Every write goes to the kernel before the next step: a step means what it says. (With a
        # high-water mark of 0 asyncio's TLS transport would pause at 0 bytes and never resume.)
        writer.transport.set_write_buffer_limits(high=1, low=0)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen = Seen(head, number)
                path = seen.target.partition("?")[0]
                self._requests[path].append(seen)
                for step in self._next_script(path):
                    await step(Turn(seen, reader, writer))
        except (HungUpError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            # Only `close` cancels. asyncio's streams (3.11) would log it as an error of theirs.
            pass
        finally:
            self.open -= 1
            writer.close()

    def _next_script(self, path: str) -> Script:
        scripts = self._scripts.get(path)
        if scripts is None:
            return answer(b"HTTP/1.1 599 Unscripted\r\nContent-Length: 0\r\n\r\n")
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]
