"""The ports of the pipeline, scripted: no socket, no clock.

Each fake says which behaviour of the real thing it copies; whatever the real thing does beyond
that is tested on sockets in tests/net and tests/wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason
from sidecar.core.records import Record
from sidecar.core.response_heads import ResponseHead
from sidecar.core.trace import OwnTrace
from sidecar.metering.estimate import Ratios
from sidecar.pipeline import Exchange, Inbound
from sidecar.pipeline.graph import Plan, Target
from sidecar.pipeline.ports import BodyError, Sink, Source
from sidecar.pipeline.summary import record_of
from sidecar.pipeline.watch import WatchList
from sidecar.policies import routing, timeouts

HOST = (b"Host", b"localhost:8484")


class ScriptedBody:
    """Gives its pieces one by one; `is_whole` turns true when the last one is buffered, as the
    reader of the real body does. A BodyError among the pieces is raised when it is reached."""

    def __init__(self, *pieces: bytes | BodyError, hangs: bool = False) -> None:
        self._pieces = list(pieces)
        self._hangs = hangs

    @property
    def is_whole(self) -> bool:
        left = self._pieces
        return not self._hangs and (not left or (len(left) == 1 and isinstance(left[0], bytes)))

    def take(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, BodyError):
            raise piece
        return piece

    async def more(self) -> bytes:
        await asyncio.sleep(0)
        if not self._pieces and self._hangs:
            await asyncio.get_running_loop().create_future()
        return self.take()


class RecordingClient:
    """Keeps what is written. `holds` makes `flushed` wait for ever, like a caller that does not
    read."""

    def __init__(self, *, speaks_chunked: bool = True, holds: bool = False) -> None:
        self.written = b""
        self.writes = 0
        self.speaks_chunked = speaks_chunked
        self.will_close = False
        self.is_tunnel = False
        self.has_stalled = False
        self.cuts: list[bool] = []
        self.source: Source | None = None
        self._holds = holds

    @property
    def write(self) -> Callable[[bytes], object]:
        return self._write

    def _write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def follow(self, source: Source | None) -> None:
        self.source = source

    @property
    def is_flushed(self) -> bool:
        return not self._holds

    async def flushed(self) -> None:
        await asyncio.get_running_loop().create_future()

    def cut(self, must_reset: bool) -> None:
        self.cuts.append(must_reset)

    @property
    def head(self) -> bytes:
        return self.written.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.written.partition(b"\r\n\r\n")[2]


@dataclass
class Read:
    """One read of the response, as the sink gets it."""

    head: ResponseHead | None = None
    body: bytes = b""
    is_end: bool = False


def response(
    status: int = 200, *headers: tuple[bytes, bytes], has_body: bool = True
) -> ResponseHead:
    head = ResponseHead()
    head.reason = b"OK"
    for name, value in headers:
        head.add(name, value)
    head.finish(status, has_body)
    return head


class ScriptedWire:
    """Plays its steps from the loop, one turn each, as reads come: a Read goes to the sink, a
    Reason (or None) ends the response. It may be ended once; a second end is an error here, where
    the real one ignores it."""

    def __init__(
        self, *steps: Read | Reason | None, is_reused: bool = False, is_full: bool = False
    ) -> None:
        self._steps = list(steps)
        self._ending: asyncio.Future[Reason | None] | None = None
        self._is_full = is_full
        self.is_reused = is_reused
        self.connect_s = 0.001
        self.bytes_received = 0
        self.sent_at: float | None = None
        self.read_at: float | None = None
        self.blocked_at: float | None = None
        self.held_s = 0.0
        self.is_paused = False
        self.sent = b""
        self.ends_sent = 0
        self.ends: list[str] = []

    @property
    def send(self) -> Callable[[bytes], object]:
        return self._send

    def _send(self, data: bytes) -> None:
        self.sent += data

    def mark_sent(self) -> None:
        self.sent_at = 0.0

    def send_end(self) -> None:
        self.ends_sent += 1

    async def writable(self) -> None:
        await asyncio.sleep(0)
        if self._is_full:
            await asyncio.get_running_loop().create_future()

    def receive(
        self, sink: Sink, is_head: bool, may_switch: bool = False
    ) -> asyncio.Future[Reason | None]:
        loop = asyncio.get_running_loop()
        self._ending = ending = loop.create_future()
        self._sink = sink

        def play() -> None:
            if ending.done() or not self._steps:
                return
            step = self._steps.pop(0)
            if isinstance(step, Read):
                self.bytes_received += 1
                self.read_at = 0.0
                try:
                    if step.head is None and not step.is_end:
                        sink.more(step.body, 0.0)
                    else:
                        sink.take(step.head, step.body, step.is_end, 0.0)
                except Exception as error:  # as the real reader tells a broken sink
                    ending.set_exception(error)
                    return
                if step.is_end:
                    ending.set_result(None)
                    return
                loop.call_soon(play)
            else:
                ending.set_result(step)

        loop.call_soon(play)
        return ending

    def finish(self, body: bytes) -> None:
        """The rest of the response, now."""
        assert self._ending is not None
        self._sink.take(None, body, True, 0.0)
        self._ending.set_result(None)

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def fail(self, reason: Reason) -> None:
        if self._ending is not None and not self._ending.done():
            self._ending.set_result(reason)

    def _end(self, how: str) -> None:
        assert not self.ends, f"a wire was ended twice: {self.ends[0]}, then {how}"
        self.ends.append(how)

    def give_back(self) -> None:
        self._end("given back")

    def drop(self) -> None:
        self._end("dropped")

    def linger(self) -> None:
        self._end("lingers")


class ScriptedUpstream:
    """Hands out its wires (or reasons) in order, each after `connects_in` turns of the loop, as
    opening a connection takes some. `hangs`: connecting never ends."""

    def __init__(
        self, *wires: ScriptedWire | Reason, hangs: bool = False, connects_in: int = 0
    ) -> None:
        self._wires = list(wires)
        self._hangs = hangs
        self._connects_in = connects_in
        self.asked_for_new: list[bool] = []
        self.asked_within_s: list[float | None] = []
        self.handed_out: list[ScriptedWire] = []

    keys = ("a-key-of-ours",)

    async def connect(self, must_be_new: bool, within_s: float | None) -> ScriptedWire | Reason:
        self.asked_for_new.append(must_be_new)
        self.asked_within_s.append(within_s)
        if self._hangs:
            await asyncio.get_running_loop().create_future()
        for _ in range(self._connects_in):
            await asyncio.sleep(0)
        made = self._wires.pop(0)
        if isinstance(made, ScriptedWire):
            self.handed_out.append(made)
        return made

    def head(self, head: RequestHead, target: str, trace: OwnTrace | None = None) -> bytes:
        return head.for_upstream(target, b"origin.example", trace=trace)


class Sum:
    """Counts what is added."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, seconds: float) -> None:
        assert seconds >= 0
        self.count += 1


