"""Names on the way out, with a resolver of our own: none, late, two of which one is dead.

Case numbers (T44, T45) are those of the design's list of faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sidecar.core.outcome import Reason
from sidecar.net.connector import Connector, request_template
from sidecar.net.faults import CONNECT_ERRORS, reason_of_connect

from .peers import answer_all, listening

_LIMIT_S = 0.8
_LATE_S = 0.5


class Resolver(AbstractResolver):
    """Tells these addresses, or fails, when `gate` is open; counts how often it was asked."""

    def __init__(self, *hosts: str) -> None:
        self.hosts: Sequence[str] = hosts
        self.error: OSError | None = None
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.hosts
        ]

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(slots=True)
class Rules:
    connect_timeout_s: float | None = _LIMIT_S
    max_idle: int | None = None

    def is_too_old(self, opened_at: float, now: float) -> bool:
        return False


@contextlib.asynccontextmanager
async def connecting(resolver: Resolver, port: int) -> AsyncIterator[Connector]:
    loop = asyncio.get_running_loop()
    template = request_template(
        f"http://two.example:{port}", loop, tls=True, proxy=None, proxy_headers=None
    )
    connector = Connector(Rules(), template, resolver=resolver, ttl_dns_cache=60)
    try:
        yield connector
    finally:
        await connector.close()


async def _outcome(connector: Connector) -> tuple[Reason | None, float]:
    """(why there is no connection; None: there was one, and it is closed again; seconds)"""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        connector.put_back(await connector.open_new(), is_fit=False)
    except CONNECT_ERRORS as error:
        return reason_of_connect(error), loop.time() - began
    return None, loop.time() - began


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def refused(host: str, port: int) -> Iterator[None]:
    """Nobody listens there, and nobody else can."""
    with socket.socket() as bound:
        bound.bind((host, port))
        yield


@contextlib.contextmanager
def swallowed(host: str, port: int) -> Iterator[None]:
    """The queue is full and nobody takes from it: every SYN is dropped."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.bind((host, port))
        full.listen(0)
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield


Dead = Callable[[str, int], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize("dead_first", [True, False], ids=["dead first", "dead last"])
@pytest.mark.parametrize("dead", [refused, swallowed])
async def test_t45_of_two_addresses_the_live_one_is_taken(dead: Dead, dead_first: bool) -> None:
    """Whichever is tried first, and whether the dead one refuses or says nothing."""
    hosts = ("127.0.0.2", "127.0.0.1") if dead_first else ("127.0.0.1", "127.0.0.2")
    async with listening(answer_all) as port:
        with dead("127.0.0.2", port):
            async with connecting(Resolver(*hosts), port) as connector:
                for _ in range(3):
                    reason, took_s = await _outcome(connector)
                    assert reason is None
                    assert took_s < _LIMIT_S


@pytest.mark.parametrize("dead", [refused, swallowed])
async def test_t45_of_two_dead_addresses_there_is_none_in_time(dead: Dead) -> None:
    """The limit is over both together, and no half-open socket stays."""
    with socket.socket() as chosen:
        # Keeps the port for itself on one address; the dead ones have it on two others.
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
        with dead("127.0.0.2", port), dead("127.0.0.3", port):
            async with connecting(Resolver("127.0.0.2", "127.0.0.3"), port) as connector:
                before = _descriptors()
                reason, took_s = await _outcome(connector)
                assert reason is Reason.CONNECT_FAILED
                assert took_s <= _LIMIT_S + _LATE_S
                await asyncio.sleep(0.05)
                assert _descriptors() <= before


async def test_t44_a_resolver_that_hangs_is_given_up_at_the_limit_and_asked_once() -> None:
    """Requests that come meanwhile share the one look-up, and its answer when it comes."""
    async with listening(answer_all) as port:
        resolver = Resolver("127.0.0.1")
        resolver.gate.clear()
        async with connecting(resolver, port) as connector:
            outcomes = await asyncio.gather(*(_outcome(connector) for _ in range(5)))
            for reason, took_s in outcomes:
                assert reason is Reason.CONNECT_FAILED
                assert _LIMIT_S <= took_s <= _LIMIT_S + _LATE_S
            assert resolver.asked == 1
            resolver.gate.set()
            await asyncio.sleep(0)
            assert (await _outcome(connector))[0] is None


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "NXDOMAIN"),
        socket.gaierror(socket.EAI_AGAIN, "SERVFAIL"),
        OSError("no answer"),
    ],
    ids=["NXDOMAIN", "SERVFAIL", "other"],
)
async def test_t44_a_name_that_fails_is_told_and_not_remembered(error: OSError) -> None:
    """The next request may find it."""
    async with listening(answer_all) as port:
        resolver = Resolver("127.0.0.1")
        resolver.error = error
        async with connecting(resolver, port) as connector:
            for _ in range(2):
                assert (await _outcome(connector))[0] is Reason.DNS_FAILED
            assert resolver.asked == 2
            resolver.error = None
            assert (await _outcome(connector))[0] is None
            assert resolver.asked == 3


async def test_a_name_that_was_found_is_remembered() -> None:
    async with listening(answer_all) as port:
        resolver = Resolver("127.0.0.1")
        async with connecting(resolver, port) as connector:
            for _ in range(3):
                assert (await _outcome(connector))[0] is None
            assert resolver.asked == 1
