"""Small peers on loopback, and what is needed to speak to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from sidecar.core.origin import parse_origin
from sidecar.core.secret import Secret
from sidecar.policies import pool, timeouts
from sidecar.settings.schema import Proxy, Tls, Upstream

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Opened:
    """Keeps why connections were opened."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def connection_opened(self, upstream: str, reason: str) -> None:
        self.reasons.append(reason)


@contextlib.asynccontextmanager
async def listening(serve: Serve, ssl: object = None) -> AsyncIterator[int]:
    """The port of a server that calls `serve` for each connection."""
    tasks: set[asyncio.Task[object]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=ssl)  # type: ignore[arg-type]  # a context or None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every request is answered `ok`."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


def configured(
    url: str,
    *,
    rule: pool.Rule | None = None,
    limits: timeouts.Rule | None = None,
    tls: Tls | None = None,
    proxy: Proxy | None = None,
    api_key: str | None = None,
    dialect: str = "auto",
    provider: str | None = None,
) -> Upstream:
    return Upstream(
        "up",
        parse_origin(url),
        dialect,
        provider,
        Secret(api_key) if api_key else None,
        tls or Tls(),
        proxy or Proxy(None),
        rule or pool.Rule(),
        limits or timeouts.Rule(),
    )
