"""Who plays the stories: a scripted server, a deaf one, a port whose queue is full.

Knows: listening, and which script is next.
Must not know: the relay under test, nor what a step does (`faults`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from typing import Final

from sidecar.lab.faults import HungUpError, Script, Seen, Turn, answer

_MAX_HEAD_BYTES: Final = 1 << 20


class FaultServer:
    """Plays scripts on the running loop. `at` scripts a path; `seen` tells what came for it.

    `greeting`: steps for each connection before anything is read from it; where they end the
    connection (`fin`, `rst`), no request ever comes to its script.
    """

    def __init__(self, greeting: Script = ()) -> None:
        self.connections = 0
        """Accepted so far."""
        self.open = 0
        self._greeting = greeting
        self._requests: dict[str, list[Seen]] = defaultdict(list)
        self._scripts: dict[str, list[Script]] = {}
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=context, backlog=4096, limit=_MAX_HEAD_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def at(self, path: str, *scripts: Script) -> str:
        """One script for each request in turn; the last one for all that follow."""
        self._scripts[path] = list(scripts)
        self._requests.pop(path, None)
        return path

    def seen(self, path: str) -> list[Seen]:
        """The requests for this path, oldest first."""
        return self._requests[path]

    @property
    def all_seen(self) -> list[Seen]:
        return [seen for requests in list(self._requests.values()) for seen in requests]

    async def stop(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        # Closed transports free their sockets in the loop's next turns.
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        self.open += 1
        number = self.connections
        # Every write goes to the kernel before the next step: a step means what it says. (With a
        # high-water mark of 0 asyncio's TLS transport would pause at 0 bytes and never resume.)
        writer.transport.set_write_buffer_limits(high=1, low=0)
        try:
            for step in self._greeting:
                await step(Turn(Seen(b"", number), reader, writer))
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
            # Only `stop` cancels. asyncio's streams (3.11) would log it as an error of theirs.
            pass
        finally:
            self.open -= 1
            self._serving.discard(task)
            writer.close()

    def _next_script(self, path: str) -> Script:
        scripts = self._scripts.get(path)
        if scripts is None:
            return answer(b"HTTP/1.1 599 Unscripted\r\nContent-Length: 0\r\n\r\n")
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]


class DeafServer:
    """Accepts, keeps what comes, and never says a word: not even the server's half of a TLS
    handshake. `hangs_up`: closes at once instead."""

    def __init__(self, hangs_up: bool = False) -> None:
        self.received = b""
        self.connections = 0
        self._hangs_up = hangs_up
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Deaf(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
        for transport in list(self._open):
            transport.abort()
        await asyncio.sleep(0)

    def accepted(self, transport: asyncio.Transport) -> None:
        self.connections += 1
        self._open.add(transport)
        if self._hangs_up:
            transport.close()

    def ended(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    @property
    def open(self) -> int:
        return len(self._open)


class _Deaf(asyncio.Protocol):
    def __init__(self, server: DeafServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.accepted(transport)

    def data_received(self, data: bytes) -> None:
        self._server.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._server.ended(self._transport)


class FullQueue:
    """A port whose queue of new connections is full: who connects hears nothing, as behind a
    firewall that drops. Linux answers neither SYN nor retry while the queue is full."""

    def __init__(self) -> None:
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0)
        self.port: int = self._listening.getsockname()[1]
        self._fill: list[socket.socket] = []
        for _ in range(4):
            filling = socket.socket()
            filling.setblocking(False)
            filling.connect_ex(("127.0.0.1", self.port))
            self._fill.append(filling)

    def close(self) -> None:
        for sock in (*self._fill, self._listening):
            sock.close()
