"""Relays as processes, and what the kernel says of them.

Knows: how they are started, put on a processor and accounted. Must not know: which figures are
good; the bounds stand in test_speed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUNDS = 3
_ROOT = Path(__file__).parents[2]
# Within a round the relays take turns this often, so that a machine that slows down for a second
# slows all of them.
_TURNS = 3
_CALLERS, _WHOLE_REQUESTS = 32, 5_000
_STREAMS, _EVENTS = 50, 150
_LONE_STREAMS, _LONE_MODEL = 300, "sim-3-1-0"
_OPEN_STREAMS = 1_000
_RELAYS_CPU, _PEERS_CPU = 0, 1

Say = Callable[[str], None]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _settle_on(number: int) -> Callable[[], None]:
    """Runs in the new process: its processor (not where there is only one), room for streams."""

    def settle() -> None:
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) > 1:
            os.sched_setaffinity(0, {cpus[number]})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return settle


def _environment() -> dict[str, str]:
    """As a user would start it: bytecode is kept, output is buffered, nothing is configured."""
    mine = re.compile(r"SIDECAR_|OTEL_|PYTHON(?!PATH$|HOME$)")
    return {name: value for name, value in os.environ.items() if not mine.match(name)}


@dataclass(frozen=True)
class Relay:
    """A running relay, or the origin itself for the direct way."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Time on a processor so far, of all threads, in the kernel and out of it."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory_kib(self) -> float:
        """Its share of memory (pages that several processes map are divided)."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+)", rollup, re.MULTILINE)
        assert found is not None
        return float(found[1])


@contextlib.contextmanager
def _process(command: list[str], cpu: int, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """This interpreter with a module of ours; ended by its own id."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=_ROOT,
        env=_environment(),
        preexec_fn=_settle_on(cpu),
        **streams,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Load:
    """The callers' process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def __call__(
        self, ports: list[int], kind: str, callers: int, requests: int, model: str
    ) -> dict[str, Any]:
        """One job; raises if an answer was not what the origin sent."""
        self._write([ports, kind, callers, requests, model])
        line = self._out.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the load has died"}
        if "error" in answer:
            raise RuntimeError(f"{kind} through {ports}: {answer['error']}")
        return answer

    def release(self) -> None:
        """Ends what `hold` keeps open."""
        self._write(None)

    def _write(self, job: object) -> None:
        self._in.write(json.dumps(job).encode() + b"\n")
        self._in.flush()


class Bench:
    """Origin and load; relays are started in front of them."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._origin = free_port()
        self._collector: int | None = None
        self._stack = stack
        start = stack.enter_context
        self.direct = start(self._running("origin", self._origin, "tests.bench.origin", _PEERS_CPU))
        pipe = subprocess.PIPE
        self.load = Load(start(_process(["tests.bench.load"], _PEERS_CPU, stdin=pipe, stdout=pipe)))

    def naive(self) -> contextlib.AbstractContextManager[Relay]:
        origin = f"http://127.0.0.1:{self._origin}"
        return self._running("naive", free_port(), "tests.bench.naive", _RELAYS_CPU, origin)

    @contextlib.contextmanager
    def sidecar(self, sampled: float | None = None) -> Iterator[tuple[Relay, float]]:
        """With how long it took to be ready. `sampled`: the share of exchanges that become spans,
        for a collector that takes them; None: nothing leaves."""
        port, admin = free_port(), free_port()
        file = self._folder / f"{port}.yaml"
        file.write_text(
            f'listen: {{address: "127.0.0.1:{port}"}}\nadmin: {{address: "127.0.0.1:{admin}"}}\n'
            f'upstreams: {{default: {{url: "http://127.0.0.1:{self._origin}"}}}}\n'
            + ("" if sampled is None else self._telemetry(sampled))
        )
        with (self._folder / f"{port}.log").open("wb") as out:
            began = time.monotonic()
            command = ["sidecar", "run", "-c", str(file)]
            with _process(command, _RELAYS_CPU, stdout=out, stderr=out) as process:
                _wait("sidecar", process, lambda: _is_ready(admin))
                yield Relay(port, process), time.monotonic() - began

    def _telemetry(self, sampled: float) -> str:
        if self._collector is None:
            self._collector = free_port()
            command = ("collector", self._collector, "tests.bench.collector", _PEERS_CPU)
            self._stack.enter_context(self._running(*command))
        otlp = f'{{endpoint: "http://127.0.0.1:{self._collector}"}}'
        return f"telemetry: {{otlp: {otlp}, traces: {{sample_ratio: {sampled}}}}}\n"

    @contextlib.contextmanager
    def _running(self, name: str, port: int, module: str, cpu: int, *more: str) -> Iterator[Relay]:
        with (
            (self._folder / f"{port}.log").open("wb") as out,
            _process([module, str(port), *more], cpu, stdout=out, stderr=out) as process,
        ):
            _wait(name, process, lambda: _accepts(port))
            yield Relay(port, process)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _is_ready(admin: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", admin), 1) as sock:
        sock.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        return sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    return False


def _wait(name: str, process: subprocess.Popen[bytes], is_up: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not is_up():
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"{name} did not start; exit status {process.poll()}")
        time.sleep(0.005)


@dataclass
class Figures:
    """One value a round."""

    request_us: list[float] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    added_first_us: list[float] = field(default_factory=list)
    stream_kib: list[float] = field(default_factory=list)


@dataclass
class Result:
    sidecar: Figures = field(default_factory=Figures)
    naive: Figures = field(default_factory=Figures)
    traced: dict[float, Figures] = field(default_factory=dict)
    """By the share of exchanges that become spans; empty where that was not asked for."""
    ready_s: float = 0.0

    def ratio(self, what: str, sampled: float | None = None) -> float:
        """Median of the rounds' ratios, ours to the plain relay's."""
        return statistics.median(self._ratios(what, sampled))

    def best_ratio(self, what: str) -> float:
        """The best of them: for wall time, which a neighbour can only make worse."""
        return min(self._ratios(what))

    def _ratios(self, what: str, sampled: float | None = None) -> list[float]:
        figures = self.sidecar if sampled is None else self.traced[sampled]
        ours: list[float] = getattr(figures, what)
        plain: list[float] = getattr(self.naive, what)
        return [a / b for a, b in zip(ours, plain, strict=True)]

    @property
    def stream_kib(self) -> float:
        return statistics.median(self.sidecar.stream_kib)


def _cpu_us(load: Load, relays: list[Relay], *job: Any) -> list[float]:
    """CPU of each for one request of the job, the relays taking turns."""
    used_s = [0.0] * len(relays)
    for _ in range(_TURNS):
        for number, relay in enumerate(relays):
            before = relay.cpu_s()
            load([relay.port], *job)
            used_s[number] += relay.cpu_s() - before
    requests: int = job[2]
    return [used / (_TURNS * requests) * 1e6 for used in used_s]


def _stream_kib(load: Load, relay: Relay) -> float:
    """What an open stream costs a relay that has seen little traffic yet (allocators keep what
    they once had, so that a busy past would hide it)."""
    load([relay.port], "stream", 1, _LONE_STREAMS, _LONE_MODEL)
    before = relay.memory_kib()
    load([relay.port], "hold", _OPEN_STREAMS, _OPEN_STREAMS, "sim-600-500-500")
    time.sleep(1)
    after = relay.memory_kib()
    load.release()
    return (after - before) / _OPEN_STREAMS


def _round(bench: Bench, relays: list[Relay], result: Result) -> None:
    load = bench.load
    whole = _cpu_us(load, relays, "whole", _CALLERS, _WHOLE_REQUESTS, "sim-0-0-0")
    streams = _cpu_us(load, relays, "stream", _STREAMS, _STREAMS, f"sim-{_EVENTS}-20-50")
    ports = [relay.port for relay in (bench.direct, *relays)]
    direct_s, *firsts_s = load(ports, "lone", 1, _LONE_STREAMS, _LONE_MODEL)["first_s"]
    each = (result.sidecar, result.naive, *result.traced.values())
    for figures, request, stream, first_s in zip(each, whole, streams, firsts_s, strict=True):
        figures.request_us.append(request)
        figures.event_us.append(stream / _EVENTS)
        figures.added_first_us.append((first_s - direct_s) * 1e6)


def run(say: Say = lambda text: None, traced: Sequence[float] = ()) -> Result:
    """The whole comparison: about a minute and a half. `traced`: more of ours, which also send
    spans of such a share of all exchanges."""
    result = Result(traced={sampled: Figures() for sampled in traced})
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        bench = Bench(Path(name), stack)
        ready_s = []
        for number in range(ROUNDS):
            say(f"memory, {number + 1} of {ROUNDS}")
            with bench.sidecar() as (relay, seconds):
                ready_s.append(seconds)
                result.sidecar.stream_kib.append(_stream_kib(bench.load, relay))
            with bench.naive() as relay:
                result.naive.stream_kib.append(_stream_kib(bench.load, relay))
        result.ready_s = min(ready_s)
        sidecar, _ = stack.enter_context(bench.sidecar())
        relays = [sidecar, stack.enter_context(bench.naive())]
        relays += [stack.enter_context(bench.sidecar(sampled))[0] for sampled in traced]
        for relay in relays:
            bench.load([relay.port], "whole", _CALLERS, _WHOLE_REQUESTS, "sim-0-0-0")
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            _round(bench, relays, result)
    return result
