"""One caller's connection: idle time, lingering after an early answer."""

from __future__ import annotations

import asyncio
import gc
import socket

from sidecar.core.outcome import Reason
from sidecar.net import server
from sidecar.net.listener import Limits
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import BodyError, Client
from sidecar.policies.patience import Rule

from .test_listener import OK, call, get, open_house


def idle(limit_s: float) -> Limits:
    return Limits(patience=Rule(keepalive_s=limit_s))


async def test_an_idle_connection_is_closed_in_time() -> None:
    async with open_house(idle(0.1)) as (_, address, _):
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_nor_may_it_idle_for_ever_after_a_long_answer() -> None:
    """The timer of the connection's start has run out meanwhile."""
    async with open_house(idle(0.05)) as (house, address, _):

        async def slow(inbound: Inbound, client: Client) -> None:
            await asyncio.sleep(0.15)
            client.write(OK)

        house.handle = slow  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/"))
        assert await reader.readexactly(len(OK)) == OK
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_each_request_puts_it_off() -> None:
    async with open_house(idle(0.3)) as (_, address, _):
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


async def test_the_answer_to_a_broken_body_arrives_although_more_bytes_follow() -> None:
    """Closed with unread bytes the connection would be reset, and what was said be lost."""
    async with open_house() as (house, address, _):

        async def take(inbound: Inbound, client: Client) -> None:
            try:
                await inbound.body.more()
            except BodyError:
                client.will_close = True
                client.write(OK)

        house.handle = take  # type: ignore[method-assign]  # plays the pipeline
        ask = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        reader, writer = await call(address, ask)
        for _ in range(5):
            await asyncio.sleep(0.02)
            writer.write(b"a" * 1000)
        assert await asyncio.wait_for(reader.read(), 2) == OK
        writer.close()


async def test_one_that_has_ended_leaves_nothing_to_the_garbage_collector() -> None:
    """Which comes by so rarely that thousands of them would wait for it."""
    async with open_house() as (house, address, _):
        gc.collect()
        gc.disable()
        try:
            for ask in (get("/"), b"no request\r\n\r\n", b"GET / HT"):
                reader, writer = await call(address, ask)
                if ask.endswith(b"\r\n\r\n"):
                    await reader.readuntil(b"\r\n\r\n")
                writer.close()
                await writer.wait_closed()
            await asyncio.sleep(0.05)
            house.handled.clear()
            left = [o for o in gc.get_objects() if isinstance(o, server.ServerConnection)]
            assert left == []
        finally:
            gc.enable()


async def test_one_that_is_served_is_not_idle() -> None:
    async with open_house(idle(0.05)) as (house, address, _):
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


async def test_a_head_that_does_not_come_to_its_end_is_told_so() -> None:
    async with open_house(Limits(patience=Rule(headers_s=0.1))) as (house, address, _):
        reader, writer = await call(address, b"GET / HTTP/1.1\r\nHo")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        [refusal] = house.refused
        assert refusal is not None
        assert refusal.reason is Reason.CLIENT_TIMEOUT
        assert house.handled == []
        writer.close()


async def test_each_byte_of_it_does_not_put_it_off() -> None:
    async with open_house(Limits(patience=Rule(headers_s=0.2))) as (house, address, _):
        _, writer = await call(address)
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaa":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
            if house.refused:
                break
        assert len(house.refused) == 1
        writer.close()


async def test_who_says_nothing_at_all_is_told_nothing_and_not_counted() -> None:
    async with open_house(Limits(patience=Rule(headers_s=0.1))) as (house, address, _):
        reader, writer = await call(address)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        assert house.refused == []
        writer.close()


async def test_a_pipelined_head_has_its_time_from_the_answer_before_it() -> None:
    async with open_house(Limits(patience=Rule(headers_s=0.1))) as (house, address, _):

        async def slow(inbound: Inbound, client: Client) -> None:
            await asyncio.sleep(0.3)
            client.write(OK)

        house.handle = slow  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/1") + get("/2")[:9])
        assert await reader.readexactly(len(OK)) == OK
        writer.write(get("/2")[9:])
        assert await reader.readexactly(len(OK)) == OK
        assert house.refused == []
        writer.close()


async def test_a_body_that_does_not_come_on_fails_for_whoever_waits_for_it() -> None:
    async with open_house(Limits(patience=Rule(body_s=0.15))) as (house, address, _):
        failed: asyncio.Future[BodyError] = asyncio.get_running_loop().create_future()

        async def wants(inbound: Inbound, client: Client) -> None:
            try:
                while not inbound.body.is_whole:
                    await inbound.body.more()
            except BodyError as error:
                failed.set_result(error)

        house.handle = wants  # type: ignore[method-assign]  # plays the pipeline
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        _, writer = await call(address, head)
        for _ in range(4):
            await asyncio.sleep(0.06)
            assert not failed.done(), "each byte puts it off"
            writer.write(b"a")
        assert (await asyncio.wait_for(failed, 2)).reason is Reason.CLIENT_TIMEOUT
        writer.close()


async def test_nobody_is_late_with_a_body_that_nobody_wants_yet() -> None:
    async with open_house(Limits(patience=Rule(body_s=0.05))) as (house, address, _):
        house.hangs = True
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        _, writer = await call(address, head)
        await asyncio.sleep(0.2)
        assert house.cancelled == 0
        writer.close()


async def test_a_caller_that_does_not_read_is_given_up() -> None:
    async with open_house(Limits(patience=Rule(write_s=0.2))) as (house, address, _):
        given_up: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def much(inbound: Inbound, client: Client) -> None:
            client.write(b"a" * (16 << 20))
            try:
                await client.flushed()
            except asyncio.CancelledError:
                given_up.set_result(client.has_stalled)
                raise

        house.handle = much  # type: ignore[method-assign]  # plays the pipeline
        with socket.create_connection((address.host, address.port)) as caller:
            caller.sendall(get("/"))
            assert await asyncio.wait_for(given_up, 2) is True


async def test_one_that_reads_slowly_is_not() -> None:
    # The kernels' buffers between the two move in steps of a megabyte or so.
    async with open_house(Limits(patience=Rule(write_s=1.0))) as (house, address, _):
        size = 24 << 20

        async def much(inbound: Inbound, client: Client) -> None:
            client.write(b"a" * size)
            await client.flushed()

        house.handle = much  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/"))
        got = 0
        while got < size:
            piece = await reader.read(1 << 20)
            assert piece, "it was given up"
            got += len(piece)
            await asyncio.sleep(0.01)
        assert got == size
        writer.close()


async def test_a_caller_who_leaves_while_its_upload_is_held_is_noticed() -> None:
    async with open_house() as (house, address, _):
        house.hangs = True
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n"
        # The end of a caller whose bytes do not fit into our kernel's buffer stays in its own.
        _, writer = await call(address, head + b"a" * 70_000, b"a" * 30_000)
        assert house.cancelled == 0
        writer.transport.abort()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if house.cancelled:
                break
        assert house.cancelled == 1


async def test_more_requests_than_anybody_pipelines_end_the_connection() -> None:
    async with open_house() as (house, address, _):
        reader, writer = await call(address, b"".join(get(f"/{n}") for n in range(600)))
        await asyncio.wait_for(reader.read(), 5)
        assert 0 < len(house.handled) <= 400
        assert [r.reason for r in house.refused if r] == [Reason.BAD_REQUEST]
        writer.close()
