"""Whatever a provider said before, the next answer on a caller's connection is its own.

The responses of the smuggling grid, asked for by callers who keep their connection, who speak
HTTP/1.0, or who asked for the head alone; read with h11, as one connection from its first byte to
its last.
"""

from __future__ import annotations

import h11
import pytest

from .caller import Caller, End
from .conftest import Side
from .origin import answer, fin, read_body, send
from .relay import Relay
from .response_mutations import Vector, ok, vectors

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
_LENGTH = ok(b"Content-Length: 2", body=b"ok")
MORE = [
    Vector(name, data, b"ok")
    for name, data in {
        "hint with a body": b"HTTP/1.1 103 E\r\nContent-Length: 4\r\n\r\nevil" + _LENGTH,
        "hint with chunks": b"HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"4\r\nevil\r\n0\r\n\r\n"
        + _LENGTH,
        "hint with a fold": b"HTTP/1.1 103 E\r\nLink: a\r\n b\r\n\r\n" + _LENGTH,
        "hint with a control": b"HTTP/1.1 103 E\r\nLink: a\x01b\r\n\r\n" + _LENGTH,
        "hint with a bare cr": b"HTTP/1.1 103 E\rLink: a\r\n\r\n" + _LENGTH,
        "hint that closes": b"HTTP/1.1 103 E\r\nConnection: close\r\n\r\n" + _LENGTH,
        "hint that upgrades": b"HTTP/1.1 103 E\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        + _LENGTH,
        "100 with a body": b"HTTP/1.1 100 C\r\nContent-Length: 4\r\n\r\nevil" + _LENGTH,
        "199": b"HTTP/1.1 199 X\r\n\r\n" + _LENGTH,
        "blank lines before": b"\r\n\r\n" + _LENGTH,
        "blank lines after": _LENGTH + b"\r\n\r\n",
        "answer twice": _LENGTH + _LENGTH,
        "205 with a body": ok(b"Content-Length: 2", body=b"ok", status=b"HTTP/1.1 205 R"),
        "1.0 without a length": ok(body=b"ok", status=b"HTTP/1.0 200 OK"),
        "1.0 that is kept": ok(
            b"Connection: keep-alive", b"Content-Length: 2", body=b"ok", status=b"HTTP/1.0 200 OK"
        ),
        "1.0 with chunks": ok(
            b"Transfer-Encoding: chunked",
            body=b"2\r\nok\r\n0\r\n\r\n",
            status=b"HTTP/1.0 200 OK",
        ),
        "upgrade in 200": ok(
            b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 2", body=b"ok"
        ),
        "upgrade in 426": ok(
            b"Connection: upgrade",
            b"Upgrade: h2c",
            b"Content-Length: 2",
            body=b"ok",
            status=b"HTTP/1.1 426 U",
        ),
        "connection names the length": ok(
            b"Connection: content-length", b"Content-Length: 2", body=b"ok"
        ),
        "chunked and close": ok(
            b"Connection: close", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"
        ),
        "trailer without end": ok(
            b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\nX: " + b"a" * 300_000
        ),
        "extension without end": ok(
            b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n5;" + b"a" * 300_000
        ),
        "reason of 100 kB": ok(
            b"Content-Length: 2", body=b"ok", status=b"HTTP/1.1 200 " + b"a" * 100_000
        ),
        "high bytes in the reason": ok(
            b"Content-Length: 2", body=b"ok", status=b"HTTP/1.1 200 \x80\xff"
        ),
        "sse with a length": ok(
            b"Content-Type: text/event-stream", b"Content-Length: 2", body=b"ok"
        ),
    }.items()
]
VECTORS = [*vectors(), *MORE]


class CutError(Exception):
    """The connection ended inside an answer, and that shows."""


class Reading:
    """One connection of a caller, as h11 reads it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._has_ended = False
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)

    def ask(self, target: str, method: str, version: bytes = b"1.1") -> tuple[int, bytes, bool]:
        """(status, body, is it ours) of the one answer. Raises CutError where it breaks off, and
        h11's own error where it is no HTTP/1.1."""
        head = self._h11.send(
            h11.Request(method=method, target=target, headers=[("Host", "localhost")])
        )
        self._h11.send(h11.EndOfMessage())
        assert head is not None
        self._caller.send(head.replace(b"HTTP/1.1", b"HTTP/" + version))
        response: h11.Response | None = None
        body = b""
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError:
                if self._has_ended:
                    raise CutError from None
                raise
            if event is h11.NEED_DATA:
                self._h11.receive_data(self._read())
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                names = [name for name, _ in response.headers]
                return response.status_code, body, b"x-sidecar-error" in names

    def _read(self) -> bytes:
        try:
            piece = self._caller.socket.recv(1 << 18)
        except ConnectionResetError:
            raise CutError from None
        self._has_ended = not piece
        return piece

    @property
    def may_ask_again(self) -> bool:
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_the_next_answer_is_its_own(relay: Relay, plain: Side, vector: Vector) -> None:
    target, _ = plain.script((read_body, send(vector.data), fin))
    good, path = plain.script(answer(GOOD))
    with Caller(relay.data, timeout_s=5) as caller:
        reading = Reading(caller)
        may_ask_again = False
        try:
            status, body, is_ours = reading.ask(target, vector.method.decode())
            assert status == 502 if is_ours else body == vector.body
            may_ask_again = reading.may_ask_again
        except CutError:
            pass
        if may_ask_again:
            assert reading.ask(good, "GET") == (200, b"good", False)
    with Caller(relay.data, timeout_s=5) as caller:
        assert Reading(caller).ask(good, "GET") == (200, b"good", False)
    assert len(plain.origin.seen(path)) == 1 + may_ask_again


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_a_caller_of_http_1_0_is_not_told_in_a_tongue_it_does_not_speak(
    relay: Relay, plain: Side, vector: Vector
) -> None:
    target, _ = plain.script((read_body, send(vector.data), fin))
    with Caller(relay.data, timeout_s=5) as caller:
        line = f"{vector.method.decode()} {target} HTTP/1.0\r\n\r\n".encode()
        caller.send(line)
        data, end = caller.read_to_end()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0].startswith(b"http/1.1 "), data
    assert not lines[0].startswith(b"http/1.1 1"), "no interim answer"
    is_bodiless = vector.method == b"HEAD" or lines[0][9:12] in (b"204", b"304")
    if not is_bodiless:
        assert not any(line.startswith(b"transfer-encoding") for line in lines)
    assert b"connection: close" in lines
    if lines[0].startswith(b"http/1.1 502 "):
        assert any(line.startswith(b"x-sidecar-error: ") for line in lines)
    elif body != vector.body:
        said = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        assert end is End.RST or len(body) < said[0], "a cut that nobody sees"
