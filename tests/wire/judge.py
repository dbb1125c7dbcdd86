"""A provider and a caller that read with h11: a second parser, judging what the relay wrote.

Knows: h11 and sockets. Must not know: the relay's own parser, which is another (llhttp).
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from dataclasses import dataclass, field

import h11

from .request_mutations import Message


@dataclass(slots=True)
class Judgement:
    """What came for one number."""

    messages: list[Message] = field(default_factory=list)
    """In order, whole ones only."""
    heads: list[list[tuple[bytes, bytes]]] = field(default_factory=list)


class Judge:
    """Reads every byte that the relay sends, by h11 alone; answers `ok` to each whole request."""

    def __init__(self) -> None:
        self.by_number: dict[str, Judgement] = defaultdict(Judgement)
        self.unreadable: list[str] = []
        """What h11 could not read. A message that is broken off is no fault: nobody acts on it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        try:
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    data = await reader.read(65536)
                    parser.receive_data(data)
                    if not data and parser.their_state is not h11.SEND_BODY:
                        return
                elif isinstance(event, h11.Request):
                    request, body = event, b""
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    assert request is not None
                    self._keep(request, body)
                    headers = [("Content-Length", "2")]
                    out = parser.send(h11.Response(status_code=200, headers=headers)) or b""
                    out += parser.send(h11.Data(data=b"ok")) or b""
                    out += parser.send(h11.EndOfMessage()) or b""
                    writer.write(out)
                    if parser.our_state is not h11.DONE or parser.their_state is not h11.DONE:
                        return
                    parser.start_next_cycle()
                else:
                    return
        except h11.RemoteProtocolError as error:
            if "incomplete" not in str(error) and "without sending complete" not in str(error):
                self.unreadable.append(f"{request and request.target!r}: {error}")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _keep(self, request: h11.Request, body: bytes) -> None:
        target = request.target.decode("latin-1")
        judgement = self.by_number[target.rpartition("/")[2]]
        judgement.messages.append((request.method.decode(), target, body))
        judgement.heads.append(list(request.headers))

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@dataclass(frozen=True, slots=True)
class Heard:
    """What h11 reads of the answers on one connection."""

    answers: tuple[tuple[int, bytes, bytes | None], ...]
    """(status, body, x-sidecar-error) of each whole one."""
    is_cut: bool
    """The last one was broken off."""
    error: str | None
    """h11 could not read what came."""


def hear(data: bytes, has_ended: bool, method: bytes = b"GET", count: int = 8) -> Heard:
    """Read up to `count` answers to requests of this method."""
    answers: list[tuple[int, bytes, bytes | None]] = []
    rest = data
    while len(answers) < count:
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        parser.receive_data(rest)
        if has_ended and not rest:
            break
        response: h11.Response | None = None
        body = b""
        try:
            while True:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    if not has_ended:
                        return Heard(tuple(answers), response is not None or bool(rest), None)
                    has_ended = False
                    parser.receive_data(b"")
                elif isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                elif isinstance(event, h11.ConnectionClosed | type(h11.PAUSED)):
                    return Heard(tuple(answers), False, None)
        except h11.RemoteProtocolError as error:
            is_cut = "closed" in str(error) or "incomplete" in str(error)
            return Heard(tuple(answers), is_cut, None if is_cut else str(error))
        assert response is not None
        code = next((value for name, value in response.headers if name == b"x-sidecar-error"), None)
        answers.append((response.status_code, body, code))
        rest = parser.trailing_data[0]
        if not rest:
            break
    return Heard(tuple(answers), False, None)
