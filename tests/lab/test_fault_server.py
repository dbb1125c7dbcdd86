"""Servers that misbehave as asked."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sidecar.lab.fault_server import DeafServer, FaultServer, FullQueue
from sidecar.lab.faults import answer, fin, rst

GET = b"GET /x HTTP/1.1\r\n\r\n"


async def exchange(port: int, message: bytes, wait_s: float = 2) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    try:
        return await asyncio.wait_for(reader.read(), wait_s)
    finally:
        writer.close()


async def test_scripts_are_played_in_turn_and_the_last_one_stays() -> None:
    server = FaultServer()
    await server.start()
    server.at("/x", answer(b"1", fin), answer(b"2", fin))
    assert [await exchange(server.port, GET) for _ in range(3)] == [b"1", b"2", b"2"]
    assert (server.connections, len(server.all_seen)) == (3, 3)
    await server.stop()
    assert server.open == 0


async def test_what_has_no_script_is_told_so() -> None:
    server = FaultServer()
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 599")
    writer.close()
    await server.stop()


async def test_a_greeting_comes_before_any_request() -> None:
    server = FaultServer(greeting=(rst,))
    await server.start()
    with pytest.raises(ConnectionResetError):
        await exchange(server.port, GET)
    assert server.all_seen == []
    await server.stop()


async def test_a_deaf_server_takes_everything_and_says_nothing() -> None:
    server = DeafServer()
    await server.start()
    with pytest.raises(TimeoutError):
        await exchange(server.port, GET, 0.1)
    await asyncio.sleep(0.05)
    assert (server.received, server.connections, server.open) == (GET, 1, 0)
    await server.stop()


async def test_one_that_hangs_up_does_so_at_once() -> None:
    server = DeafServer(hangs_up=True)
    await server.start()
    assert await exchange(server.port, b"") == b""
    await server.stop()


def test_a_full_queue_answers_nobody() -> None:
    full = FullQueue()
    with socket.socket() as caller:
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            caller.connect(("127.0.0.1", full.port))
    full.close()
