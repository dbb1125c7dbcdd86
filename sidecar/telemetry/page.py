"""The books at one moment: what every exporter reads.

Knows: which figure of the books belongs to which family and label values.
Must not know: any format. Prometheus' text and OTLP's messages are made of the same page, so that
the two always agree.
Why a copy, made in one step: a page takes many slices (or a thread) to write, and requests end
meanwhile; `started == ended + in flight` must hold within it however long that takes.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.metering.phases import PHASES
from sidecar.telemetry import names
from sidecar.telemetry.convention_books import ConventionBooks
from sidecar.telemetry.family import Family
from sidecar.telemetry.ledger import Book, Exemplar, Histogram, Ledger

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Buckets:
    """One histogram at one moment; a summary has no bounds and one count."""

    counts: list[int]
    total: float
    exemplars: list[Exemplar | None] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One family: its labels' names, and a figure for each set of their values."""

    family: Family
    labels: tuple[str, ...]
    numbers: list[tuple[Values, float]]
    buckets: list[tuple[Values, Buckets]]


@dataclass(frozen=True, slots=True)
class Page:
    """All figures at one moment."""

    readings: tuple[Reading, ...]
    at_ns: int
    """Unix time."""


InFlight = Callable[[], Iterable[tuple[str | None, str]]]
Connections = Callable[[], Iterable[tuple[str, int, int]]]


