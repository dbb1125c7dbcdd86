"""Bytes to the caller, untouched, as they come; a copy to whoever reads along.

Knows: how an upstream's head and body are framed for the caller, and whether the caller has all.
Must not know: sockets. It is called from the upstream's read callback, once per read, and writes
once per read: head and first bytes leave together when they came together, and nothing waits.
Order matters here: write first, read the copy after.
"""

from __future__ import annotations

import asyncio

from sidecar.core.framing import Framing
from sidecar.core.outcome import Reason
from sidecar.core.response_heads import SWITCHING, ResponseHead
from sidecar.dialects.ask import UsageWithheld
from sidecar.dialects.choose import Both, recipe_for
from sidecar.dialects.whole import MAX_BODY_BYTES, is_cut_json
from sidecar.dialects.words import Words
from sidecar.metering.meter import Meter
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Desk
from sidecar.pipeline.reveal import revealed

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
        "_is_cut",
        "_kept",
        "_meter",
        "_now",
        "_withheld",
        "_write",
        "has_begun",
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
        self._is_cut = False
        """A body that ended with its connection, in the middle of what it was saying."""
        self._ends_with_connection = False
        self._meter: Meter | None = None
        """Reads a stream along."""
        self._withheld: UsageWithheld | None = None
        """Keeps the answer to what only we have asked from the caller."""
        self._kept: list[bytes] | None = None
        """A body that is no stream: to be read when it is over, and nobody waits for it."""
        self.has_begun = False
        self.is_whole = False
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
        shown = body if self._withheld is None else self._shown(self._withheld, body, is_end)
        if shown:
            out += b"%x\r\n%b\r\n" % (len(shown), shown) if self._is_chunked else shown
        # Only here the copy is read first: whether the body is whole hangs on what it says.
        must_read_first = is_end and self._ends_with_connection
        if must_read_first:
            self._read(body, is_end, read_at)
        if is_end:
            # A body that ends with its connection is whole only if its stream says so. One that
            # ends by its framing is passed on as it is, and told for what it is.
            self._is_cut = (
                must_read_first
                and self._kept is not None
                and is_cut_json(exchange.answer_head, self._kept)
            )
            self.is_whole = not (
                self._ends_with_connection and (self.is_unfinished or self._is_cut)
            )
            if self.is_whole and self._is_chunked:
                out += _LAST_CHUNK
        if out:
            self._write(out)
        spent_s = desk.now() - read_at
        exchange.overhead_s += spent_s
        overhead = desk.overhead_chunk if head is None else desk.overhead_response
        overhead.add(spent_s)
        exchange.response_bytes += len(shown)
        if not must_read_first:
            self._read(body, is_end, read_at)

    def more(self, body: bytes, read_at: float) -> None:
        """`take` for the usual case: one or more events in the middle of a stream."""
        if self._withheld is not None:
            self.take(None, body, False, read_at)
            return
        size = len(body)
        self._write(b"%x\r\n%b\r\n" % (size, body) if self._is_chunked else body)
        spent_s = self._now() - read_at
        self._count_chunk(spent_s)
        exchange = self._exchange
        exchange.overhead_s += spent_s
        exchange.response_bytes += size
        if self._meter is not None:
            self._meter.feed(body, read_at)
        elif self._kept is not None:
            self._keep(body)

    def _shown(self, withheld: UsageWithheld, body: bytes, is_end: bool) -> bytes:
        return withheld.feed(body) + (withheld.end() if is_end else b"")

    def _read(self, body: bytes, is_end: bool, read_at: float) -> None:
        """The copy, to whoever reads along."""
        if (meter := self._meter) is not None:
            if body:
                meter.feed(body, read_at)
            if is_end:
                meter.end(read_at)
        elif self._kept is not None:
            if body:
                self._keep(body)
            if is_end:
                self._exchange.kept = self._kept

    def _keep(self, body: bytes) -> None:
        kept = self._kept
        if kept is not None and self._exchange.response_bytes <= MAX_BODY_BYTES:
            kept.append(body)
        elif kept:
            kept.clear()

    def let_go(self) -> None:
        """The answer is about to be cut: what was kept back for a moment is the caller's."""
        if self._withheld is None:
            return
        shown = self._withheld.end()
        if shown:
            self._write(b"%x\r\n%b\r\n" % (len(shown), shown) if self._is_chunked else shown)
            self._exchange.response_bytes += len(shown)

    @property
    def is_unfinished(self) -> bool:
        """It is a stream, and has not said that it is over."""
        facts = self._exchange.facts
        return facts is not None and not facts.is_complete and not facts.is_lost

    @property
    def failure(self) -> Reason | None:
        """What is wrong with a stream whose bytes all came: an error in place of the rest, or no
        last event. (Bodies that are no streams are judged when they are read.)"""
        if self._is_cut:
            return Reason.UPSTREAM_CUT
        facts, status = self._exchange.facts, self._exchange.upstream_status
        if facts is None or status is None or status >= 400:
            return None
        if facts.error is not None:
            return Reason.IN_STREAM_ERROR
        return Reason.NO_TERMINAL_EVENT if self.is_unfinished else None

    @property
    def is_delivered(self) -> bool:
        """The caller has all it can want: the whole answer, or a stream's terminal event."""
        facts = self._exchange.facts
        return self.is_whole or (facts is not None and facts.is_complete)

    def _begin(self, head: ResponseHead, read_at: float) -> bytes:
        exchange = self._exchange
        client = exchange.client
        exchange.answered_at = read_at
        exchange.status = exchange.upstream_status = head.status
        exchange.answer_head = head
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
        if head.framing is not Framing.NONE:
            self._attach(head)
        self._ends_with_connection = head.framing is Framing.EOF
        plan = exchange.plan
        extra = b""
        if plan.reveals_id or plan.reveals_timing:
            extra = revealed(exchange, self._now())
        return head.for_client(client.speaks_chunked, client.will_close, extra)

    def _switch(self, head: ResponseHead) -> bytes:
        # An end of the connection is the tunnel's own: only a reset shows that it was cut.
        self._exchange.client.is_tunnel = self.must_reset = True
        if self.switched is not None:
            self.switched.set()
        return head.for_client(speaks_chunked=True, closes=False)

    def _attach(self, head: ResponseHead) -> None:
        """Let somebody read along, if there is somebody who can."""
        exchange = self._exchange
        asked = exchange.operation
        if asked is None:
            return
        recipe = recipe_for(
            asked.family, head.status < 400, head.content_type, head.content_encoding
        )
        if recipe is None:
            return
        exchange.recipe = recipe
        if recipe.is_stream:
            if (
                exchange.asks_usage
                and head.content_encoding is None
                and head.framing is not Framing.LENGTH
            ):
                self._withheld = UsageWithheld()
            reader, facts = recipe.make()
            if (limit_bytes := exchange.plan.captures_bytes) is not None:
                words = exchange.words = Words(limit_bytes)
                reader = Both(reader, recipe._replace(interpret=lambda: words).make()[0])
            self._meter = exchange.meter = Meter(
                reader, facts, exchange.t0, exchange.plan.stall_after_s
            )
        else:
            self._kept = []
