"""Many stories at once, between a caller and a provider in this process and the program in its own.

Knows: how the program is started and watched from outside: its books, descriptors, memory, log.
Must not know: what a story is about; `judge` says whether it went well.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.fuzz.caller import Caller
from tests.fuzz.judge import Result, faults
from tests.fuzz.mutate import write
from tests.fuzz.provider import Live, Provider, Stage
from tests.fuzz.story import Story
from tests.wire.relay import Relay, assert_balanced, total

AT_ONCE: Final = 160
BOUND_S: Final = 12.0
"""More than all limits of time together, one after the other."""
GROWTH_BYTES: Final = 8 << 20
MAX_FAULTS: Final = 100
_WARM_UP: Final = 1500
"""So many at least before memory is measured: the last 1,000 exchanges are kept to be shown."""
_LATE_S: Final = 0.15
_BEAT_S: Final = 0.02
_AT_FIRST: Final = 32
_AT_LEAST: Final = 8
_LONG_S: Final = 0.15
_LOOK_EVERY_S: Final = 1.0
_SETTLE_S: Final = 3.0
_UPSTREAM: Final = (
    '  {name}: {{url: "http://127.0.0.1:{port}", timeouts: {{first_byte: 500ms, idle: 500ms,'
    " connect: 1s}}, pool: {{keepalive: 1s}}}}\n"
)
_LISTEN: Final = ", timeouts: {headers: 700ms, body: 700ms, write: 2s, keepalive: 700ms}"
# Else the C library keeps what large reads leave between small things, and the memory of the
# process says nothing about what the program holds.
_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@dataclass(slots=True)
class Report:
    """How it went."""

    loop: str
    exchanges: int = 0
    took_s: float = 0.0
    damaged: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    """As the program's own books tell."""
    answers: Counter[str] = field(default_factory=Counter)
    """Whose they were: the provider's, or the code of an answer of the program's own."""
    faults: list[tuple[int | None, str]] = field(default_factory=list)
    """(number of the exchange, what was wrong); without a number it concerns the whole run."""
    descriptors: tuple[int, int] = (0, 0)
    """At the start and at the end."""
    rss_bytes: tuple[int, int] = (0, 0)
    """After the warm-up, and the least of the last tenth: what the garbage collector has not come
    to is no leak."""


class Heart:
    """Beats in the loop of the two sides, and notes when it was late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.late_at = 0.0
        self._beat(self._loop.time())

    def _beat(self, due_at: float) -> None:
        now = self._loop.time()
        if now - due_at > _LATE_S:
            self.late_at = now
        self._timer = self._loop.call_at(now + _BEAT_S, self._beat, now + _BEAT_S)

    def stop(self) -> None:
        self._timer.cancel()


class Pace:
    """How many at once: fewer as soon as exchanges take long with which nothing is wrong, so that
    on a busy machine no limit of time passes by nobody's fault."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(min(most, _AT_FIRST))
        self._active = 0

    async def start(self) -> None:
        while self._active >= self._allowed:
            await asyncio.sleep(_BEAT_S)
        self._active += 1

    def end(self, story: Story, took_s: float) -> None:
        self._active -= 1
        if story.kind != "none":
            return
        if took_s - story.planned_s > _LONG_S:
            self._allowed = max(_AT_LEAST, self._allowed * 0.9)
        else:
            self._allowed = min(self._most, self._allowed + 0.5)


