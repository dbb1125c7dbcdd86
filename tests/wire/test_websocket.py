"""A WebSocket through the relay: an unchanged library on both ends, and raw bytes.

The relay knows nothing of frames: what one end sends is what the other end reads.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from .caller import Caller, End, eventually
from .conftest import Side
from .origin import at_once, fin, rst, send, sleep, until_left
from .relay import LOOPS, Relay

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = base64.b64encode(bytes(16)).decode()
ACCEPT = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
).encode()


def ask(target: str, *headers: str) -> bytes:
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class WebSocketOrigin:
    """The `websockets` library's server in a thread: echoes, and closes as it is told."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.port: int = next(iter(self._server.sockets)).getsockname()[1]
        self.close_codes: list[int | None] = []
        self.paths: list[str] = []

    async def _start(self):  # type: ignore[no-untyped-def]  # a Server of the library
        return await serve(self._echo, "127.0.0.1", 0, max_size=None, compression=None)

    async def _echo(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        try:
            async for message in connection:
                if message == "close 4001":
                    await connection.close(4001, "as told")
                elif message == "vanish":
                    connection.transport.abort()
                else:
                    await connection.send(message)
        except ConnectionClosedError:
            pass
        self.close_codes.append(connection.close_code)

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            await self._server.wait_closed()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def echo_relay(folder: Path, loop: str) -> Iterator[tuple[Relay, WebSocketOrigin, str]]:
    origin = WebSocketOrigin()
    relay = Relay(folder, f'  rt: {{url: "http://127.0.0.1:{origin.port}"}}\n', loop)
    try:
        yield relay, origin, f"ws://127.0.0.1:{relay.data[1]}/v1/realtime?model=m"
        relay.assert_settled()
    finally:
        origin.close()
        assert relay.stop() == 0


@pytest.fixture(params=LOOPS)
def echo(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Relay, WebSocketOrigin, str]]:
    with echo_relay(tmp_path, request.param) as started:
        yield started


async def test_the_library_speaks_through_the_relay_as_it_does_direct(
    echo: tuple[Relay, WebSocketOrigin, str],
) -> None:
    relay, origin, url = echo
    headers = {"x-request-id": "ws-1", "authorization": "Bearer callers-own"}
    async with connect(url, additional_headers=headers, max_size=None, compression=None) as ws:
        for message in ("text", "\u00e4\u4e16" * 5000, b"\x00\xff" * 200_000, "", b""):
            await ws.send(message)
            assert await asyncio.wait_for(ws.recv(), 10) == message
        await ws.send(["frag", "men", "ted"])
        assert await ws.recv() == "fragmented"
        await asyncio.wait_for(await ws.ping(b"are you there"), 5)
        burst = [os.urandom(30_000) for _ in range(100)]

        async def pour() -> None:
            for piece in burst:
                await ws.send(piece)

        pouring = asyncio.create_task(pour())
        assert [await asyncio.wait_for(ws.recv(), 10) for _ in burst] == burst
        await pouring
        assert len(relay.records()) == 0, "it is in flight"
        await ws.close(4000, "enough")
    assert await asyncio.to_thread(eventually, lambda: origin.close_codes == [4000])
    assert origin.paths == ["/v1/realtime?model=m"]
    record = await asyncio.to_thread(relay.record, "ws-1")
    assert (record["outcome"], record["status"], record["operation"]) == ("ok", 101, "realtime")
    assert record["request_bytes"] > 3_400_000
    assert record["response_bytes"] > 3_400_000


async def test_close_codes_of_the_provider_arrive(
    echo: tuple[Relay, WebSocketOrigin, str],
) -> None:
    _, _, url = echo
    async with connect(url) as ws:
        await ws.send("close 4001")
        with pytest.raises(ConnectionClosedError) as closed:
            await asyncio.wait_for(ws.recv(), 5)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as told")
    async with connect(url) as ws:
        await ws.close()
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()


