"""Bytes to the caller, untouched, as they come; a copy to whoever reads along.

Knows: how an upstream's head and body are framed for the caller, and whether the caller has all.
Must not know: sockets. It is called from the upstream's read callback, once per read, and writes
once per read: head and first bytes leave together when they came together, and nothing waits.
Order matters here: write first, read the copy after.
"""

from __future__ import annotations

import asyncio

from sidecar.core.heads import SWITCHING, Framing, ResponseHead
from sidecar.dialects import terminal
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Desk

_LAST_CHUNK = b"0\r\n\r\n"


class Relay:
    """The sink of one attempt. `has_begun`: bytes went to the caller, so that no other attempt may
    follow. `is_whole`: the end went, too. `is_unfinished`: the body ended, but the stream had not
    said that it was over."""

    __slots__ = (
        "_count_chunk",
        "_desk",
        "_ends_with_connection",
        "_exchange",
        "_is_chunked",
        "_now",
        "_watch",
        "_write",
        "has_begun",
        "is_unfinished",
        "is_whole",
        "must_reset",
        "switched",
    )

    def __init__(self, exchange: Exchange, desk: Desk) -> None:
        self._exchange = exchange
        self._desk = desk
        self._write = exchange.client.write
        self._now = desk.now
        self._count_chunk = desk.overhead_chunk.add
        self._is_chunked = False
        self._ends_with_connection = False
        self._watch: terminal.TerminalWatch | None = None
        self.has_begun = False
        self.is_whole = False
        self.is_unfinished = False
        self.must_reset = False
        self.switched: asyncio.Event | None = None
        """Set by 101, for whoever carries the caller's bytes then."""

    def interim(self, head: ResponseHead) -> None:
        """102 and 103, to callers who know what an interim answer is."""
        client = self._exchange.client
        if client.speaks_chunked:
            self._write(head.for_client(speaks_chunked=True, closes=False))

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        """One read's worth of the response."""
        exchange, desk = self._exchange, self._desk
        out = b"" if head is None else self._begin(head, read_at)
        if body:
            out += b"%x\r\n%b\r\n" % (len(body), body) if self._is_chunked else body
            if self._watch is not None:
                self._watch.feed(body)
        if is_end:
            self.is_unfinished = self._watch is not None and not self._watch.is_over
            # A body that ends with its connection is whole only if its stream says so. One that
            # ends by its framing is passed on as it is, and told for what it is.
            self.is_whole = not (self.is_unfinished and self._ends_with_connection)
            if self.is_whole and self._is_chunked:
                out += _LAST_CHUNK
        if out:
            self._write(out)
        overhead = desk.overhead_chunk if head is None else desk.overhead_response
        overhead.add(desk.now() - read_at)
        exchange.response_bytes += len(body)

    def more(self, body: bytes, read_at: float) -> None:
        """`take` for the usual case: one or more events in the middle of a stream."""
        size = len(body)
        self._write(b"%x\r\n%b\r\n" % (size, body) if self._is_chunked else body)
        self._count_chunk(self._now() - read_at)
        self._exchange.response_bytes += size
        if self._watch is not None:
            self._watch.feed(body)

    def _switch(self, head: ResponseHead) -> bytes:
        # An end of the connection is the tunnel's own: only a reset shows that it was cut.
        self._exchange.client.is_tunnel = self.must_reset = True
        if self.switched is not None:
            self.switched.set()
        return head.for_client(speaks_chunked=True, closes=False)

    @property
    def is_delivered(self) -> bool:
        """The caller has all it can want: the whole answer, or a stream's terminal event."""
        return self.is_whole or (self._watch is not None and self._watch.is_over)

    def _begin(self, head: ResponseHead, read_at: float) -> bytes:
        exchange = self._exchange
        client = exchange.client
        exchange.answered_at = read_at
        exchange.status = exchange.upstream_status = head.status
        self.has_begun = True
        if head.status == SWITCHING:
            return self._switch(head)
        if not exchange.is_body_read:
            # An early answer: what is left of the upload will not be read.
            client.will_close = True
        is_open_ended = head.framing is Framing.EOF or (
            head.framing is Framing.CHUNKED and not client.speaks_chunked
        )
        if is_open_ended and not client.speaks_chunked:
            client.will_close = self.must_reset = True
        self._is_chunked = client.speaks_chunked and head.framing in (
            Framing.CHUNKED,
            Framing.EOF,
        )
        if head.status < 300 and head.framing is not Framing.NONE:
            self._watch = terminal.watch(
                exchange.head.path, head.content_type, head.content_encoding
            )
        self._ends_with_connection = head.framing is Framing.EOF
        return head.for_client(client.speaks_chunked, client.will_close)
