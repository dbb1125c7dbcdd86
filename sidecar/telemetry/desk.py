"""The pipeline's desk: what time it is, what a request is called, and the books.

Knows: the clock, the ids, who is in flight, and where a finished exchange is counted.
Must not know: what a request does. This is the pipeline's one door to telemetry.
Why the books are closed before anybody reads them: `started` is then the sum of all outcomes and
those in flight whenever one looks, also at a scrape between two events.
Why in batches: right after a system call the processor knows nothing of this code; many Records
in a row cost half of as many one by one (measured 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from sidecar.core.heads import UNREADABLE
from sidecar.core.records import Record
from sidecar.core.trace import Trace
from sidecar.metering.estimate import Ratios
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.summary import bare_record_of, number, read_kept, record_of
from sidecar.pipeline.watch import WatchList
from sidecar.telemetry.convention_books import ConventionBooks
from sidecar.telemetry.fanout import Fanout
from sidecar.telemetry.ledger import NOTHING_MORE, Ledger, Seen
from sidecar.telemetry.traced import Traced, traced_of
from sidecar.telemetry.tracing import NOT_TRACING, Tracing

BATCH: Final = 64
"""Less than a millisecond of work."""
STEP: Final = 32
"""Running streams whose gaps are counted at a time."""
BATCH_BYTES: Final = 64 * 1024
"""Bodies that are longer are not kept for the sake of a batch."""


class TelemetryDesk:
    """The Desk port. `id_prefix`: random, so that two processes never give out the same id."""

    def __init__(
        self,
        ledger: Ledger,
        fanout: Fanout,
        now: Callable[[], float],
        wall: Callable[[], float],
        id_prefix: str,
        tracing: Tracing = NOT_TRACING,
        conventions: ConventionBooks | None = None,
        traced: Callable[[Traced], None] | None = None,
        has_examples: bool = True,
    ) -> None:
        """`conventions`: kept too, if somebody reads them. `traced`: gets what spans are made of,
        of each exchange that is sampled."""
        self.now = now
        self.watches = WatchList()
        self.overhead_request = ledger.overhead_request
        self.overhead_response = ledger.overhead_response
        self.overhead_chunk = ledger.overhead_chunk
        self.in_flight: set[Exchange] = set()
        self._ratios = Ratios()
        self._ended: list[Exchange] = []
        """Ended, and not counted yet."""
        self._ledger = ledger
        self._emit = fanout.emit
        self._wall = wall
        self._id_prefix = id_prefix
        self._ids = 0
        self._tracing = tracing
        self._makes_spans = traced is not None
        self._conventions = conventions
        self._traced = traced
        self._has_examples = has_examples
        self.own_trace = tracing.own_trace
        self._second = -1
        self._second_text = ""

    def new_id(self) -> str:
        """A request id of ours."""
        self._ids += 1
        return f"{self._id_prefix}{self._ids:08x}"

    def started_at(self, t0: float) -> str:
        """Wall-clock text (RFC 3339, UTC, milliseconds) of a monotonic moment."""
        return self._text(self._wall() - self.now() + t0)

    def _text(self, moment: float) -> str:
        second = int(moment)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((moment - second) * 1000):03d}Z"

    def begin(self, exchange: Exchange) -> None:
        """Count one more accepted request."""
        exchange.is_begun = True
        self._ledger.account(exchange.upstream).started += 1
        self.in_flight.add(exchange)

    def settle(self, exchange: Exchange) -> None:
        """It has ended. Counted with the next batch: when that is full or large, at the next tick
        of the clock, or when somebody wants to read the books."""
        self.in_flight.discard(exchange)
        self._ended.append(exchange)
        held_bytes = len(exchange.body) + exchange.response_bytes
        if len(self._ended) >= BATCH or held_bytes > BATCH_BYTES:
            self.close_books()

    def close_books(self) -> None:
        """Count whatever has ended until now, and let the Records go out.

        One thing is done to all of them before the next: each needs other code, and the processor
        has room for one at a time (measured 2026-11)."""
        ended, self._ended = self._ended, []
        if not ended:
            return
        wall_offset_s = self._wall() - self.now()
        if self._makes_spans:
            for exchange in ended:
                self._tracing.trace_of(exchange)
        else:
            for exchange in ended:
                if exchange.head.traceparent is not None:
                    self._tracing.trace_of(exchange)
        for exchange in ended:
            read_kept(exchange)
        records = [self._record_of(exchange, wall_offset_s) for exchange in ended]
        settle, seen = self._ledger.settle, self._seen
        for exchange, record in zip(ended, records, strict=True):
            try:
                settle(record, seen(exchange, record, wall_offset_s))
            except Exception:
                # Its outcome is the first thing that was counted; the rest of it is lost alone.
                self._ledger.drop("exchanges", "not_measured")
            if (facts := exchange.facts) is not None and facts.skipped:
                for reason, count in facts.skipped.items():
                    self._ledger.skip(reason, count)
        if self._conventions is not None:
            for exchange, record in zip(ended, records, strict=True):
                try:
                    self._count_by_conventions(self._conventions, exchange, record)
                except Exception:
                    self._ledger.drop("exchanges", "not_measured")
        if self._traced is not None:
            for exchange, record in zip(ended, records, strict=True):
                if exchange.trace is not None and exchange.trace.is_recorded:
                    self._trace(self._traced, exchange, record, exchange.trace, wall_offset_s)
        self._emit(records)

    def _seen(self, exchange: Exchange, record: Record, wall_offset_s: float) -> Seen:
        """Of most exchanges there is nothing more to see than their Records."""
        head, meter, trace = exchange.answer_head, exchange.meter, exchange.trace
        example = trace.example if trace is not None and self._has_examples else None
        has_limits = head is not None and (
            head.requests_left is not None or head.tokens_left is not None
        )
        if record.labels is None and meter is None and example is None and not has_limits:
            return NOTHING_MORE
        return Seen(
            () if record.labels is None else tuple(record.labels.values()),
            meter,
            example,
            exchange.ended_at + wall_offset_s,
            None if head is None else number(head.requests_left),
            None if head is None else number(head.tokens_left),
        )

    def _count_by_conventions(
        self, books: ConventionBooks, exchange: Exchange, record: Record
    ) -> None:
        head = exchange.head
        version = "" if head is UNREADABLE else f"1.{head.minor_version}"
        books.settle(record, exchange.meter, version)

    def _trace(
        self,
        traced: Callable[[Traced], None],
        exchange: Exchange,
        record: Record,
        trace: Trace,
        wall_offset_s: float,
    ) -> None:
        try:
            traced(traced_of(exchange, record, trace, wall_offset_s))
        except Exception:
            self._ledger.drop("traces", "not_encodable")

    def count_running(self) -> Iterator[None]:
        """Add the gaps of streams that still run, a few in each step: whoever reads the books
        sees a stream that has stopped talking before it is over."""
        for at, exchange in enumerate([*self.in_flight], 1):
            meter, upstream = exchange.meter, exchange.upstream
            if meter is not None and upstream is not None and exchange in self.in_flight:
                values = self._ledger.labels.values_of(exchange.head)
                self._ledger.count_running(upstream, values, meter)
            if at % STEP == 0:
                yield

    def _record_of(self, exchange: Exchange, wall_offset_s: float) -> Record:
        """Should measuring fail, what is certain is counted all the same, and all others are."""
        started_at = self._text(exchange.t0 + wall_offset_s)
        custom = self._ledger.labels
        try:
            labels = None
            if custom.names:
                values = custom.values_of(exchange.head)
                labels = dict(zip(custom.names, values, strict=True))
            return record_of(exchange, started_at, self._ratios, labels)
        except Exception:
            self._ledger.drop("exchanges", "not_measured")
            return bare_record_of(exchange, started_at)

    def states(self) -> Iterable[tuple[str | None, str]]:
        """(upstream, state) of everything in flight; what is not has been counted."""
        self.close_books()
        return [(exchange.upstream, exchange.state) for exchange in self.in_flight]