class Pages:
    """Makes them. `in_flight`: (upstream or None, state) of each exchange that was started and not
    settled; `connections`: (upstream, idle, active) of each pool."""

    def __init__(
        self,
        ledger: Ledger,
        in_flight: InFlight,
        connections: Connections,
        version: str,
        config_hash: Callable[[], str | None] = lambda: None,
        conventions: ConventionBooks | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._ledger = ledger
        self._in_flight = in_flight
        self._connections = connections
        self._version = version
        self._config_hash = config_hash
        self._conventions = conventions
        self._wall_ns = wall_ns

    def page(self, reader: str, with_conventions: bool = True) -> Page:
        """No await, no callback into the loop: nothing can start or end meanwhile."""
        # First: asking who is in flight counts all who are not any more.
        running = Counter(self._in_flight())
        readings = [*self._own(running, self._ledger.lag_since_last(reader))]
        if with_conventions and self._conventions is not None:
            readings += self._by_conventions(self._conventions)
        return Page(tuple(readings), self._wall_ns())

    def _own(
        self, running: Mapping[tuple[str | None, str], int], lag_s: float
    ) -> Iterator[Reading]:
        ledger = self._ledger
        accounts = ledger.accounts
        served = [account for account in accounts if account.upstream != names.NO_UPSTREAM]
        custom = ledger.labels.names
        yield _numbers(names.REQUESTS_STARTED, (((a.upstream,), a.started) for a in accounts))
        yield _numbers(
            names.REQUESTS,
            (
                ((a.upstream, outcome, *labels), count)
                for a in accounts
                for labels, outcomes in a.outcomes.items()
                for outcome, count in outcomes.items()
            ),
            custom,
        )
        known = [account.upstream for account in accounts]
        in_flight = {(upstream, state): 0 for upstream in known for state in names.STATES}
        for (upstream, state), count in running.items():
            key = (upstream or names.NO_UPSTREAM, state)
            in_flight[key] = in_flight.get(key, 0) + count
        yield _numbers(names.REQUESTS_IN_FLIGHT, in_flight.items())
        yield _numbers(
            names.FAILURES,
            (((a.upstream, *why), n) for a in accounts for why, n in a.failures.items()),
        )
        yield from self._by_model(custom)
        yield _histograms(
            names.TIME_TO_FIRST_ANSWER, (((a.upstream,), a.first_answer) for a in served)
        )
        yield Reading(
            names.PHASE,
            names.PHASE.labels,
            [],
            [
                ((a.upstream, phase), Buckets([a.phased], spent_ms / 1e3))
                for a in served
                for phase, spent_ms in zip(PHASES, a.phase_sums_ms, strict=True)
            ],
        )
        yield _numbers(
            names.ATTEMPTS,
            (((a.upstream, result), n) for a in served for result, n in a.attempts.items()),
        )
        yield _numbers(
            names.CONNECTIONS_OPENED,
            (((a.upstream, reason), n) for a in served for reason, n in a.opened.items()),
        )
        connections = {(a.upstream, state): 0 for a in served for state in names.CONNECTION_STATES}
        for upstream, idle, active in self._connections():
            connections[upstream, "idle"] = idle
            connections[upstream, "active"] = active
        yield _numbers(names.CONNECTIONS_OPEN, connections.items())
        yield _histograms(
            names.PROVIDER_PROCESSING, (((a.upstream,), a.processing) for a in served)
        )
        yield _numbers(
            names.RATELIMIT_REMAINING,
            (((a.upstream, kind), left) for a in served for kind, left in a.limits.items()),
        )
        yield _numbers(names.CLIENT_BLOCKED, (((a.upstream,), a.blocked_s) for a in served))
        yield _histograms(
            names.OVERHEAD,
            (
                (("request",), ledger.overhead_request),
                (("response",), ledger.overhead_response),
                (("chunk",), ledger.overhead_chunk),
            ),
            are_certain=True,
        )
        yield _numbers(names.EVENT_LOOP_LAG, [((), lag_s)])
        yield _numbers(names.METER_SKIPPED, (((why,), n) for why, n in ledger.skipped.items()))
        # Copied first: threads add to it, and a new reason may come while it is read.
        yield _numbers(names.TELEMETRY_DROPPED, ledger.drops.copy().items())
        yield _numbers(names.LABELS_CAPPED, (((label,), n) for label, n in ledger.capped.items()))
        if (config_hash := self._config_hash()) is not None:
            yield _numbers(names.CONFIG_INFO, [((config_hash,), 1)])
        yield _numbers(names.BUILD_INFO, [((self._version, platform.python_version()), 1)])

    def _by_model(self, custom: tuple[str, ...]) -> Iterator[Reading]:
        books = [
            (book, (book.upstream, book.model, *book.labels))
            for book in self._ledger.books.values()
        ]
        for family, histogram_of in _HISTOGRAMS:
            yield _histograms(family, ((values, histogram_of(b)) for b, values in books), custom)
        for family, count_of in _COUNTS:
            yield _numbers(family, ((values, count_of(b)) for b, values in books), custom)
        yield _numbers(
            names.TOKENS,
            (
                ((b.upstream, b.model, kind, source, *b.labels), count)
                for b, _ in books
                for source, counts in b.tokens.items()
                for kind, count in zip(names.TOKEN_KINDS, counts, strict=True)
            ),
            custom,
        )

    @staticmethod
    def _by_conventions(books: ConventionBooks) -> Iterator[Reading]:
        for family, by_values in books.histograms.items():
            yield _histograms(family, by_values.items())


_HISTOGRAMS: Final[tuple[tuple[Family, Callable[[Book], Histogram]], ...]] = (
    (names.REQUEST_DURATION, lambda book: book.duration),
    (names.TIME_TO_FIRST_TOKEN, lambda book: book.first_token),
    (names.TOKEN_GAP, lambda book: book.gap),
    (names.TIME_PER_OUTPUT_TOKEN, lambda book: book.per_token),
)
_COUNTS: Final[tuple[tuple[Family, Callable[[Book], float]], ...]] = (
    (names.STALLS, lambda book: book.stalls),
    (names.STREAMS_BUFFERED, lambda book: book.buffered),
    (names.COST, lambda book: book.cost_usd),
    (names.UNPRICED, lambda book: book.unpriced),
    (names.USAGE_MISSING, lambda book: book.usage_missing),
)


def _numbers(
    family: Family, rows: Iterable[tuple[Values, float]], custom: tuple[str, ...] = ()
) -> Reading:
    return Reading(family, (*family.labels, *custom), list(rows), [])


def _histograms(
    family: Family,
    rows: Iterable[tuple[Values, Histogram]],
    custom: tuple[str, ...] = (),
    are_certain: bool = False,
) -> Reading:
    """Those that have measured anything. A histogram that never has (of a stream's times, where a
    model is asked for whole answers only) would cost 14 series for nothing. `are_certain`: they
    will."""
    copies = [
        (values, Buckets(one.counts.copy(), one.sum_s, one.exemplars and one.exemplars.copy()))
        for values, one in rows
        if are_certain or any(one.counts)
    ]
    return Reading(family, (*family.labels, *custom), [], copies)
