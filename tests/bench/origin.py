"""A simulated provider that is never the bottleneck: a bare protocol and ready-made bytes.

    python -m tests.bench.origin PORT

The model's name steers it: `sim-EVENTS-GAPMS-FIRSTMS`; a request without "stream" gets one body.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

_MODEL = re.compile(rb"sim-(\d+)-(\d+)-(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_EVENT = (
    b'data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"sim",'
    b'"system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":" word number %05d"},'
    b'"logprobs":null,"finish_reason":null}]}\n\n'
)
BODY = (
    b'{"id":"c-1","object":"chat.completion","created":1,"model":"sim","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"An answer of a few words, as they usually are."},'
    b'"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":12,"completion_tokens":11,'
    b'"total_tokens":23}}'
)
_WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r-1\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nopenai-processing-ms: 3\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-request-id: r-1\r\ntransfer-encoding: chunked\r\n\r\n"
)
_DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream_body(events: int) -> bytes:
    """What a caller must have when such a stream is over, without its framing."""
    return b"".join(_EVENT % number for number in range(events)) + _DONE


class Provider(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._known = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data == self._known:
            # Load repeats itself: what was read once need not be parsed again.
            self._transport.write(_WHOLE)
            return
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            request, self._buffer = self._buffer[:whole], self._buffer[whole:]
            if b'"stream": true' not in request:
                self._known = request
                self._transport.write(_WHOLE)
                continue
            model = _MODEL.search(request)
            assert model is not None
            task = asyncio.create_task(self._stream(*map(int, model.groups())), name="stream")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _stream(self, events: int, gap_ms: int, first_ms: int) -> None:
        write, now = self._transport.write, asyncio.get_running_loop().time
        await asyncio.sleep(first_ms / 1000)
        write(_HEAD)
        due = now()
        for number in range(events):
            if self._transport.is_closing():
                return
            write(chunk(_EVENT % number))
            due += gap_ms / 1000
            await asyncio.sleep(max(due - now(), 0))
        write(chunk(_DONE) + b"0\r\n\r\n")


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
