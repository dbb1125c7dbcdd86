"""Relays as processes, and what the kernel says of them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROUNDS = 3
_CPUS = sorted(os.sched_getaffinity(0))
_WHOLE_REQUESTS = 12_000
_STREAMS, _EVENTS = 50, 150
_OPEN_STREAMS = 1000


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _on_cpu(number: int) -> Callable[[], None] | None:
    if len(_CPUS) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {_CPUS[number]})


@dataclass
class Relay:
    """A running relay (or the origin itself, for the direct way)."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Time on a processor so far, of all threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory_kib(self) -> float:
        """Proportional share of memory."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+)", rollup, re.MULTILINE)
        assert found is not None
        return float(found[1])


@contextlib.contextmanager
def running(name: str, port: int, command: list[str], cpu: int, out: IO[bytes]) -> Iterator[Relay]:
    """Start it, wait until it accepts, end it by its id."""
    process = subprocess.Popen(  # the interpreter of this very run, and our own modules
        [sys.executable, *command], stdout=out, stderr=out, preexec_fn=_on_cpu(cpu)
    )
    try:
        give_up = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{name} did not start; exit status {process.poll()}")
            time.sleep(0.01)
        yield Relay(name, port, process)
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def load(port: int, kind: str, callers: int, requests: int, model: str) -> dict[str, float]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.load",
            *map(str, (port, kind, callers, requests, model)),
        ],
        preexec_fn=_on_cpu(1),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr.strip().splitlines()[-1:]}")
    figures: dict[str, float] = json.loads(done.stdout)
    assert figures["answered"] == requests
    return figures


@dataclass
class Figures:
    """One value a round. `first_s` is the median time to the first event for a lone caller."""

    request_us: list[float] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    stream_kib: list[float] = field(default_factory=list)


def measure(relay: Relay, figures: Figures) -> None:
    """One round: buffered requests, paced streams, a lone caller."""
    before = relay.cpu_s()
    load(relay.port, "whole", 32, _WHOLE_REQUESTS, "sim-0-0-0")
    figures.request_us.append((relay.cpu_s() - before) / _WHOLE_REQUESTS * 1e6)
    before = relay.cpu_s()
    load(relay.port, "stream", _STREAMS, _STREAMS, f"sim-{_EVENTS}-20-50")
    figures.event_us.append((relay.cpu_s() - before) / (_STREAMS * _EVENTS) * 1e6)
    figures.first_s.append(load(relay.port, "stream", 1, 300, "sim-3-1-0")["first_p50_s"])


def measure_memory(relay: Relay, figures: Figures) -> None:
    """What 1,000 open streams cost, after as many were served once (allocators keep room)."""
    load(relay.port, "stream", _OPEN_STREAMS, _OPEN_STREAMS, "sim-2-10-100")
    time.sleep(0.5)
    before = relay.memory_kib()
    command = ["-m", "tests.bench.load", str(relay.port), "hold", str(_OPEN_STREAMS), "1"]
    with subprocess.Popen(
        [sys.executable, *command, "sim-600-200-200"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=_on_cpu(1),
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"open"
        time.sleep(1)
        figures.stream_kib.append((relay.memory_kib() - before) / _OPEN_STREAMS)
        holder.stdin.write(b"end\n")
        holder.stdin.flush()


def config(port: int, admin: int, origin: int) -> str:
    return (
        f'listen: {{address: "127.0.0.1:{port}"}}\nadmin: {{address: "127.0.0.1:{admin}"}}\n'
        f'upstreams: {{default: {{url: "http://127.0.0.1:{origin}"}}}}\n'
    )


def ready_s(folder: Path, origin: int) -> float:
    """Best of three: process started -> /readyz says so."""
    values = []
    for _ in range(3):
        port, admin = free_port(), free_port()
        file = folder / "ready.yaml"
        file.write_text(config(port, admin, origin))
        began = time.monotonic()
        with (folder / "ready.log").open("wb") as out:
            command = ["-m", "sidecar", "run", "-c", str(file)]
            with (
                running("sidecar", admin, command, 0, out),
                socket.create_connection(("127.0.0.1", admin), 5) as sock,
            ):
                sock.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
                values.append(time.monotonic() - began)
    return min(values)


@dataclass
class Result:
    sidecar: Figures
    naive: Figures
    direct_first_s: list[float]
    ready_s: float

    def ratio(self, what: str) -> float:
        """Median of the rounds' ratios, ours to the plain relay's."""
        ours: list[float] = getattr(self.sidecar, what)
        plain: list[float] = getattr(self.naive, what)
        return statistics.median(a / b for a, b in zip(ours, plain, strict=True))

    def added_first_ratio(self) -> float:
        """Of the time that each adds to the first event: wall time, so the best of the rounds."""
        direct = min(self.direct_first_s)
        return (min(self.sidecar.first_s) - direct) / (min(self.naive.first_s) - direct)


def run(say: Callable[[str], None] = lambda text: None) -> Result:
    """The whole comparison: about a minute and a half."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        out = stack.enter_context((folder / "log").open("wb"))
        origin, ours, admin, plain = (free_port() for _ in range(4))
        (folder / "sidecar.yaml").write_text(config(ours, admin, origin))
        start = stack.enter_context
        start(running("origin", origin, ["-m", "tests.bench.origin", str(origin)], 1, out))
        quick = ready_s(folder, origin)
        command = ["-m", "sidecar", "run", "-c", str(folder / "sidecar.yaml")]
        sidecar = start(running("sidecar", ours, command, 0, out))
        command = ["-m", "tests.bench.naive", str(plain), f"http://127.0.0.1:{origin}"]
        naive = start(running("naive", plain, command, 0, out))
        result = Result(Figures(), Figures(), [], quick)
        load(ours, "whole", 8, 2000, "sim-0-0-0")
        load(plain, "whole", 8, 2000, "sim-0-0-0")
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            result.direct_first_s.append(load(origin, "stream", 1, 300, "sim-3-1-0")["first_p50_s"])
            measure(sidecar, result.sidecar)
            measure(naive, result.naive)
        say("memory")
        measure_memory(sidecar, result.sidecar)
        measure_memory(naive, result.naive)
        return result
