"""Each step does to a socket what its name says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from sidecar.lab.fault_server import FaultServer
from sidecar.lab.faults import (
    Script,
    Step,
    answer,
    at_once,
    bare_fin,
    drip,
    fin,
    read_bytes,
    rst,
    send_many,
    send_until_left,
    sleep,
    until_left,
)

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


@contextlib.asynccontextmanager
async def playing(*scripts: Script) -> AsyncIterator[FaultServer]:
    server = FaultServer()
    await server.start()
    server.at("/x", *scripts)
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: FaultServer, message: bytes) -> bytes:
    """All that comes until the end; raises ConnectionResetError where that is a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(message)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


async def test_an_answer_reads_the_request_first_and_keeps_its_bytes() -> None:
    async with playing(answer(b"one", b"two", fin)) as server:
        assert await ask(server, POST) == b"onetwo"
        [seen] = server.seen("/x")
    assert (seen.head + seen.raw_body, bytes(seen.body)) == (POST, b"body")
    assert seen.is_whole
    assert (seen.target, seen.header(b"host")) == ("/x", b"a")


async def test_a_chunked_request_is_kept_with_and_without_its_framing() -> None:
    framed = b"4\r\nbody\r\n0\r\n\r\n"
    message = POST.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked")[:-4] + framed
    async with playing(answer(fin)) as server:
        await ask(server, message)
        [seen] = server.seen("/x")
    assert (seen.raw_body[:9], bytes(seen.body[:4])) == (b"4\r\nbody\r\n", b"body")


async def test_at_once_leaves_the_body_unread() -> None:
    async with playing(at_once(b"early", fin)) as server:
        assert await ask(server, POST[:-4]) == b"early"
        assert not server.seen("/x")[0].is_whole


async def test_part_of_a_body_can_be_read() -> None:
    async with playing(at_once(read_bytes(2), b"ok", fin)) as server:
        assert await ask(server, POST[:-2]) == b"ok"
        assert server.seen("/x")[0].body == b"bo"


@pytest.mark.parametrize("end", [fin, bare_fin])
async def test_a_fin_comes_after_all_bytes(end: object) -> None:
    async with playing(answer(b"a" * 100_000, end)) as server:  # type: ignore[arg-type]  # a Step
        assert await ask(server, GET) == b"a" * 100_000


async def test_a_reset_is_one() -> None:
    async with playing(answer(b"a", rst)) as server:
        with pytest.raises(ConnectionResetError):
            await ask(server, GET)


async def test_pieces_and_drops_arrive_in_order() -> None:
    async with playing(answer(send_many([b"ab", b"cd"], 0.01), drip(b"efg", 0.01), fin)) as server:
        assert await ask(server, GET) == b"abcdefg"


async def test_a_sleep_takes_its_time() -> None:
    async with playing(answer(sleep(0.1), fin)) as server:
        began = asyncio.get_running_loop().time()
        await ask(server, GET)
        assert asyncio.get_running_loop().time() - began >= 0.1


async def test_who_leaves_is_seen_to_leave() -> None:
    async with playing(answer(until_left), answer(send_until_left(b"x", 0.01))) as server:
        for _ in range(2):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(GET)
            await asyncio.sleep(0.05)
            assert server.seen("/x")[-1].left_at is None
            writer.close()
            await asyncio.sleep(0.05)
            assert server.seen("/x")[-1].left_at is not None


@pytest.mark.parametrize("ending", [bare_fin, rst])
def test_on_tls_every_byte_comes_before_a_rude_end(ending: Step) -> None:
    """More than fits into the sockets, so that some of it still waits in our transports. (The peer
    blocks in a thread: asyncio's reader would lose what it holds to the reset.)"""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    data = bytes(8 << 20)

    def fetch_bytes(port: int) -> int:
        received = 0
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as peer,
            contextlib.suppress(ConnectionError, ssl.SSLError),
        ):
            peer.sendall(GET)
            while piece := peer.recv(1 << 16):
                received += len(piece)
        return received

    async def scenario() -> list[int]:
        server = FaultServer()
        await server.start(context)
        server.at("/x", answer(data, ending))
        received = [await asyncio.to_thread(fetch_bytes, server.port) for _ in range(10)]
        await server.stop()
        return received

    assert asyncio.run(scenario()) == [len(data)] * 10


async def test_a_peer_that_goes_first_is_not_waited_for() -> None:
    """What it never takes can never be delivered."""
    async with playing(answer(bytes(8 << 20), rst)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(GET)
        await asyncio.sleep(0.1)
        assert server.open == 1
        writer.transport.abort()
        async with asyncio.timeout(2):
            while server.open:
                await asyncio.sleep(0.01)
