"""The admin port opens, says where it is, and closes; or says in a sentence why not."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import ClientConnectorError, ClientSession

from sidecar.admin import server
from sidecar.admin.pages import Sources
from sidecar.core.address import Address
from sidecar.core.errors import StartError


async def _no_metrics(_: str | None, __: str | None) -> tuple[bytes, str, bool]:
    return b"", "text/plain", False


_SOURCES = Sources(
    metrics=_no_metrics,
    exchanges=lambda limit, outcome, any_id, model: [],
    streams=list,
    upstreams=list,
    config_view=dict,
    readiness=lambda: (True, "taking requests"),
    loop_lag_s=lambda: 0.0,
    allowed_hosts=lambda: ("127.0.0.1", "::1", "localhost"),
    drain=dict,
)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def _status(session: ClientSession, address: Address) -> int:
    async with session.get(f"http://{address}/livez") as answer:
        return answer.status


def test_it_answers_until_it_is_closed() -> None:
    async def run() -> None:
        port = await server.start(Address("127.0.0.1", 0), _SOURCES)
        (address,) = port.addresses
        assert address.port != 0
        async with ClientSession() as session:
            assert await _status(session, address) == 200
        await port.close()
        async with ClientSession() as session:
            with pytest.raises(ClientConnectorError):
                await _status(session, address)

    asyncio.run(run())


def test_localhost_is_both_families_with_one_port() -> None:
    async def run() -> None:
        port = await server.start(Address("localhost", 0), _SOURCES)
        expected = ["127.0.0.1", "::1"] if _has_ipv6() else ["127.0.0.1"]
        assert [address.host for address in port.addresses] == expected
        assert len({address.port for address in port.addresses}) == 1
        async with ClientSession() as session:
            for address in port.addresses:
                assert await _status(session, address) == 200
        await port.close()

    asyncio.run(run())


def test_a_port_that_is_taken_is_one_sentence_that_names_the_setting() -> None:
    async def run() -> str:
        first = await server.start(Address("127.0.0.1", 0), _SOURCES)
        try:
            with pytest.raises(StartError) as caught:
                await server.start(first.addresses[0], _SOURCES)
        finally:
            await first.close()
        return str(caught.value)

    sentence = asyncio.run(run())
    assert sentence.startswith("admin.address 127.0.0.1:")
    assert "in use" in sentence
    assert "SIDECAR_ADMIN" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_one_sentence(host: str) -> None:
    with pytest.raises(StartError, match=r"^admin\.address .*: cannot listen there \(.+\)"):
        asyncio.run(server.start(Address(host, 0), _SOURCES))


def test_the_pages_refuse_a_foreign_host_here_too() -> None:
    async def run() -> int:
        port = await server.start(Address("127.0.0.1", 0), _SOURCES)
        url = f"http://{port.addresses[0]}/livez"
        try:
            async with (
                ClientSession() as session,
                session.get(url, headers={"Host": "evil.example"}) as answer,
            ):
                return answer.status
        finally:
            await port.close()

    assert asyncio.run(run()) == 421
