"""The real program, started as a user starts it, and looked at from outside.

Knows: how to start and stop it, and what its admin port, log and process tell.
Must not know: anything inside it. The process figures come from /proc, so these tests want Linux.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

LOOPS = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
_START_S = 15.0
_STOP_S = 35.0

Row = dict[str, Any]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Relay:
    """`sidecar run -c FILE` on free ports. `upstreams` is the YAML below that key; None: no file
    at all, the configuration as it is shipped. `listen`, `admin`, `telemetry`: more of these
    blocks, beginning with a comma."""

    def __init__(
        self,
        folder: Path,
        upstreams: str | None,
        loop: str = "asyncio",
        *,
        log_level: str = "info",
        more: str = "",
        listen: str = "",
        admin: str = "",
        environment: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        descriptors: int | None = None,
        telemetry: str = "",
    ) -> None:
        self._headers = headers or {}
        """What the admin port wants to see."""
        self.loop = loop
        self.data = ("127.0.0.1", free_port())
        self.admin = ("127.0.0.1", free_port())
        if upstreams is None:
            arguments = [
                *("--set", f"listen.address=127.0.0.1:{self.data[1]}"),
                *("--set", f"admin.address=127.0.0.1:{self.admin[1]}"),
            ]
        else:
            file = folder / "relay.yaml"
            file.write_text(
                f"version: 1\n"
                f'listen: {{address: "127.0.0.1:{self.data[1]}"{listen}}}\n'
                f'admin: {{address: "127.0.0.1:{self.admin[1]}"{admin}}}\n'
                f"telemetry: {{log: {{format: json, level: {log_level}}}{telemetry}}}\n"
                f"upstreams:\n{upstreams}{more}"
            )
            arguments = ["-c", str(file)]
        self._out = folder / "out.log"
        self._err = folder / "err.log"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sidecar", "run", *arguments],
                stdout=out,
                stderr=err,
                cwd=folder,
                env=_environment(loop) | (environment or {}),
                preexec_fn=None if descriptors is None else lambda: _limit(descriptors),
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self.page("/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        self._process.kill()
        raise AssertionError(f"the relay did not become ready:\n{self.text}")

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.exit_status(_STOP_S)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def exit_status(self, within_s: float) -> int:
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    # --- what it tells ---

    def page(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """(status, body) of a page of the admin port."""
        connection = http.client.HTTPConnection(*self.admin, timeout=10)
        try:
            connection.request(method, path, headers=self._headers | (headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def records(self, query: str = "limit=1000") -> list[Row]:
        """Finished exchanges, newest first."""
        status, body = self.page(f"/exchanges?{query}")
        assert status == 200, body
        rows: list[Row] = json.loads(body)["exchanges"]
        return rows

    def record(self, request_id: str, within_s: float = 3.0) -> Row:
        """The one exchange with this id, once it has ended."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if rows := self.records(f"id={request_id}"):
                assert len(rows) == 1, rows
                return rows[0]
            time.sleep(0.01)
        raise AssertionError(f"no record of {request_id}; in flight: {self.page('/streams')[1]!r}")

    @property
    def text(self) -> str:
        """All that it printed."""
        return self._out.read_text(errors="replace") + self._err.read_text(errors="replace")

    def log(self, event: str) -> list[Row]:
        """The lines of one kind, oldest first."""
        lines = (json.loads(line) for line in self._out.read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def streams(self) -> list[Row]:
        """What is in flight."""
        rows: list[Row] = json.loads(self.page("/streams")[1])["streams"]
        return rows

    def samples(self) -> Samples:
        """Every sample of /metrics."""
        status, body = self.page("/metrics")
        assert status == 200, body
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of `llm_sidecar_…` that bear these labels."""
        return total(self.samples(), name, **labels)

    def assert_settled(self, within_s: float = 3.0) -> None:
        """Nothing in flight, and every request that was started has its outcome."""
        end = time.monotonic() + within_s
        while True:
            samples = self.samples()
            assert_balanced(samples)
            left = total(samples, "requests_in_flight")
            if not left:
                return
            assert time.monotonic() < end, f"{left} in flight: {self.page('/streams')[1]!r}"
            time.sleep(0.01)

    # --- what the system tells of it ---

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    @property
    def rss_bytes(self) -> int:
        with open(f"/proc/{self._process.pid}/status") as lines:
            resident = next(line for line in lines if line.startswith("VmRSS"))
        return int(resident.split()[1]) * 1024

    @property
    def cpu_s(self) -> float:
        with open(f"/proc/{self._process.pid}/stat") as line:
            fields = line.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def peak_rss(self) -> Iterator[list[int]]:
        """Samples of its memory in bytes while the block runs."""
        seen = [self.rss_bytes]
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.005):
                seen.append(self.rss_bytes)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()


def _limit(descriptors: int | None) -> None:
    assert descriptors is not None
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over the samples of one family that bear these labels."""
    wanted = frozenset(labels.items())
    return sum(
        value
        for (sample, having), value in samples.items()
        if sample == f"llm_sidecar_{name}" and wanted <= having
    )


def assert_balanced(samples: Samples) -> None:
    """Started = outcomes + in flight, in one scrape."""
    started = total(samples, "requests_started_total")
    ended = total(samples, "requests_total")
    assert started == ended + total(samples, "requests_in_flight")


def _environment(loop: str) -> dict[str, str]:
    """The caller's, without what would steer the relay; and with the code under test in reach."""
    spec = importlib.util.find_spec("sidecar")
    assert spec is not None
    assert spec.origin is not None
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SIDECAR_", "OTEL_")) and not name.lower().endswith("_proxy")
    }
    code = str(Path(spec.origin).parent.parent)
    return kept | {"PYTHONPATH": code, "SIDECAR_LOOP": loop}
