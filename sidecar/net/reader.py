"""One response, read strictly and pushed on.

Knows: how llhttp (through httptools) tells head, body and end of a response apart, and what makes
a response or its connection unfit.
Must not know: who takes the bytes. Every read ends in at most one call of the sink.
Why our own and not aiohttp's: its client parser is lenient (folded headers, bare LF), swallows any
number of interim responses, and lets trailers of one response leak into the next.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Final

import httptools

from sidecar.core.framing import Framing
from sidecar.core.outcome import Reason
from sidecar.core.response_heads import SWITCHING, ResponseHead
from sidecar.pipeline.ports import Sink

_MAX_HEAD_BYTES: Final = 256 * 1024
_MAX_TRAILER_BYTES: Final = 64 * 1024
_MAX_INTERIM: Final = 100
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# 100 answers an Expect that never left us; the others are not defined.
_FORWARDED_INTERIM: Final = frozenset({102, 103})
_NO_BODY_STATUS: Final = frozenset({204, 304})


class ResponseReader:
    """Parses one response. `ending` is done with None when it is whole, else with the Reason.

    `is_clean`: nothing came after the end, and the connection may serve another request.
    """

    __slots__ = (
        "_framing_bytes",
        "_head",
        "_head_bytes",
        "_interim",
        "_is_head_request",
        "_is_interim",
        "_is_streaming",
        "_may_switch",
        "_more",
        "_new_head",
        "_parser",
        "_pieces",
        "_sink",
        "_trailer_bytes",
        "bytes_received",
        "ending",
        "has_head",
        "is_clean",
        "is_done",
        "is_tunnel",
        "read_at",
    )

    def __init__(
        self,
        sink: Sink,
        is_head_request: bool,
        may_switch: bool,
        ending: asyncio.Future[Reason | None],
    ) -> None:
        self._may_switch = may_switch
        self.is_tunnel = False
        """101 was said: what comes is another protocol's, and passed as it is."""
        self._sink = sink
        self._more = sink.more
        self._is_streaming = False
        self._is_head_request = is_head_request
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._head = ResponseHead()
        self._new_head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._interim = 0
        self._is_interim = False
        self._head_bytes = self._trailer_bytes = 0
        self._framing_bytes = 0
        """Read since the last byte of the body."""
        self.bytes_received = 0
        self.read_at: float | None = None
        self.has_head = False
        self.is_done = False
        self.is_clean = True
        self.ending = ending

    # --- what the connection tells ---

    def feed(self, data: bytes) -> None:
        """Every byte read, as it came."""
        now = self.read_at = monotonic()
        self.bytes_received += len(data)
        if self._parser is None:
            if self.is_tunnel and not self.ending.done():
                self._pass(data, now)
            self.is_clean = False
            return
        reason: Reason | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.is_tunnel:
                self._parser = None
                self._push(now)
                if rest := data[upgrade.args[0] :]:
                    self._pass(rest, now)
                return
            # Nobody asked for an upgrade.
            reason = Reason.BAD_FRAMING
        except httptools.HttpParserError:
            if self.is_done:
                self.is_clean = False
            else:
                reason = Reason.BAD_FRAMING
        try:
            if self._is_streaming and not self.is_done:
                # The usual case, once per event: body bytes in the middle of a response.
                pieces = self._pieces
                if pieces:
                    body = pieces.pop() if len(pieces) == 1 else b"".join(pieces)
                    pieces.clear()
                    self._framing_bytes = 0
                    self._more(body, now)
                else:
                    # An extension or a trailer that never ends reaches no callback.
                    self._framing_bytes += len(data)
                    if self._framing_bytes > _MAX_TRAILER_BYTES:
                        reason = Reason.BAD_FRAMING
            else:
                self._push(now)
        except Exception as error:
            # A bug of ours in the sink: it must end the exchange, not vanish in the event loop.
            self._break(error)
            return
        if reason is not None:
            self._finish(reason if self.has_head else Reason.BAD_UPSTREAM_RESPONSE)
        elif self.is_done:
            self._finish(None)
        elif not self.has_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._finish(Reason.BAD_UPSTREAM_RESPONSE)

    def lost(self, exc: BaseException | None) -> None:
        """The connection ended; a FIN ends a body that has no other end."""
        self.is_clean = False
        if self.is_done or self.ending.done():
            return
        if not self.has_head:
            self._finish(Reason.UPSTREAM_RESET)
        elif exc is None and (self.is_tunnel or self._head.framing is Framing.EOF):
            self.is_done = True
            self._push(self.read_at or monotonic())
            self._finish(None)
        elif exc is None and self._head.framing is Framing.LENGTH:
            self._finish(Reason.SHORT_BODY)
        else:
            self._finish(Reason.UPSTREAM_CUT)

    def stop(self) -> None:
        """Nobody waits for the ending any more. Parser and reader hold each other: parted here, so
        that no exchange waits for the garbage collector."""
        self._parser = None

    def fail(self, reason: Reason) -> None:
        """End it from our side: a timer fired, or the caller's body broke."""
        self._finish(reason)

    @property
    def is_broken(self) -> bool:
        """Nothing more will come, and the response is not whole."""
        return self._parser is None and not self.is_done

    def redirect(self, sink: Sink) -> None:
        """The rest goes elsewhere."""
        self._sink = sink
        self._more = sink.more

    def _pass(self, data: bytes, read_at: float) -> None:
        try:
            self._more(data, read_at)
        except Exception as error:
            self._break(error)

    def _push(self, read_at: float) -> None:
        head, self._new_head = self._new_head, None
        if head is None and not self._pieces and not self.is_done:
            return
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._is_streaming = True
        self._sink.take(head, body, self.is_done, read_at)

    def _break(self, error: Exception) -> None:
        self.is_clean = False
        self._parser = None
        if not self.ending.done():
            self.ending.set_exception(error)

    def _finish(self, reason: Reason | None) -> None:
        self.stop()
        self.is_clean = self.is_clean and reason is None
        if not self.ending.done():
            self.ending.set_result(reason)

    # --- what the parser tells ---

    def on_message_begin(self) -> None:
        if self.is_done:
            self.is_clean = False

    def on_status(self, reason: bytes) -> None:
        if not self.is_done:
            self._head.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self._head.add(name, value.rstrip(b" \t"))
            return
        # After the head these are trailers: dropped, and nothing of them reaches a later response.
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise _NoResponseError

    def on_headers_complete(self) -> None:
        if self.is_done or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 100 or _CONTROL.search(self._head.reason):
            raise _NoResponseError
        if status == SWITCHING and self._may_switch and self._grants_websocket():
            self._head.finish(status, has_body=False)
            self._new_head = self._head
            self.has_head = self.is_tunnel = True
            self.is_clean = False
            return
        if status < 200:
            self._is_interim = True
            self._interim += 1
            # llhttp would read a body after it, and the next head in the middle of that.
            if self._interim > _MAX_INTERIM or self._head.announces_body:
                raise _NoResponseError
            return
        if self._head.is_ambiguous:
            raise _NoResponseError
        has_body = not self._is_head_request and status not in _NO_BODY_STATUS
        self._head.finish(status, has_body)
        self._new_head = self._head
        self.has_head = True
        if not has_body:
            self._end()

    def on_body(self, piece: bytes) -> None:
        if self.is_done:
            self.is_clean = False
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._tell_interim()
        elif not self.is_done and not self.is_tunnel:
            self._end()

    def _grants_websocket(self) -> bool:
        return (self._head.upgrade or b"").lower() == b"websocket"

    def _tell_interim(self) -> None:
        head, self._head = self._head, ResponseHead()
        self._is_interim = False
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status in _FORWARDED_INTERIM:
            head.finish(status, has_body=False)
            self._sink.interim(head)

    def _end(self) -> None:
        self.is_done = True
        assert self._parser is not None
        self.is_clean = self.is_clean and self._parser.should_keep_alive()


class _NoResponseError(Exception):
    """Leaves the parser: what it let through, and nobody should."""
