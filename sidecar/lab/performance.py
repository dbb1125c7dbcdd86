"""One answer on one socket: each piece when it is due, and what a fault does to the connection.

Knows: clocks and sockets: the schedule, the framing of HTTP, how a connection is hurt.
Must not know: dialects (bytes come in as pieces, their errors as a Provider's functions) or where
a fault strikes (damage).
Times are an absolute schedule from the moment the request was read, so gaps do not drift; head and
opening events leave half-way to the first token, so that the two can be told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from aiohttp import HttpVersion11, web

from sidecar.lab.damage import Ending, damage_body, damage_stream
from sidecar.lab.faults import reset
from sidecar.lab.reply import Kind, Piece, Stamp
from sidecar.lab.script import Fault, FaultKind, Script

_RESET_AFTER_S: Final = 0.02
"""At least so long after the last byte: a reset must not overtake bytes that were sent."""
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Provider:
    """What all answers of one provider have in common."""

    headers: Callable[[Stamp, int, int], dict[str, str]]
    """(stamp, milliseconds of work, status)"""
    scripted_error: Callable[[int, Stamp], bytes]
    error: Callable[[int, str, str | None, Stamp], bytes]
    """(status, message, the field to blame, stamp)"""

    def json(self, stamp: Stamp, body: bytes, status: int = 200) -> web.StreamResponse:
        """An answer at once and unharmed."""
        headers = {"content-type": JSON, **self.headers(stamp, 1, status), "server": "mock"}
        return web.Response(status=status, body=body, headers=headers)


class Performance:
    """One answer on one socket, from the moment its request was read."""

    def __init__(
        self,
        request: web.Request,
        provider: Provider,
        stamp: Stamp,
        script: Script,
        fault: Fault | None,
    ) -> None:
        self._request = request
        self._provider = provider
        self._stamp = stamp
        self._script = script
        self._fault = fault
        self._loop = asyncio.get_running_loop()
        self._read_at = self._loop.time()
        self._drips = fault is not None and fault.kind is FaultKind.DRIP

    async def instead(self) -> web.StreamResponse | None:
        """The answer of a fault that leaves no room for another."""
        if self._fault is None:
            return None
        if self._fault.kind is FaultKind.HANG:
            await _for_ever()
        if self._fault.kind is FaultKind.REFUSE:
            if self._request.transport is not None:
                self._request.transport.close()
            await _for_ever()
        if self._fault.status is None:
            return None
        return self._error(self._fault.status)

    async def stream(
        self,
        pieces: Iterator[Piece],
        failure: Callable[[int], bytes],
        content_type: str = EVENTS,
    ) -> web.StreamResponse:
        """Each piece when it is due, then the ending."""
        script = self._script
        await self._until(script.ttft_s / 2)
        response = await self._begin(content_type, None)
        generated = 0
        for step in damage_stream(pieces, self._fault, failure):
            if isinstance(step, Ending):
                await self._end(response, step, script.ttft_s + generated * script.gap_s)
                break
            if step.kind is Kind.GENERATED:
                await self._until(script.ttft_s + generated * script.gap_s)
                generated += 1
            await self._write(response, step.data)
        return response

    async def whole(
        self, body: bytes, due_s: float, content_type: str = JSON
    ) -> web.StreamResponse:
        """The buffered answer, when a stream would have ended."""
        await self._until(due_s)
        fault = self._fault
        if fault is None:
            headers = {"content-type": content_type, **self._headers(200)}
            return web.Response(body=body, headers=headers)
        if fault.kind is FaultKind.ERROR:
            return self._error(500)
        sent, ending = damage_body(body, fault)
        # A body that is cut cleanly must not have promised its length.
        is_short = ending is not Ending.CLEAN
        response = await self._begin(content_type, len(body) if is_short else None)
        await self._write(response, sent)
        await self._end(response, ending, due_s)
        return response

    def _error(self, status: int) -> web.StreamResponse:
        body = self._provider.scripted_error(status, self._stamp)
        headers = {"content-type": JSON, **self._headers(status)}
        return web.Response(status=status, body=body, headers=headers)

    def _headers(self, status: int) -> dict[str, str]:
        processing_ms = round((self._loop.time() - self._read_at) * 1000)
        headers = {
            **self._provider.headers(self._stamp, processing_ms, status),
            "server": "mock",
        }
        script = self._script
        is_for_an_error = script.fault is not None and script.fault.kind is FaultKind.STATUS
        if script.retry_after_s is not None and (status != 200 or not is_for_an_error):
            headers["retry-after"] = str(script.retry_after_s)
        return headers

    async def _begin(self, content_type: str, length: int | None) -> web.StreamResponse:
        headers = {"content-type": content_type, **self._headers(200)}
        if content_type == EVENTS:
            headers["cache-control"] = "no-cache"
        response = web.StreamResponse(headers=headers)
        if length is not None:
            response.content_length = length
        elif self._request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(self._request)
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        if not self._drips:
            await response.write(data)
            return
        for at in range(len(data)):
            await response.write(data[at : at + 1])
            await asyncio.sleep(0)

    async def _end(self, response: web.StreamResponse, ending: Ending, due_s: float) -> None:
        if ending is Ending.CLEAN:
            await response.write_eof()
            return
        if ending is Ending.STALL:
            await _for_ever()
        await asyncio.sleep(_RESET_AFTER_S)
        await self._until(due_s)
        transport = self._request.transport
        if transport is not None:
            reset(transport)
        await _for_ever()

    async def _until(self, due_s: float) -> None:
        wait_s = self._read_at + due_s - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


async def _for_ever() -> NoReturn:
    """Until the handler is cancelled: the client left, the socket is gone, or the server stops."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody completes this future")
