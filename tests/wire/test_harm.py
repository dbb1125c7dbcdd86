"""Observing never harms traffic: neither a collector, nor a scrape, nor a log that hangs.

Case numbers (T112 …) are those of the design's list of faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .caller import LAST_CHUNK, Caller, chunk, request
from .collector import Collector
from .conftest import Side
from .origin import answer, send_many
from .relay import Relay, free_port

CHAT = "/v1/chat/completions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = 60
GAP_S = 0.005


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.delay_s = 0.0
    made.close()


def _relay(folder: Path, plain: Side, telemetry: str) -> Relay:
    folder.mkdir()
    url = f"http://127.0.0.1:{plain.origin.port}"
    line = f'  plain: {{url: "{url}", dialect: openai, provider: openai}}\n'
    return Relay(folder, line, telemetry=telemetry)


def _delays(relay: Relay, plain: Side) -> list[float]:
    """How late each event of a stream came, while others make work for the exporter."""
    over = threading.Event()

    def others() -> None:
        reply = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        with Caller(relay.data) as caller:
            while not over.is_set():
                target, _ = plain.script(reply, end=CHAT)
                caller.ask(request(target, b'{"model":"m"}'))
                time.sleep(0.002)

    busy = threading.Thread(target=others)
    busy.start()
    sent: list[float] = []
    came: list[float] = []

    async def stamp(turn: object) -> None:
        for _ in range(EVENTS):
            sent.append(time.monotonic())
            await turn.send(chunk(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'))  # type: ignore[attr-defined]  # a Turn
            await asyncio.sleep(GAP_S)

    try:
        target, _ = plain.script(
            (*answer(HEAD), stamp, *answer(chunk(b"data: [DONE]\n\n"), LAST_CHUNK)[1:]), end=CHAT
        )
        with Caller(relay.data) as caller:
            caller.send(request(target, b'{"model":"m"}'))
            seen = b""
            while b"[DONE]" not in seen:
                piece = caller.read_some()
                now = time.monotonic()
                seen += piece
                came += [now] * (seen.count(b'"x"') - len(came))
    finally:
        over.set()
        busy.join()
    return [there - here for here, there in zip(sent, came, strict=True)]


def _quantiles(delays: list[float]) -> tuple[float, float]:
    ordered = sorted(delays)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]


TROUBLES: dict[str, Callable[[Collector], None]] = {
    "down": lambda collector: None,
    "slow": lambda collector: setattr(collector, "delay_s", 0.2),
    "hanging": lambda collector: setattr(collector, "delay_s", 30.0),
    "answering 500": lambda collector: setattr(collector, "status", 500),
    "answering 429": lambda collector: setattr(collector, "status", 429),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_t112_whatever_a_collector_does_events_come_as_without_one(
    tmp_path: Path, plain: Side, collector: Collector, trouble: str
) -> None:
    TROUBLES[trouble](collector)
    url = f"http://127.0.0.1:{free_port()}" if trouble == "down" else collector.http_url
    otlp = f', otlp: {{endpoint: "{url}", queue: 300, timeout: 500ms, interval: 200ms}}'
    without = _relay(tmp_path / "without", plain, "")
    exporting = _relay(tmp_path / "with", plain, otlp + ", metrics: {export: both}")
    rounds = []
    try:
        # The best of three: a neighbour can only make it worse.
        for _ in range(3):
            plain_p50, plain_p99 = _quantiles(_delays(without, plain))
            p50, p99 = _quantiles(_delays(exporting, plain))
            rounds.append((p50, plain_p50, p99, plain_p99))
            if p50 <= 1.5 * plain_p50 and p99 <= 2 * plain_p99 + 0.002:
                break
        else:
            raise AssertionError(f"events are late: {rounds}")
        before = exporting.rss_bytes
        for _ in range(2):
            _delays(exporting, plain)
        assert exporting.rss_bytes - before < 8 * 1024 * 1024
        if trouble not in ("slow",):
            assert exporting.total("telemetry_dropped_total") > 0
        assert {row["outcome"] for row in exporting.records()} == {"ok"}
    finally:
        for relay in (without, exporting):
            assert relay.stop() == 0


def test_a_log_that_nobody_reads_stalls_no_stream(tmp_path: Path, plain: Side) -> None:
    """Standard output is a pipe that is full from the start."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(write_fd, b"." * 4096):
            pass
    os.set_blocking(write_fd, True)
    data, admin = free_port(), free_port()
    url = f"http://127.0.0.1:{plain.origin.port}"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sidecar", "run", "--to", url),
            "--set",
            f"listen.address=127.0.0.1:{data}",
            "--set",
            f"admin.address=127.0.0.1:{admin}",
        ],
        stdout=write_fd,
        cwd=tmp_path,
    )
    os.close(write_fd)
    try:
        for _ in range(200):
            try:
                Caller(("127.0.0.1", admin)).close()
                break
            except OSError:
                time.sleep(0.05)
        pieces = [chunk(b"data: {}\n\n")] * 20
        stream = answer(HEAD, send_many(pieces, 0.005), chunk(b"data: [DONE]\n\n") + LAST_CHUNK)
        for _ in range(30):
            _, target = plain.script(stream, end=CHAT)
            began = time.monotonic()
            with Caller(("127.0.0.1", data)) as caller:
                assert caller.ask(request(target, b"{}")).status == 200
            assert time.monotonic() - began < 2.0
    finally:
        process.terminate()
        assert process.wait(10) == 0
        os.close(read_fd)
