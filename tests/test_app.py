"""The whole thing in one process: started, asked, shown, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import sidecar
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
    try:
        await app.start()
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


def chat(body: bytes, version: bytes = b"1.1") -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/%b\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (version, len(body), body)
    )


ENDLESS = b'{"model": "mock,tokens=1000,ttft=1ms,gap=50ms", "stream": true, "messages": []}'


async def sums(app: App) -> dict[str, float]:
    """Each family of /metrics, added up."""
    text = (await page(app, "/metrics")).partition(b"\r\n\r\n")[2].decode()
    added: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("llm_sidecar_")
            added[name] = added.get(name, 0) + sample.value
    return added


async def test_a_request_goes_through_and_is_counted() -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running(to=provider.url) as app:
            body = b'{"model": "mock,tokens=3,ttft=1ms,gap=1ms", "messages": []}'
            answer = await ask(app.data_address, chat(body))
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


async def test_the_books_balance_at_every_moment() -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running(to=provider.url) as app:
            _, stays = await asyncio.open_connection(app.data_address.host, app.data_address.port)
            stays.write(chat(ENDLESS))
            _, leaves = await asyncio.open_connection(app.data_address.host, app.data_address.port)
            leaves.write(chat(ENDLESS))
            await ask(app.data_address, b"GET /nowhere HTTP/1.0\r\nHost: evil.example\r\n\r\n")
            await ask(app.data_address, b"nonsense\r\n\r\n")
            for moment in range(20):
                if moment == 10:
                    leaves.close()
                books = await sums(app)
                ended = books["requests_total"]
                assert books["requests_started_total"] == ended + books["requests_in_flight"]
            assert (books["requests_started_total"], books["requests_in_flight"]) == (4, 1)
            stays.close()
        assert sorted(record.outcome for record in app._ring.newest(10)) == sorted(
            ["refused", "refused", "client_cancelled", "aborted"]
        )
    finally:
        await provider.stop()


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_stopping_cuts_what_runs_and_counts_it_as_drained(version: bytes) -> None:
    """A caller of HTTP/1.0 takes a plain end of the connection for the end of the answer."""
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running(to=provider.url) as app:
            host, port = app.data_address.host, app.data_address.port
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(chat(ENDLESS, version))
            answer = await reader.readuntil(b"data: ")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        was_reset = False
        try:
            answer += await reader.read()
        except ConnectionResetError:
            was_reset = True
        assert was_reset is (version == b"1.0")
        assert not answer.endswith(b"0\r\n\r\n")
        assert not app._desk.in_flight
        [record] = app._ring.newest(10)
        assert (record.outcome, record.reason) == ("aborted", "drained")
        writer.close()
    finally:
        await provider.stop()


async def test_after_stopping_nobody_is_connected_and_nobody_can_connect() -> None:
    async with running() as app:
        host, port = app.data_address.host, app.data_address.port
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert app._listener.connections == 1
    await asyncio.wait_for(reader.read(), 2)
    for address in (app.data_address, app.admin_address):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(address.host, address.port)
    writer.close()


async def test_limits_of_time_are_looked_after() -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    try:
        async with running("defaults.timeouts.first_byte=100ms", to=provider.url) as app:
            body = b'{"model": "mock,fault=hang", "messages": []}'
            answer = await asyncio.wait_for(ask(app.data_address, chat(body)), 5)
            assert answer.startswith(b"HTTP/1.1 504 ")
            assert b"x-sidecar-error: first_byte_timeout\r\n" in answer
    finally:
        await provider.stop()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_the_program_ends_well_on_sigterm_and_tells_what_it_cut(
    loop: str, tmp_path: Path
) -> None:
    provider = await mock.start(Address("127.0.0.1", 0))
    sets = [argument for setting in ANY for argument in ("--set", setting)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--to", provider.url, *sets),
        *("--set", "shutdown.drain=300ms"),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(sidecar.__file__).parent.parent), "SIDECAR_LOOP": loop},
    )
    try:
        assert process.stdout is not None
        started = json.loads(await asyncio.wait_for(process.stdout.readline(), 15))
        host, _, port = started["listen"].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(chat(ENDLESS))
        await reader.readuntil(b"data: ")
        process.send_signal(signal.SIGTERM)
        rest = await asyncio.wait_for(reader.read(), 10)
        assert not rest.endswith(b"0\r\n\r\n")
        lines = [json.loads(line) for line in (await process.stdout.read()).splitlines()]
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert [line["event"] for line in lines] == [
            "draining",
            "exchange",
            "drained",
            "stopped",
        ]
        assert (lines[1]["outcome"], lines[1]["reason"]) == ("aborted", "drained")
        writer.close()
    finally:
        if process.returncode is None:
            process.kill()
        await provider.stop()


@pytest.mark.parametrize("taken", ["listen", "admin"])
async def test_a_taken_port_is_one_sentence(taken: str) -> None:
    async with running() as app:
        address = app.data_address if taken == "listen" else app.admin_address
        with pytest.raises(StartError, match=rf"^{taken}\.address {address}: "):
            async with running(f"{taken}.address={address}"):
                pass
