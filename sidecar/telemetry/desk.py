"""The pipeline's desk: what time it is, what a request is called, and the books.

Knows: the clock, the ids, who is in flight, and where a finished exchange is counted.
Must not know: what a request does. This is the pipeline's one door to telemetry.
Why begin and settle each touch set and books in one synchronous step: `started` is then the sum of
all outcomes and those in flight at every moment, also at a scrape between two events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sidecar.core.records import Record
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.watch import WatchList
from sidecar.telemetry.fanout import Fanout
from sidecar.telemetry.ledger import Ledger


class TelemetryDesk:
    """The Desk port. `id_prefix`: random, so that two processes never give out the same id."""

    def __init__(
        self,
        ledger: Ledger,
        fanout: Fanout,
        now: Callable[[], float],
        wall: Callable[[], float],
        id_prefix: str,
    ) -> None:
        self.now = now
        self.watches = WatchList()
        self.overhead_request = ledger.overhead_request
        self.overhead_response = ledger.overhead_response
        self.overhead_chunk = ledger.overhead_chunk
        self.in_flight: set[Exchange] = set()
        self._ledger = ledger
        self._emit = fanout.emit
        self._wall = wall
        self._id_prefix = id_prefix
        self._ids = 0
        self._second = -1
        self._second_text = ""

    def new_id(self) -> str:
        """A request id of ours."""
        self._ids += 1
        return f"{self._id_prefix}{self._ids:08x}"

    def started_at(self, t0: float) -> str:
        """Wall-clock text (RFC 3339, UTC, milliseconds) of a monotonic moment."""
        moment = self._wall() - (self.now() - t0)
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

    def settle(self, exchange: Exchange, record: Record) -> None:
        """Count its one outcome and let the Record go out."""
        self.in_flight.discard(exchange)
        self._ledger.settle(record)
        for reason, count in exchange.passed_over.items():
            self._ledger.skip(reason, count)
        self._emit(record)

    def states(self) -> Iterable[tuple[str | None, str]]:
        """(upstream, state) of everything in flight."""
        return [(exchange.upstream, exchange.state) for exchange in self.in_flight]
