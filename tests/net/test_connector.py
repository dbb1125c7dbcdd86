"""The pool on aiohttp's connector: what it is told of, and what it closes."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.net.connector import ClientConnection, Connector, request_template

from .peers import answer_all, listening


class Rules:
    """What a connector asks."""

    connect_timeout_s: float | None = 1.0
    max_idle: int | None = None
    is_old = False

    def is_too_old(self, opened_at: float, now: float) -> bool:
        return self.is_old


def _connector(rules: Rules, port: int, keepalive_s: float | None = 30) -> Connector:
    loop = asyncio.get_running_loop()
    template = request_template(
        f"http://127.0.0.1:{port}", loop, tls=True, proxy=None, proxy_headers=None
    )
    return Connector(rules, template, keepalive_timeout=keepalive_s)


async def test_an_empty_pool_has_nothing() -> None:
    async with listening(answer_all) as port:
        connector = _connector(Rules(), port)
        assert connector.take_idle() is None
        await connector.close()


async def test_idle_connections_end_after_their_time() -> None:
    async with listening(answer_all) as port:
        connector = _connector(Rules(), port, keepalive_s=0.05)
        connector.put_back(await connector.open_new(), is_fit=True)
        assert connector.idle == 1
        await asyncio.sleep(0.2)
        assert connector.idle == 0
        assert connector.take_idle() is None
        await connector.close()


async def test_without_a_time_they_stay() -> None:
    async with listening(answer_all) as port:
        connector = _connector(Rules(), port, keepalive_s=None)
        made = await connector.open_new()
        assert isinstance(made, ClientConnection)
        assert made.connect_s > 0
        connector.put_back(made, is_fit=True)
        assert connector.take_idle() is made
        await connector.close()


async def test_unfit_and_old_ones_are_closed_when_they_come_back() -> None:
    async with listening(answer_all) as port:
        rules = Rules()
        connector = _connector(rules, port)
        connector.put_back(await connector.open_new(), is_fit=False)
        made = await connector.open_new()
        rules.is_old = True
        connector.put_back(made, is_fit=True)
        assert (connector.idle, connector.active) == (0, 0)
        await connector.close()


@pytest.mark.parametrize("keepalive_s", [30, None])
async def test_one_that_the_upstream_ended_is_not_counted_and_not_handed_out(
    keepalive_s: float | None,
) -> None:
    async def answer_and_part(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.close()

    async with listening(answer_and_part) as port:
        connector = _connector(Rules(), port, keepalive_s=keepalive_s)
        connector.put_back(await connector.open_new(), is_fit=True)
        assert connector.idle == 1
        await asyncio.sleep(0.2)
        assert connector.idle == 0
        assert connector.take_idle() is None
        await connector.close()


async def test_a_closed_connector_takes_nothing_back() -> None:
    async with listening(answer_all) as port:
        connector = _connector(Rules(), port)
        made = await connector.open_new()
        await connector.close()
        connector.put_back(made, is_fit=True)
        assert connector.idle == 0
