"""One caller's connection: idle time, lingering after an early answer."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.net import server

from .test_listener import OK, call, get, open_house


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE_S", 0.1)
    async with open_house() as (_, address, _):
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_one_that_is_served_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE_S", 0.05)
    async with open_house() as (house, address, _):
        house.hangs = True
        _, writer = await call(address, get("/"))
        await asyncio.sleep(0.2)
        assert house.cancelled == 0
        writer.close()


async def test_an_early_answer_survives_the_rest_of_the_upload() -> None:
    """Closing with unread bytes would reset the connection and could destroy the answer."""
    async with open_house() as (house, address, _):

        async def early(inbound: object, client: object) -> None:
            client.write(OK)  # type: ignore[attr-defined]  # a Client

        house.handle = early  # type: ignore[method-assign]  # answers before it reads
        reader, writer = await asyncio.open_connection(address.host, address.port)
        size = 500_000
        writer.write(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(10):
            writer.write(b"a" * (size // 10))
            await asyncio.sleep(0.005)
        assert await reader.read() == OK
        writer.close()