@dataclass
class ListDesk:
    """Counts and keeps; time stands still at `time_s` unless a test moves it."""

    time_s: float = 0.0
    records: list[Record] = field(default_factory=list)
    started: int = 0
    ratios: Ratios = field(default_factory=Ratios)
    in_flight: set[Exchange] = field(default_factory=set)
    overhead_request: Sum = field(default_factory=Sum)
    overhead_response: Sum = field(default_factory=Sum)
    overhead_chunk: Sum = field(default_factory=Sum)
    watches: WatchList = field(default_factory=WatchList)

    def now(self) -> float:
        return self.time_s

    def new_id(self) -> str:
        return "ours-1"

    def own_trace(self, exchange: Exchange, propagate: str) -> OwnTrace | None:
        return OwnTrace(frozenset({b"traceparent"}), propagate.encode())

    def started_at(self, t0: float) -> str:
        return "2026-01-01T00:00:00.000Z"

    def begin(self, exchange: Exchange) -> None:
        exchange.is_begun = True
        self.started += 1
        self.in_flight.add(exchange)

    def settle(self, exchange: Exchange) -> None:
        self.in_flight.remove(exchange)
        self.records.append(record_of(exchange, "2026-01-01T00:00:00.000Z", self.ratios))

    def assert_balanced(self) -> None:
        assert self.started == len(self.records) + len(self.in_flight)


def plan(
    upstream: ScriptedUpstream,
    *,
    rules: Iterable[routing.Rule] = (),
    provider: str | None = None,
    dialect: str = "auto",
    limit: int | None = None,
    replay_limit: int = 64,
    rule: timeouts.Rule | None = None,
    tokens: tuple[bytes, ...] | None = None,
    has_base_path: bool = False,
) -> Plan:
    """A plan of one upstream named `up`."""
    target = Target("up", dialect, provider, rule or timeouts.Rule(), has_base_path, upstream)
    return Plan(
        router=routing.Router(tuple(rules), (routing.Choice("up", provider),)),
        targets={"up": target},
        allowed_hosts=("localhost",),
        tokens=tokens,
        max_request_body_bytes=limit,
        hash="abc",
        replay_limit_bytes=replay_limit,
    )


def inbound(
    *headers: tuple[bytes, bytes],
    body: ScriptedBody | None = None,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    minor: int = 1,
) -> Inbound:
    head = RequestHead(method, target, minor, (HOST, *headers))
    return Inbound(head, body or ScriptedBody(), 0.0)


def sized(data: bytes, *pieces: bytes) -> tuple[tuple[bytes, bytes], ScriptedBody]:
    """(Content-Length header, body) of the pieces."""
    whole = (data, *pieces)
    return (b"Content-Length", b"%d" % sum(map(len, whole))), ScriptedBody(*whole)


CHUNKED = (b"Transfer-Encoding", b"chunked")
SSE = (b"Content-Type", b"text/event-stream")
