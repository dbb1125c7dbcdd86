"""The data port on loopback: what reaches the pipeline, and what is answered without it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.net.listener import Limits, Listener
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class House:
    """Stands for the pipeline: answers OK, or waits; keeps what it was given."""

    def __init__(self) -> None:
        self.handled: list[Inbound] = []
        self.refused: list[Refusal | None] = []
        self.refused_heads: list[RequestHead] = []
        self.cancelled = 0
        self.errors: list[Exception] = []
        self.answer = OK
        self.hangs = False
        self.breaks = False

    async def handle(self, inbound: Inbound, client: Client) -> None:
        self.handled.append(inbound)
        if self.breaks:
            raise ZeroDivisionError
        try:
            if self.hangs:
                await asyncio.get_running_loop().create_future()
            while not inbound.body.is_whole:
                await inbound.body.more()
            client.write(self.answer)
            await client.flushed()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def refuse(self, inbound: Inbound, client: Client, refusal: Refusal | None) -> None:
        self.refused.append(refusal)
        self.refused_heads.append(inbound.head)
        client.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


@contextlib.asynccontextmanager
async def open_house(
    limits: Limits | None = None, where: Address | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[House, Address, Listener]]:
    house = House()
    listener = Listener(
        lambda inbound, client: house.handle(inbound, client),
        house.refuse,
        house.errors.append,
        limits,
    )
    address = await listener.bind(where or Address("127.0.0.1", 0), tls)
    ticking = asyncio.create_task(_tick(listener), name="tick")
    try:
        yield house, address, listener
    finally:
        ticking.cancel()
        await listener.close()


async def _tick(listener: Listener) -> None:
    while True:
        await asyncio.sleep(0.01)
        listener.tick(monotonic())


async def call(
    address: Address, *pieces: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.01)
    return reader, writer


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


async def test_requests_of_one_connection_are_served_in_their_order() -> None:
    async with open_house() as (house, address, _):
        reader, writer = await call(address, get("/1") + get("/2") + get("/3"))
        assert await reader.readexactly(3 * len(OK)) == 3 * OK
        assert [inbound.head.target for inbound in house.handled] == ["/1", "/2", "/3"]
        writer.close()


async def test_more_than_may_wait_are_served_all_the_same() -> None:
    async with open_house() as (house, address, _):
        reader, writer = await call(address, b"".join(get(f"/{n}") for n in range(200)))
        assert await reader.readexactly(200 * len(OK)) == 200 * OK
        assert [i.head.target for i in house.handled] == [f"/{n}" for n in range(200)]
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        get("/", "Connection: close"),
        b"GET / HTTP/1.0\r\n\r\n",
        get("/", "Connection: Upgrade", "Upgrade: h2c"),
    ],
)
async def test_the_last_request_of_a_connection_closes_it(request_: bytes) -> None:
    async with open_house() as (_, address, _):
        reader, writer = await call(address, request_)
        assert await reader.read() == OK
        writer.close()


async def test_what_is_no_request_is_refused_after_what_was() -> None:
    async with open_house() as (house, address, _):
        reader, writer = await call(address, get("/1") + b"nonsense\r\n\r\n")
        assert (await reader.read()).startswith(OK + b"HTTP/1.1 400 ")
        [refusal] = house.refused
        assert refusal is not None
        assert refusal.reason is Reason.BAD_REQUEST
        writer.close()


async def test_a_caller_that_leaves_cancels_its_request() -> None:
    async with open_house() as (house, address, _):
        house.hangs = True
        _, writer = await call(address, get("/"))
        writer.close()
        await asyncio.sleep(0.05)
        assert house.cancelled == 1


async def test_those_that_waited_behind_it_are_counted_too() -> None:
    async with open_house() as (house, address, _):
        house.hangs = True
        _, writer = await call(address, get("/1") + get("/2") + get("/3"))
        writer.close()
        await asyncio.sleep(0.05)
        assert len(house.handled) == 1
        assert house.refused == [None, None]


async def test_a_half_closed_caller_has_left() -> None:
    async with open_house() as (house, address, _):
        house.hangs = True
        reader, writer = await call(address, get("/"))
        writer.write_eof()
        assert await reader.read() == b""
        assert house.cancelled == 1
        writer.close()


async def test_a_bug_is_reported_and_ends_the_connection() -> None:
    async with open_house() as (house, address, _):
        house.breaks = True
        reader, writer = await call(address, get("/"))
        assert await reader.read() == b""
        assert isinstance(house.errors[0], ZeroDivisionError)
        writer.close()


async def test_a_taken_port_is_one_sentence() -> None:
    async with open_house() as (house, address, _):
        other = Listener(house.handle, house.refuse, house.errors.append)
        with pytest.raises(StartError, match=r"listen\.address"):
            await other.bind(address)


@pytest.mark.parametrize(
    ("host", "why"),
    [("no-such-host.invalid", "no such host"), ("203.0.113.7", "cannot assign requested address")],
)
async def test_an_address_that_is_not_ours_is_one_sentence(host: str, why: str) -> None:
    house = House()
    listener = Listener(house.handle, house.refuse, house.errors.append)
    with pytest.raises(StartError, match=rf"^listen\.address {host}:1234: .*\({why}\); set it"):
        await listener.bind(Address(host, 1234))


async def test_localhost_is_one_family_where_there_is_only_one() -> None:
    class Localhost(Address):
        hosts = ("127.0.0.1", "203.0.113.7")  # the second is none of this machine's

    house = House()
    listener = Listener(house.handle, house.refuse, house.errors.append)
    address = await listener.bind(Localhost("localhost", 0))
    reader, writer = await call(Address("127.0.0.1", address.port), get("/"))
    assert await reader.readexactly(len(OK)) == OK
    writer.close()
    await listener.close()


async def test_localhost_is_both_families() -> None:
    house = House()
    listener = Listener(house.handle, house.refuse, house.errors.append)
    address = await listener.bind(Address("localhost", 0))
    for host in ("127.0.0.1", "::1"):
        reader, writer = await call(Address(host, address.port), get("/"))
        assert await reader.readexactly(len(OK)) == OK
        writer.close()
    await listener.close()


async def test_closing_ends_what_is_served() -> None:
    async with open_house() as (house, address, listener):
        house.hangs = True
        reader, writer = await call(address, get("/"))
        assert listener.connections == 1
        await listener.close()
        assert house.cancelled == 1
        assert await reader.read() == b""
        writer.close()