async def test_a_provider_that_vanishes_is_seen_to(
    echo: tuple[Relay, WebSocketOrigin, str],
) -> None:
    relay, _, url = echo
    async with connect(url, additional_headers={"x-request-id": "gone"}) as ws:
        await ws.send("vanish")
        with pytest.raises(ConnectionClosedError) as closed:
            await asyncio.wait_for(ws.recv(), 5)
    assert closed.value.rcvd is None
    assert (await asyncio.to_thread(relay.record, "gone"))["status"] == 101


async def test_a_caller_that_vanishes_is_told_to_the_provider(
    echo: tuple[Relay, WebSocketOrigin, str],
) -> None:
    relay, origin, url = echo
    ws = await connect(url, additional_headers={"x-request-id": "left"})
    await ws.send("x")
    await ws.recv()
    ws.transport.abort()
    assert await asyncio.to_thread(eventually, lambda: origin.close_codes == [1006])
    await asyncio.to_thread(relay.record, "left")


async def test_a_refusal_of_the_provider_is_an_ordinary_answer(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(at_once(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"))
    url = f"ws://127.0.0.1:{relay.data[1]}{target}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    assert refused.value.response.body == b"no"


def test_heads_and_bytes_pass_untouched_and_early_ones_wait(relay: Relay, side: Side) -> None:
    bytes_up, bytes_down = os.urandom(100_000), os.urandom(100_000)

    async def take(turn) -> None:  # type: ignore[no-untyped-def]  # a Turn
        turn.seen.body += await turn.reader.readexactly(len(bytes_up))

    target, path = side.script(at_once(sleep(0.1), send(SWITCH + b"early"), take, bytes_down, fin))
    with Caller(relay.data) as caller:
        caller.send(ask(target, "X-Odd:  \xe9 ") + bytes_up[:1000])
        head = caller.read_until(b"\r\n\r\n")
        assert head == SWITCH
        caller.send(bytes_up[1000:])
        got, _ = caller.read_to_end()
        assert got == head + b"early" + bytes_down
    seen = side.origin.seen(path)[0]
    assert seen.body == bytes_up
    assert seen.head.split(b"\r\n")[2:4] == [b"Connection: Upgrade", b"Upgrade: websocket"]


def test_a_tunnel_that_is_reset_is_reset(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(at_once(SWITCH + b"abc", rst))
    with Caller(relay.data) as caller:
        caller.send(ask(target, "x-request-id: ws-rst"))
        assert caller.read_until(b"abc").endswith(b"abc")
        assert caller.read_to_end()[1] is End.RST
    record = relay.record("ws-rst")
    assert (record["outcome"], record["reason"]) == ("truncated", "upstream_cut")


def test_101_for_another_protocol_is_no_answer(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(at_once(SWITCH.replace(b"websocket", b"h2c"), until_left))
    with Caller(relay.data) as caller:
        caller.send(ask(target))
        answer = caller.answer()
        assert (answer.status, answer.header(b"x-sidecar-error")) == (502, b"bad_upstream_response")


def test_a_caller_that_says_its_end_hears_the_rest(relay: Relay, plain: Side) -> None:
    async def until_end(turn) -> None:  # type: ignore[no-untyped-def]  # a Turn
        turn.seen.body += await turn.reader.read()

    target, path = plain.script(at_once(SWITCH, until_end, b"the rest", fin))
    with Caller(relay.data) as caller:
        caller.send(ask(target, "x-request-id: half") + b"all of it")
        caller.read_until(b"\r\n\r\n")
        caller.half_close()
        assert caller.read_to_end()[0].endswith(b"the rest")
    assert plain.origin.seen(path)[0].body == b"all of it"
    assert relay.record("half")["outcome"] == "ok"


def test_one_that_says_its_end_to_nobody_is_let_go(relay: Relay, plain: Side) -> None:
    target, path = plain.script(at_once(SWITCH, sleep(3), until_left))
    with Caller(relay.data) as caller:
        caller.send(ask(target, "x-request-id: nobody"))
        caller.read_until(b"\r\n\r\n")
        caller.half_close()
        assert relay.record("nobody")["outcome"] == "client_cancelled"
    assert plain.origin.seen(path)
