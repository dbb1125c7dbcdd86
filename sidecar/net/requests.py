"""Requests, read strictly as their bytes come.

Knows: how llhttp (through httptools) tells heads and bodies apart, the limits of a head, and how a
body waits for whoever takes it.
Must not know: what is done with a request. Heads are handed over in order; a body is filled while
its request is served, and the caller is held while 64 KiB of it wait.
Why not aiohttp's parser: it decodes headers, builds a URL, a multi-dict and a stream for each
request, lets trailers leak into the next head, and answers what it refuses by itself.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Final, Protocol

import httptools

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.pipeline.ports import BodyError

MAX_LINE_BYTES: Final = 8 * 1024
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 128
MAX_HEAD_BYTES: Final = 64 * 1024
_HELD_BYTES: Final = 64 * 1024
_METHOD_LINE: Final = re.compile(rb"[A-Za-z][A-Za-z-]{0,31} [/*h]")
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_NO_VERSION: Final = "0.0"
"""What the parser says before it has read one."""
_BAD_VERSION: Final = Refusal(Reason.BAD_VERSION, "only HTTP/1.0 and HTTP/1.1 are spoken here")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class CallerEnd(Protocol):
    """The connection that requests come from."""

    def write(self, data: bytes) -> None: ...

    def hold(self) -> None:
        """Stop reading: too much of a body waits."""

    def release(self) -> None:
        """Read on."""


class RequestTaker(CallerEnd, Protocol):
    """Who gets what was read."""

    read_at: float
    """Monotonic seconds of the read that is being parsed."""

    def arrived(self, head: RequestHead, body: RequestBody) -> Refusal | None:
        """A head is complete; its body follows. A Refusal if it is one too many."""

    def refused(self, refusal: Refusal) -> None:
        """The bytes are no request; nothing more is read."""


class RequestBody:
    """The Body port: filled by the reader, taken by the pipeline."""

    __slots__ = (
        "_end",
        "_error",
        "_is_held",
        "_must_continue",
        "_pieces",
        "_size",
        "_waiter",
        "is_whole",
        "wanted_at",
    )

    def __init__(self, end: CallerEnd, must_continue: bool) -> None:
        self._end = end
        self._must_continue = must_continue
        self._pieces: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: BodyError | None = None
        self._is_held = False
        self.is_whole = False
        self.wanted_at: float | None = None
        """Monotonic seconds since when somebody waits for more; None while nobody does."""

    def take(self) -> bytes:
        """What is buffered now."""
        if self._error is not None:
            # Made anew: the one that is kept would hold, by its traceback, what holds it.
            raise BodyError(self._error.reason, str(self._error))
        pieces = self._pieces
        if len(pieces) == 1:
            data = pieces.pop()
        else:
            data = b"".join(pieces)
            pieces.clear()
        self._size = 0
        if self._is_held:
            self._is_held = False
            self._end.release()
        return data

    async def more(self) -> bytes:
        """Wait for bytes; b"" at the end. Raises BodyError where it will never be whole."""
        if not self._pieces and not self.is_whole and self._error is None:
            if self._must_continue:
                self._end.write(_CONTINUE)
            self._waiter = asyncio.get_running_loop().create_future()
            self.wanted_at = monotonic()
            try:
                await self._waiter
            finally:
                self._waiter = self.wanted_at = None
        self._must_continue = False
        return self.take()

    # --- the reader's side ---

    def feed(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _HELD_BYTES and not self._is_held:
            self._is_held = True
            self._end.hold()
        self._wake()

    def finish(self) -> None:
        self.is_whole = True
        self._wake()

    def fail(self, error: BodyError) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class RequestReader:
    """Parses the requests of one connection until one is refused or must be the last."""

    __slots__ = (
        "_body",
        "_headers",
        "_is_first",
        "_is_last",
        "_is_primed",
        "_parser",
        "_read_bytes",
        "_refusal",
        "_taker",
        "_target",
        "_tunnel",
        "_unused_bytes",
        "head_began_at",
    )

    def __init__(self, taker: RequestTaker) -> None:
        self._taker = taker
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._read_bytes = 0
        """How long the read is that is being parsed."""
        self._unused_bytes = 0
        """Read after the read in which a head began, or a body came on."""
        self._body: RequestBody | None = None
        """The body that is being filled; None between requests and inside a head."""
        self._refusal: Refusal | None = None
        self._is_last = False
        """Nothing that follows is a request."""
        self._is_first = True
        """The bytes being read began with a request line, and no request before it."""
        self._is_primed = False
        """The parser stands in for another: it is told a head that was read already."""
        self._tunnel: RequestBody | None = None
        """Takes what follows a request for another protocol, whatever it is."""
        self.head_began_at: float | None = None
        """When the first byte of a head was read; None while its last was, too."""

    def feed(self, data: bytes) -> None:
        """Every byte read, as it came."""
        parser = self._parser
        if parser is None:
            if self._tunnel is not None:
                self._tunnel.feed(data)
            return
        self._is_first = self._body is None
        self._read_bytes = size = len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_as_http(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._stop(error, data)
            return
        self._unused_bytes += size
        if self._unused_bytes > MAX_HEAD_BYTES:
            # A field, a chunk extension or a trailer that never ends reaches no callback.
            if self._body is None:
                self._refusal = _too_large("the head", MAX_HEAD_BYTES)
            self._stop(None, data)

    def lost(self) -> None:
        """The connection is gone: part with it and with the parser, which hold us as we hold them;
        no connection has to wait for the garbage collector then."""
        self._parser = self._body = self._tunnel = None
        self._taker = _GONE

    def end(self) -> None:
        """The caller sends nothing more."""
        if self._tunnel is not None:
            self._tunnel.finish()

    def _go_on_as_http(self, rest: bytes) -> None:
        """Either the request may become a tunnel, or we do not upgrade, and what follows is its
        body. The parser has given up on that: another one is told the framing and reads on."""
        body, self._is_last = self._body, True
        if self._tunnel is not None:
            self._parser = None
            if rest:
                self._tunnel.feed(rest)
            return
        if body is None or body.is_whole:
            self._parser = None
            return
        self._parser = httptools.HttpRequestParser(self)
        self._is_primed = True
        framing = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in self._headers
            if name.lower() in (b"content-length", b"transfer-encoding")
        )
        self._headers = []
        self.feed(b"POST / HTTP/1.1\r\n" + framing + b"\r\n" + rest)

    def _stop(self, error: httptools.HttpParserError | None, data: bytes) -> None:
        """No byte that follows is read."""
        parser, self._parser = self._parser, None
        body, self._body = self._body, None
        if body is not None and not body.is_whole:
            message = "the request body breaks its own framing"
            body.fail(BodyError(Reason.BAD_REQUEST, message))
        elif self._refusal is not None:
            self._taker.refused(self._refusal)
        elif not self._is_last:
            refusal = _refusal_of(error, data if self._is_first else b"")
            if parser is not None and parser.get_http_version() not in (*_VERSIONS, _NO_VERSION):
                refusal = _BAD_VERSION
            self._taker.refused(refusal)

    # --- what the parser tells ---

    def on_message_begin(self) -> None:
        self._came_on()
        if not self._is_primed:
            self.head_began_at = self._taker.read_at

    def on_url(self, piece: bytes) -> None:
        self._target += piece
        if len(self._target) > MAX_LINE_BYTES:
            self._refuse(
                Refusal(
                    Reason.URI_TOO_LONG, f"the request target is longer than {MAX_LINE_BYTES} bytes"
                )
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._body is not None:
            return  # a trailer: dropped, and nothing of it reaches the next head
        if len(name) + len(value) > MAX_FIELD_BYTES:
            self._refuse(_too_large("a header", MAX_FIELD_BYTES))
        headers = self._headers
        headers.append((name, value.rstrip(b" \t")))
        if len(headers) > MAX_FIELDS:
            self._refuse(
                Refusal(Reason.HEADER_TOO_LARGE, f"there are more than {MAX_FIELDS} headers")
            )

    def on_headers_complete(self) -> None:
        parser = self._parser
        if self._is_primed or parser is None:
            return
        self.head_began_at = None
        is_split = self._unused_bytes + self._read_bytes > 0
        if (is_split or self._read_bytes > MAX_HEAD_BYTES) and self._size() > MAX_HEAD_BYTES:
            self._refuse(_too_large("the head", MAX_HEAD_BYTES))
        self._came_on()
        version = parser.get_http_version()
        minor = version[2:]
        target, headers = self._target, self._headers
        if version not in _VERSIONS:
            self._refuse(_BAD_VERSION)
        head = RequestHead(
            parser.get_method().decode("ascii"), target.decode("latin-1"), int(minor), headers
        )
        if head.host_count != 1 and (head.host_count or minor == "1"):
            self._refuse(Refusal(Reason.BAD_REQUEST, "exactly one Host header is needed"))
        is_upgrade = parser.should_upgrade()
        # HTTP/1.0 callers are served once, whatever they ask for.
        head.must_close = is_upgrade or minor == "0" or not parser.should_keep_alive()
        self._is_last = head.must_close
        body = self._body = RequestBody(self._taker, head.expect is not None and minor == "1")
        if head.wants_websocket:
            self._tunnel = body
        self._target = b""
        self._is_first = False
        if not is_upgrade:
            self._headers = []
        if (refusal := self._taker.arrived(head, body)) is not None:
            self._body = None
            self._refuse(refusal)

    def on_body(self, piece: bytes) -> None:
        self._came_on()
        if self._body is not None:
            self._body.feed(piece)

    def on_message_complete(self) -> None:
        body, parser = self._body, self._parser
        if body is None or parser is None or self._tunnel is not None:
            return
        if not self._is_primed and parser.should_upgrade() and _has_body(self._headers):
            return  # the parser takes the rest for another protocol; see _go_on_as_http
        self._headers = []
        self._body = None
        body.finish()

    def _came_on(self) -> None:
        # The whole read is added once it is parsed: this one then counts nothing.
        self._unused_bytes = -self._read_bytes

    def _size(self) -> int:
        """Of the head, but for its white space."""
        fields = sum(len(name) + len(value) + 4 for name, value in self._headers)
        return len(self._target) + fields

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _RefusedError


class _Gone:
    """Stands for a connection that reads nothing more."""

    read_at = 0.0

    def write(self, data: bytes) -> None:
        """Nobody is there."""

    def hold(self) -> None:
        """Nothing comes."""

    def release(self) -> None:
        """Nothing comes."""

    def arrived(self, head: RequestHead, body: RequestBody) -> Refusal | None:
        """Nothing comes."""

    def refused(self, refusal: Refusal) -> None:
        """Nobody is there."""


_GONE: Final = _Gone()


class _RefusedError(Exception):
    """Leaves the parser; what it means is in `_refusal`."""


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        lower = name.lower()
        if lower == b"transfer-encoding" or (lower == b"content-length" and value.strip(b"0")):
            return True
    return False


def _too_large(what: str, limit_bytes: int) -> Refusal:
    return Refusal(Reason.HEADER_TOO_LARGE, f"{what} is larger than {limit_bytes} bytes")


def _refusal_of(error: httptools.HttpParserError | None, data: bytes) -> Refusal:
    """What the parser's refusal means; nothing of the bytes is told back."""
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD_LINE.match(data):
        return Refusal(Reason.NOT_IMPLEMENTED, "this request method is not known")
    return Refusal(Reason.BAD_REQUEST, "these bytes are no valid HTTP/1.1 request")
