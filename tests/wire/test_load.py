"""Many at once, and for a while: every stream whole, nothing kept, the books right all the time."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from .caller import LAST_CHUNK, Address, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import Script, Turn, answer, send_many, send_until_left
from .relay import LOOPS, Relay, assert_balanced, total

_STREAMS = 1000
_EVENTS = [b"data: %04d\n\n" % n for n in range(12)]
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BODY = b"".join(_EVENTS)
_CHAT = "/v1/chat/completions"


def test_a_thousand_streams_at_once_leave_nothing_behind(relay: Relay, plain: Side) -> None:
    """Three rounds. In each all streams are open before the first goes on after its head."""
    descriptors: list[int] = []
    rss: list[int] = []
    with _scraping(relay) as scrapes:
        for _ in range(3):
            target, path = plain.script(_all_together(_STREAMS), end=_CHAT)
            assert asyncio.run(_round(relay.data, target)) == [_BODY] * _STREAMS
            assert len(plain.origin.seen(path)) == _STREAMS
            relay.assert_settled()
            assert eventually(lambda: relay.total("connections_open", state="active") == 0)
            # The callers' ends are closed by the system in its own time.
            _until_steady(relay)
            descriptors.append(relay.descriptors)
            rss.append(relay.rss_bytes)
    assert descriptors[2] == descriptors[1], descriptors
    assert rss[2] <= rss[1] + (4 << 20), rss
    assert max(scrapes) >= _STREAMS * 0.9


def _all_together(count: int) -> Script:
    """Head and first event at once; the rest when `count` streams have come so far."""
    numbers = itertools.count(1)
    gate = asyncio.Event()

    async def rest(turn: Turn) -> None:
        if next(numbers) == count:
            # A moment for a scrape to see them all.
            asyncio.get_running_loop().call_later(0.3, gate.set)
        await gate.wait()
        await send_many([chunk(event) for event in _EVENTS[1:]], 0.02)(turn)

    return answer(_HEAD + chunk(_EVENTS[0]), rest, LAST_CHUNK)


async def _round(address: Address, target: str) -> list[bytes]:
    ask = request(target, b'{"stream": true}')
    return list(await asyncio.gather(*(_fetch(address, ask) for _ in range(_STREAMS))))


async def _fetch(address: Address, ask: bytes) -> bytes:
    """The body, de-chunked; empty where the framing does not end as it must."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(ask)
        await reader.readuntil(b"\r\n\r\n")
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        return body if await reader.readexactly(2) == b"\r\n" else b""
    finally:
        writer.close()
        await writer.wait_closed()


@contextmanager
def _scraping(relay: Relay) -> Iterator[list[float]]:
    """Scrape all the while; each scrape must balance. Tells how many were in flight in each."""
    seen: list[float] = []
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(0.05):
            samples = relay.samples()
            assert_balanced(samples)
            seen.append(total(samples, "requests_in_flight"))

    with ThreadPoolExecutor(1) as scraper:
        scraping = scraper.submit(scrape)
        try:
            yield seen
        finally:
            over.set()
            scraping.result(30)


def _until_steady(relay: Relay, within_s: float = 3.0) -> None:
    """Wait until the number of descriptors has not changed for a fifth of a second."""
    end = time.monotonic() + within_s
    before, now = -1, relay.descriptors
    while before != now and time.monotonic() < end:
        time.sleep(0.2)
        before, now = now, relay.descriptors


def test_steady_traffic_reuses_its_connections(relay: Relay, side: Side) -> None:
    """Eight callers, one request after the other, a third of them streams."""
    body = b'{"ok": true}'
    plain_answer = answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    stream = answer(_HEAD, send_many([chunk(event) for event in _EVENTS[:3]]), LAST_CHUNK)
    target, _ = side.script(plain_answer, end=_CHAT)
    streaming, _ = side.script(stream, end=_CHAT)

    def work(count: int) -> set[tuple[int, End]]:
        endings = set()
        with Caller(relay.data) as caller:
            for n in range(count):
                got = caller.ask(request(streaming if n % 3 == 0 else target, b"{}"))
                endings.add((got.status, got.end))
        return endings

    name = side.prefix[1:]
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(work, [5] * 8))
        opened = relay.total("connections_opened_total", upstream=name)
        accepted = side.origin.connections
        endings = set().union(*callers.map(work, [150] * 8))
    assert endings == {(200, End.WHOLE)}
    newly = relay.total("connections_opened_total", upstream=name) - opened
    assert newly == side.origin.connections - accepted
    assert newly <= 0.01 * 8 * 150


@pytest.mark.parametrize("loop", LOOPS)
def test_t111_few_descriptors_are_shared_out_and_the_operator_keeps_some(
    loop: str, plain: Side, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{plain.origin.port}"
    relay = Relay(tmp_path, f'  plain: {{url: "{url}"}}\n', loop, descriptors=164)
    target, _ = plain.script(answer(_HEAD, send_until_left(chunk(b"a"), 0.1)))
    good, _ = plain.script(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    callers: list[Caller] = []
    try:
        for _ in range(80):
            caller = Caller(relay.data)
            callers.append(caller)
            caller.send(request(target))
        statuses = [int(caller.read_until(b"\r\n\r\n")[9:12]) for caller in callers]
        assert statuses.count(200) == 50
        assert statuses.count(503) == 30
        assert relay.page("/readyz")[0] == 200
    finally:
        for caller in callers:
            caller.close()
    assert eventually(lambda: relay.total("requests_in_flight") == 0)
    with Caller(relay.data) as caller:
        assert caller.ask(request(good)).body == b"ok"
    assert relay.stop() == 0
    assert '"few_descriptors"' in relay.text
    assert "Traceback" not in relay.text
