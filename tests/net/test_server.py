"""One caller's connection: idle time, lingering after an early answer."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sidecar.net import server
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client

from .test_listener import OK, call, get, open_house


async def test_an_idle_connection_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE_S", 0.1)
    async with open_house() as (_, address, _):
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_nor_may_it_idle_for_ever_after_a_long_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The timer of the connection's start has run out meanwhile."""
    monkeypatch.setattr(server, "_KEEPALIVE_S", 0.05)
    async with open_house() as (house, address, _):

        async def slow(inbound: Inbound, client: Client) -> None:
            await asyncio.sleep(0.15)
            client.write(OK)

        house.handle = slow  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_each_request_puts_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_KEEPALIVE_S", 0.3)
    async with open_house() as (_, address, _):
        reader, writer = await call(address)
        for _ in range(4):
            await asyncio.sleep(0.1)
            writer.write(get("/"))
            assert await reader.readexactly(len(OK)) == OK
        writer.close()


async def test_a_half_closed_caller_that_does_not_read_has_left() -> None:
    """The transport tells the end of a connection only when it has flushed: here, never."""
    async with open_house() as (house, address, _):
        cancelled = asyncio.Event()

        async def much(inbound: Inbound, client: Client) -> None:
            client.write(b"a" * (16 << 20))
            try:
                await client.flushed()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        house.handle = much  # type: ignore[method-assign]  # plays the pipeline
        with socket.create_connection((address.host, address.port)) as caller:
            caller.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(caller, get("/"))
            await asyncio.sleep(0.05)
            assert not cancelled.is_set()
            caller.shutdown(socket.SHUT_WR)
            await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_caller_who_sends_too_far_ahead_is_held_and_then_read_on() -> None:
    async with open_house() as (house, address, listener):
        go_on = asyncio.Event()

        async def later(inbound: Inbound, client: Client) -> None:
            await go_on.wait()
            house.handled.append(inbound)
            client.write(OK)

        house.handle = later  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, *(get(f"/{n}") for n in range(40)))
        [connection] = listener._server.connections
        assert isinstance(connection, server.ServerConnection)
        assert len(connection._arrivals) == 32
        go_on.set()
        writer.write(b"".join(get(f"/{n}") for n in range(40, 80)))
        assert await asyncio.wait_for(reader.readexactly(80 * len(OK)), 2) == 80 * OK
        assert [i.head.target for i in house.handled] == [f"/{n}" for n in range(80)]
        writer.close()


async def test_waiting_for_the_last_byte_leaves_the_limits_of_the_buffer_alone() -> None:
    async with open_house() as (house, address, listener):
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        [connection] = listener._server.connections
        before = connection.transport.get_write_buffer_limits()

        async def large(inbound: Inbound, client: Client) -> None:
            client.write(b"a" * (8 << 20))
            await client.flushed()

        house.handle = large  # type: ignore[method-assign]  # plays the pipeline
        writer.write(get("/"))
        await reader.readexactly(8 << 20)
        await asyncio.sleep(0.01)
        assert connection.transport.get_write_buffer_limits() == before
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