class Run:
    """One program under test. `told` is called after each exchange."""

    def __init__(
        self, seed: int, loop: str, told: Callable[[Report], None], at_once: int = AT_ONCE
    ) -> None:
        self._seed = seed
        self._told = told
        self._at_once = at_once
        self._pace = Pace(at_once)
        self._stage = Stage()
        self.report = Report(loop)
        self.last: Result | None = None
        """For whoever looks at a single one."""

    async def play(self, folder: Path, numbers: Sequence[int]) -> None:
        """All of them, from the start of the program to its end."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Provider(self._stage), "127.0.0.1", 0, backlog=4096
        )
        port = server.sockets[0].getsockname()[1]
        relay = await asyncio.to_thread(
            Relay,
            folder,
            "".join(_UPSTREAM.format(name=name, port=port) for name in ("sound", "damaged")),
            self.report.loop,
            log_level="error",
            listen=_LISTEN,
            environment=_ALLOCATOR,
        )
        self._heart = Heart()
        looking = asyncio.create_task(self._look(relay), name="look")
        try:
            await self._play(relay, numbers)
        finally:
            looking.cancel()
            self._heart.stop()
            try:
                status = await asyncio.to_thread(relay.stop)
            finally:
                server.close()
            if status != 0:
                self._fault(None, f"the program ended with status {status}")
            for word in ("internal_error", "Traceback", "never retrieved", "never awaited"):
                if word in relay.text:
                    self._fault(None, f"its log says {word}: {relay.text[-3000:]}")

    async def _play(self, relay: Relay, numbers: Sequence[int]) -> None:
        report = self.report
        # The least of a while: whoever asked whether it is ready may still be connected.
        at_start = relay.descriptors
        for _ in range(10):
            await asyncio.sleep(_BEAT_S)
            at_start = min(at_start, relay.descriptors)
        began = time.monotonic()
        warm_up = max(len(numbers) // 10, min(_WARM_UP, len(numbers) // 2))
        await self._crowd(relay, numbers[:warm_up])
        await self._settle(relay)
        warm = relay.rss_bytes
        last_tenth = max(warm_up, len(numbers) - len(numbers) // 10)
        await self._crowd(relay, numbers[warm_up:last_tenth])
        self._low = relay.rss_bytes
        await self._crowd(relay, numbers[last_tenth:])
        report.took_s = time.monotonic() - began
        await self._settle(relay)
        report.rss_bytes = (warm, min(self._low, relay.rss_bytes))
        if report.rss_bytes[1] > warm + GROWTH_BYTES:
            self._fault(None, f"memory grew from {warm} to {report.rss_bytes[1]} bytes")
        await self._look_back(relay, at_start)
        for what in self._stage.faults:
            self._fault(None, f"the provider got {what}")

    async def _crowd(self, relay: Relay, numbers: Sequence[int]) -> None:
        waiting = iter(numbers)
        workers = min(self._at_once, len(numbers))
        await asyncio.gather(*(self._worker(relay, waiting) for _ in range(workers)))

    async def _worker(self, relay: Relay, waiting: Iterator[int]) -> None:
        for number in waiting:
            if len(self.report.faults) >= MAX_FAULTS:
                return
            result = await self._one(relay, number)
            self.report.exchanges += 1
            if result is not None:
                self.last = result
                for what in faults(result):
                    self._fault(number, what)
            self._told(self.report)

    async def _one(self, relay: Relay, number: int) -> Result | None:
        loop = asyncio.get_running_loop()
        await self._pace.start()
        story = write(self._seed, number)
        live = self._stage.live[number] = Live(story)
        self.report.damaged[story.kind] += 1
        caller = Caller(story)
        began = loop.time()
        try:
            await loop.create_connection(lambda: caller, *relay.data)
            async with asyncio.timeout(BOUND_S):
                await caller.over
        except TimeoutError:
            caller.give_up()
            self._fault(number, f"hangs; it had got {bytes(caller.received[-300:])!r}")
            return None
        except OSError as error:
            self._fault(number, f"was not let in: {error}")
            return None
        finally:
            del self._stage.live[number]
            self._pace.end(story, loop.time() - began)
        for answer in caller.answers:
            code = answer.value(b"x-sidecar-error")
            self.report.answers["the provider's" if code is None else code.decode()] += 1
        return Result(story, caller, live.plays, was_late=self._heart.late_at >= began)

    async def _look(self, relay: Relay) -> None:
        """Once a second: it lives, and in one scrape started = ended + in flight."""
        self._low = relay.rss_bytes
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if not relay.is_running:
                self._fault(None, "the program is gone")
                return
            self._low = min(self._low, relay.rss_bytes)
            try:
                assert_balanced(await asyncio.to_thread(relay.samples))
            except AssertionError as error:
                self._fault(None, f"its books do not balance: {error}")

    async def _settle(self, relay: Relay) -> None:
        """Every exchange has come to its end, and to one outcome."""
        try:
            await asyncio.to_thread(relay.assert_settled, _SETTLE_S)
        except AssertionError as error:
            self._fault(None, f"something is left: {error}")

    async def _look_back(self, relay: Relay, at_start: int) -> None:
        """What the books say, and whether a descriptor is left."""
        samples = await asyncio.to_thread(relay.samples)
        for (name, labels), value in samples.items():
            if name == "llm_sidecar_requests_total" and value:
                self.report.outcomes[dict(labels)["outcome"]] += int(value)
        if total(samples, "telemetry_dropped_total", signal="exchanges"):
            self._fault(None, "records were lost")
        ends_at = time.monotonic() + _SETTLE_S
        while (at_end := relay.descriptors) > at_start and time.monotonic() < ends_at:
            await asyncio.sleep(0.05)
        self.report.descriptors = (at_start, at_end)
        if at_end > at_start:
            self._fault(None, f"descriptors: {at_start} at the start, {at_end} at the end")

    def _fault(self, number: int | None, what: str) -> None:
        self.report.faults.append((number, what))


def run(
    folder: Path,
    seed: int,
    numbers: Sequence[int],
    loop: str,
    told: Callable[[Report], None],
    at_once: int = AT_ONCE,
) -> Run:
    """Play these numbers of this seed against the program on this event loop."""
    with asyncio.Runner(loop_factory=_quick_loop()) as runner:
        one = Run(seed, loop, told, at_once)
        runner.run(one.play(folder, numbers))
    return one


def _quick_loop() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
