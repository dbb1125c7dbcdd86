"""The whole thing in one process: started, asked, shown, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator

import pytest

from sidecar.app import App
from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.lab import mock
from sidecar.settings.load import load
from sidecar.telemetry.ledger import Ledger
from sidecar.telemetry.log import LogWriter

ANY = ["listen.address=127.0.0.1:0", "admin.address=127.0.0.1:0"]


@contextlib.asynccontextmanager
async def running(*sets: str, to: str | None = None) -> AsyncIterator[App]:
    settings = load(None, sets=[*ANY, *sets], to=to, env={})
    ledger = Ledger(upstream.name for upstream in settings.upstreams)
    log = LogWriter(os.open(os.devnull, os.O_WRONLY), lambda reason, count: None)
    app = App(settings, log, ledger)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()
        log.close(2)


async def ask(address: Address, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(message)
    answer = await reader.read()
    writer.close()
    return answer


async def page(app: App, path: str) -> bytes:
    message = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return await ask(app.admin_address, message.encode())


async def test_a_request_goes_through_and_is_counted() -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running(to=provider.url) as app:
            body = b'{"model": "mock,tokens=3,ttft=1ms,gap=1ms", "messages": []}'
            answer = await ask(
                app.data_address,
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body),
            )
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"ready" in await page(app, "/readyz?verbose")
            shown = json.loads((await page(app, "/exchanges")).partition(b"\r\n\r\n")[2])
            [exchange] = shown["exchanges"]
            assert (exchange["outcome"], exchange["upstream"]) == ("ok", "default")
            metrics = await page(app, "/metrics")
            assert b'requests_total{outcome="ok",upstream="default"} 1.0' in metrics
            assert b'"streams":[]' in await page(app, "/streams")
            assert b'"name":"default"' in await page(app, "/upstreams")
            assert b'"hash"' in await page(app, "/config")
    finally:
        await provider.stop()


async def test_bytes_that_are_no_request_are_counted_under_no_upstream() -> None:
    async with running() as app:
        assert (await ask(app.data_address, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        metrics = await page(app, "/metrics")
        assert b'requests_total{outcome="refused",upstream="none"} 1.0' in metrics


async def test_stopping_cuts_what_runs_and_counts_it_as_drained() -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running(to=provider.url) as app:
            body = b'{"model": "mock,tokens=1000,gap=50ms", "stream": true, "messages": []}'
            asking = asyncio.create_task(
                ask(
                    app.data_address,
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body),
                ),
                name="caller",
            )
            while not app._desk.in_flight or next(iter(app._desk.in_flight)).status is None:
                await asyncio.sleep(0.01)
        answer = await asking
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert not answer.endswith(b"0\r\n\r\n")
        assert not app._desk.in_flight
        [record] = app._ring.newest(10)
        assert (record.outcome, record.reason) == ("aborted", "drained")
    finally:
        await provider.stop()


async def test_a_taken_port_is_one_sentence() -> None:
    async with running() as app:
        with pytest.raises(StartError, match=r"in use|cannot listen"):
            async with running(f"listen.address={app.data_address}"):
                pass
