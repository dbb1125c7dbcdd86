"""A client that looks at every byte.

Knows: sockets, and strict HTTP/1.1 framing: it tells a whole body from a cut one, FIN from RST.
Must not know: the relay. It forgives nothing that a real client library would paper over.
"""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

Address = tuple[str, int]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NO_BODY = (204, 304)


class End(Enum):
    """How a response ended."""

    WHOLE = "whole"
    """By its own framing."""
    FIN = "fin"
    RST = "rst"


@dataclass(slots=True)
class Answer:
    """One response, as it came."""

    head: bytes
    """From the status line to the blank line, exact."""
    body: bytes = b""
    chunks: list[int] = field(default_factory=list)
    """Sizes of the chunks, without the last one."""
    end: End = End.WHOLE
    trailers: bytes = b""

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def is_chunked(self) -> bool:
        return self.header(b"transfer-encoding") is not None

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:-2]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip()
        return None


class _EndedError(Exception):
    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


class Caller:
    """One connection. Use as a context manager; leaving it closes."""

    def __init__(
        self, address: Address, timeout_s: float = 20, receive_buffer: int | None = None
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(timeout_s)
        if receive_buffer is not None:
            # Before connect: the window that is offered follows from it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)
        self._buffer = bytearray()

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Leave with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.socket.close()

    def half_close(self) -> None:
        """FIN, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, request: bytes) -> Answer:
        """Send, then read one response."""
        self.send(request)
        return self.answer(is_head=request.startswith(b"HEAD "))

    def read_some(self) -> bytes:
        """One read of the socket; b"" at its end."""
        piece = self.socket.recv(1 << 18)
        self._buffer += piece
        return piece

    def read_until(self, mark: bytes) -> bytes:
        """All bytes up to and with `mark`; they stay to be parsed."""
        while mark not in self._buffer:
            self._fill()
        return bytes(self._buffer[: self._buffer.index(mark) + len(mark)])

    def read_to_end(self) -> tuple[bytes, End]:
        """Everything until the connection ends, and how it ended."""
        try:
            while True:
                self._fill()
        except _EndedError as ended:
            return bytes(self._buffer), ended.end

    def is_closed_within(self, seconds: float) -> bool:
        """The other side ends the connection, with nothing more to say."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def answer(self, is_head: bool = False) -> Answer:
        """One response. A body that breaks off is returned with the end that it met."""
        answer = Answer(self._line_block())
        while 100 <= answer.status < 200:
            answer = Answer(self._line_block())
        if is_head or answer.status in _NO_BODY:
            return answer
        body = bytearray()
        try:
            if answer.is_chunked:
                self._chunked(answer, body)
            elif (length := answer.header(b"content-length")) is not None:
                self._exactly(int(length), body)
            else:
                self._to_end(body)
        except _EndedError as ended:
            answer.end = ended.end
        answer.body = bytes(body)
        return answer

    def _line_block(self) -> bytes:
        head = self.read_until(b"\r\n\r\n")
        del self._buffer[: len(head)]
        return head

    def _chunked(self, answer: Answer, body: bytearray) -> None:
        """Size in plain hex, no extensions, CRLF where it belongs, a last chunk, no trailers."""
        while True:
            line = self._line()
            assert set(line) <= set(b"0123456789abcdefABCDEF"), line
            size = int(line, 16)
            if size == 0:
                trailer = self._line()
                assert trailer == b"", f"a trailer: {trailer!r}"
                return
            answer.chunks.append(size)
            self._exactly(size, body)
            tail = bytearray()
            self._exactly(2, tail)
            assert tail == b"\r\n", tail

    def _line(self) -> bytes:
        while (at := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 2]
        return line

    def _exactly(self, size: int, into: bytearray) -> None:
        """Moves what there is even where the connection ends before all is there."""
        while size:
            if not self._buffer:
                self._fill()
            taken = self._buffer[:size]
            del self._buffer[: len(taken)]
            into += taken
            size -= len(taken)

    def _to_end(self, into: bytearray) -> None:
        try:
            while True:
                into += self._buffer
                self._buffer.clear()
                self._fill()
        except _EndedError as ended:
            if ended.end is not End.FIN:
                raise

    def _fill(self) -> None:
        try:
            piece = self.socket.recv(1 << 18)
        except ConnectionResetError:
            raise _EndedError(End.RST) from None
        if not piece:
            raise _EndedError(End.FIN)
        self._buffer += piece


def chunk(data: bytes) -> bytes:
    """One chunk, framed."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def request(
    target: str,
    body: bytes | None = None,
    *headers: bytes,
    method: str | None = None,
    host: bytes = b"localhost",
) -> bytes:
    """A plain request; with a body a POST of fixed length."""
    method = method or ("GET" if body is None else "POST")
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), b"Host: " + host, *headers]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def eventually(true: object, within_s: float = 2.0) -> bool:
    """Ask again and again until it holds."""
    assert callable(true)
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
