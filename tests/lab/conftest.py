"""A mock that runs in a thread of its own, and a caller that speaks to it on a bare socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from sidecar.core.address import Address
from sidecar.lab.mock import Mock, start


@pytest.fixture(scope="session")
def mock() -> Iterator[Mock]:
    """One for all tests: each names models of its own, so no counted fault is shared."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(start(Address("127.0.0.1", 0)), loop).result(10)
    yield running
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@dataclass(frozen=True, slots=True)
class Heard:
    """All bytes of one answer, and how the connection ended: fin, reset, or open (silence)."""

    raw: bytes
    ending: str

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def chunks(self) -> list[bytes]:
        """Of a chunked body, without the last, empty one."""
        rest = self.raw.partition(b"\r\n\r\n")[2]
        found = []
        while rest and not rest.startswith(b"0\r\n"):
            size, _, rest = rest.partition(b"\r\n")
            found.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return found

    @property
    def ends_cleanly(self) -> bool:
        """The last, empty chunk came."""
        return self.raw.endswith(b"\r\n0\r\n\r\n")


Ask = Callable[..., Heard]


@pytest.fixture
def ask(mock: Mock) -> Ask:
    """POST on a bare socket and listen until it ends, or is silent for `patience_s`."""

    def ask_(
        path: str, body: Mapping[str, object], patience_s: float = 0.4, headers: str = ""
    ) -> Heard:
        payload = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n{headers}"
            f"content-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n"
        )
        with socket.create_connection((mock.address.host, mock.address.port)) as connection:
            connection.sendall(head.encode() + payload)
            connection.settimeout(patience_s)
            raw = b""
            while True:
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    return Heard(raw, "open")
                except ConnectionResetError:
                    return Heard(raw, "reset")
                if not data:
                    return Heard(raw, "fin")
                raw += data

    return ask_
