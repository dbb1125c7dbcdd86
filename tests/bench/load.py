"""The load: callers in a closed loop, each answer checked, so that a broken relay is not fast.

    python -m tests.bench.load PORT KIND CALLERS REQUESTS [MODEL]     one line of JSON

KIND: `whole` (buffered answers), `stream` (time to the first event of each besides), `hold` (open
streams and keep them open until a line comes on standard input).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from tests.bench.origin import BODY, chunk

_FIRST = b'"delta":{"content":'
_END = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _request(port: int, model: str, is_stream: bool) -> bytes:
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


class Caller(asyncio.Protocol):
    def __init__(self) -> None:
        self._done: asyncio.Future[None] | None = None
        self.first_s: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, is_stream: bool) -> asyncio.Future[None]:
        self._buffer = b""
        self._is_stream = is_stream
        self._had_first = False
        self._done = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self.transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        assert self._done is not None
        if not self._buffer and not data.startswith(b"HTTP/1.1 200 "):
            self._fail(f"not a 200: {data[:200]!r}")
            return
        if not self._is_stream:
            self._buffer += data
            if self._buffer.endswith((BODY, BODY + b"\r\n0\r\n\r\n")) and not self._done.done():
                self._done.set_result(None)
            return
        self._buffer = self._buffer[-256:] + data
        if not self._had_first and _FIRST in self._buffer:
            self._had_first = True
            self.first_s.append(time.perf_counter() - self._began)
        if (
            self._buffer.endswith((_END, b"data: [DONE]\n\n\r\n0\r\n\r\n"))
            and not self._done.done()
        ):
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._fail("the connection was lost")

    def _fail(self, why: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(RuntimeError(why))


async def main(port: int, kind: str, callers: int, requests: int, model: str) -> None:
    loop = asyncio.get_running_loop()
    request = _request(port, model, kind != "whole")
    made = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(callers)]
    if kind == "hold":
        asked = [caller.ask(request, True) for caller in made]
        while not all(caller.first_s for caller in made):
            await asyncio.sleep(0.05)
        print("open", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        for caller, future in zip(made, asked, strict=True):
            future.cancel()
            caller.transport.abort()
        return
    left = iter(range(requests))

    async def ask_on(caller: Caller) -> int:
        count = 0
        for _ in left:
            await caller.ask(request, kind == "stream")
            count += 1
        return count

    began = time.perf_counter()
    answered = sum(await asyncio.gather(*(ask_on(caller) for caller in made)))
    seconds = time.perf_counter() - began
    first = sorted(value for caller in made for value in caller.first_s)
    print(
        json.dumps(
            {
                "answered": answered,
                "seconds": seconds,
                "first_p50_s": first[len(first) // 2] if first else None,
            }
        )
    )


if __name__ == "__main__":
    _port, _kind, _callers, _requests, *_model = sys.argv[1:]
    uvloop.run(main(int(_port), _kind, int(_callers), int(_requests), *(_model or ["sim-0-0-0"])))
