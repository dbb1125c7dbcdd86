"""The load: callers in a closed loop, each answer compared byte by byte, so that a broken relay is
not fast.

    python -m tests.bench.load      jobs come as lines of JSON on standard input, answers go out so

A job is [PORTS, KIND, CALLERS, REQUESTS, MODEL]. KIND: `whole` (buffered answers), `stream`, `hold`
(answer when every stream has begun, and keep them open until a line comes), `lone` (one stream
after another, the ports in turn; answers with the median time to the first event by port). One
process serves a whole
comparison, so that no start of an interpreter falls into a measurement. It has to be cheaper than
any relay, or the relay is never busy: hence callbacks, and the next request straight from the end
of the last answer.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from functools import partial
from typing import cast

import uvloop

from tests.bench.origin import BODY, stream_body

_FIRST = b'"delta":{"content":'
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_WHOLE_ENDS = (BODY, BODY + _LAST_CHUNK)
_LIMIT_S = 60
_LONE_TURN = 20


def request(port: int, model: str, is_stream: bool) -> bytes:
    body = json.dumps(
        {
            "model": model,
            **({"stream": True} if is_stream else {}),
            "messages": [{"role": "user", "content": "Say hello. " * 20}],
        }
    ).encode()
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        "authorization: Bearer sk-test\r\ncontent-type: application/json\r\n"
        f"accept: */*\r\nuser-agent: load\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def without_framing(answer: bytes) -> bytes:
    """The body of a chunked answer with status 200."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"not a 200: {head[:200]!r}")
    pieces, at = [], 0
    while size := int(rest[at : (end := rest.index(b"\r\n", at))], 16):
        pieces.append(rest[end + 2 : end + 2 + size])
        at = end + size + 4
    return b"".join(pieces)


class Job:
    """What the callers share: the request, how often it is still to be sent, what must come."""

    def __init__(self, port: int, kind: str, requests: int, model: str) -> None:
        self.request = request(port, model, kind != "whole")
        self.body = stream_body(int(model.split("-")[1]))
        self.first_s: list[float] = []
        self._holds = kind == "hold"
        self.ask_again(requests)

    def ask_again(self, requests: int) -> None:
        self.left = self.unanswered = requests
        self.over = asyncio.get_running_loop().create_future()

    def answered(self) -> None:
        self.unanswered -= 1
        if not self.unanswered and not self.over.done():
            self.over.set_result(None)

    def began(self, first_s: float) -> None:
        self.first_s.append(first_s)
        if self._holds and len(self.first_s) == self.unanswered and not self.over.done():
            self.over.set_result(None)

    def fail(self, why: str) -> None:
        if not self.over.done():
            self.over.set_exception(RuntimeError(why))


class WholeCaller(asyncio.Protocol):
    def __init__(self, job: Job) -> None:
        self._job = job
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        if self._job.left:
            self._job.left -= 1
            self.transport.write(self._job.request)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not data.endswith(_WHOLE_ENDS):
            self._buffer = data
        elif data.startswith(b"HTTP/1.1 200 "):
            self._buffer = b""
            self._job.answered()
            self.ask()
        else:
            self._job.fail(f"not a 200: {data[:200]!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._job.fail("a connection was lost")


class StreamCaller(WholeCaller):
    def ask(self) -> None:
        self._pieces: list[bytes] = []
        self._tail = b""
        self._has_begun = False
        self._asked_at = time.perf_counter()
        super().ask()

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if not self._has_begun and _FIRST in data:
            self._has_begun = True
            self._job.began(time.perf_counter() - self._asked_at)
        self._tail = (self._tail + data[-7:])[-7:]
        if self._tail != _LAST_CHUNK:
            return
        try:
            body = without_framing(b"".join(self._pieces))
        except ValueError as error:
            self._job.fail(str(error))
            return
        if body != self._job.body:
            self._job.fail(f"other bytes than were sent: {body[-200:]!r}")
            return
        self._job.answered()
        self.ask()


async def crowd(job: Job, kind: str, port: int, callers: int) -> list[WholeCaller]:
    """All at once, each asking again as soon as it has its answer."""
    make = WholeCaller if kind == "whole" else StreamCaller
    connect = asyncio.get_running_loop().create_connection
    made = await asyncio.gather(
        *(connect(partial(make, job), "127.0.0.1", port) for _ in range(callers))
    )
    await job.over
    return [caller for _, caller in made]


async def lone(ports: list[int], requests: int, model: str) -> list[float]:
    """Median seconds to the first event by port. The turns are short, because how long a processor
    takes to wake up depends on what the machine did of late."""
    connect = asyncio.get_running_loop().create_connection
    jobs, callers = [], []
    for port in ports:
        jobs.append(job := Job(port, "lone", 1, model))
        callers.append((await connect(partial(StreamCaller, job), "127.0.0.1", port))[1])
        await job.over
        job.first_s.clear()
    for _ in range(requests // _LONE_TURN):
        for job, caller in zip(jobs, callers, strict=True):
            job.ask_again(_LONE_TURN)
            caller.ask()
            await job.over
    for caller in callers:
        caller.transport.abort()
    return [statistics.median(job.first_s) for job in jobs]


async def main() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        ports, kind, callers, requests, model = json.loads(line)
        made: list[WholeCaller] = []
        answer: dict[str, object] = {}
        try:
            async with asyncio.timeout(_LIMIT_S):
                if kind == "lone":
                    answer["first_s"] = await lone(ports, requests, model)
                else:
                    made = await crowd(
                        Job(ports[0], kind, requests, model), kind, ports[0], callers
                    )
        except (OSError, RuntimeError, TimeoutError) as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)
        if kind == "hold":
            await loop.run_in_executor(None, sys.stdin.readline)
        for caller in made:
            caller.transport.abort()


if __name__ == "__main__":
    uvloop.run(main())
