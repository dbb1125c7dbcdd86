"""The ledger as Prometheus sees it: a collector, and its text in slices.

Knows: how the books become families and samples, and which text format a scraper asked for.
Must not know: HTTP. The admin port serves what `render` returns.
Why slices in the event loop and not a thread: prometheus_client needs 4-5 us a sample, so a whole
page with 15 upstreams would stop every stream for 5 ms; a thread doing it would fight for the
interpreter lock for as long. Cut into pieces of 48 samples, with the loop running in between, no
stream waits longer than about a quarter of a millisecond. All figures are copied in one step
before the first slice, so `started == ended + in flight` holds within a page however long it takes.
"""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector as ClientCollector
from prometheus_client.samples import Sample

from sidecar.telemetry import names
from sidecar.telemetry.ledger import Ledger

_SLICE_SAMPLES: Final = 48
_END: Final = b"# EOF\n"


@dataclass(frozen=True, slots=True)
class _Copied:
    """The figures of one account at one moment."""

    upstream: str
    started: int
    outcomes: dict[str, int]
    failures: dict[tuple[str, str], int]
    opened: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Page:
    """All figures at one moment."""

    accounts: list[_Copied]
    in_flight: dict[tuple[str, str], int]
    connections: dict[tuple[str, str], int]
    overhead: list[tuple[str, list[int], float]]
    loop_lag_s: float
    drops: dict[tuple[str, str], int]
    skipped: dict[str, int]
    config_hash: str | None
    version: str


class Collector(ClientCollector):
    """Reads the ledger and what the composition root can count.

    `in_flight`: (upstream or None, state) of each exchange that was started and not settled;
    `connections`: (upstream, idle, active) of each pool.
    """

    def __init__(
        self,
        ledger: Ledger,
        in_flight: Callable[[], Iterable[tuple[str | None, str]]],
        connections: Callable[[], Iterable[tuple[str, int, int]]],
        version: str,
        config_hash: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._in_flight = in_flight
        self._connections = connections
        self._version = version
        self._config_hash = config_hash

    def collect(self) -> Iterator[Metric]:
        """Every family, from figures of one moment (that of the first step)."""
        whole: Metric | None = None
        for part, is_first in self._parts():
            if whole is not None and is_first:
                yield whole
            if whole is None or is_first:
                whole = part
            else:
                whole.samples += part.samples
        if whole is not None:
            yield whole

    async def render(self, accept: str | None) -> tuple[bytes, str]:
        """(body, content type) for a scraper's Accept header; the loop runs between slices."""
        try:
            encode, content_type = choose_encoder(accept or "")
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        pieces: list[bytes] = []
        for part, is_first in self._parts():
            text = encode(_Single(part)).removesuffix(_END)
            pieces.append(text if is_first else _without_head(text))
            await asyncio.sleep(0)
        if content_type.startswith("application/openmetrics-text"):
            pieces.append(_END)
        return b"".join(pieces), content_type

    def _parts(self) -> Iterator[tuple[Metric, bool]]:
        """Each family in parts of a slice's size, made as they are asked for; True: its first."""
        for family, samples in _families(self._copy()):
            is_first = True
            while some := list(islice(samples, _SLICE_SAMPLES)):
                part = Metric(
                    family.name.removesuffix("_total"), family.help, family.kind.value, family.unit
                )
                part.samples = some
                yield part, is_first
                is_first = False

    def _copy(self) -> _Page:
        """No await, no callback into the loop: nothing can start or end meanwhile."""
        ledger = self._ledger
        # First: asking who is in flight counts all who are not any more.
        running = Counter(self._in_flight())
        accounts = [
            _Copied(a.upstream, a.started, a.outcomes.copy(), a.failures.copy(), a.opened.copy())
            for a in ledger.accounts
        ]
        known = [account.upstream for account in accounts]
        in_flight = {(upstream, state): 0 for upstream in known for state in names.STATES}
        for (upstream, state), count in running.items():
            key = (upstream or names.NO_UPSTREAM, state)
            in_flight[key] = in_flight.get(key, 0) + count
        connections = {
            (upstream, state): 0
            for upstream in known
            if upstream != names.NO_UPSTREAM
            for state in names.CONNECTION_STATES
        }
        for upstream, idle, active in self._connections():
            connections[upstream, "idle"] = idle
            connections[upstream, "active"] = active
        lag_s, ledger.loop_lag_max_s = ledger.loop_lag_max_s, 0.0
        overhead = (
            ("request", ledger.overhead_request),
            ("response", ledger.overhead_response),
            ("chunk", ledger.overhead_chunk),
        )
        return _Page(
            accounts,
            in_flight,
            connections,
            [(part, histogram.counts.copy(), histogram.sum_s) for part, histogram in overhead],
            lag_s,
            ledger.drops.copy(),
            ledger.skipped.copy(),
            self._config_hash(),
            self._version,
        )


class _Single(ClientCollector):
    """One part of one family, in the shape that the encoder takes."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self._metric]


def _without_head(text: bytes) -> bytes:
    """The samples alone: HELP, TYPE and UNIT stand once, over the first part of a family."""
    while text.startswith(b"#"):
        text = text.partition(b"\n")[2]
    return text


def _families(page: _Page) -> Iterator[tuple[names.Family, Iterator[Sample]]]:
    by_upstream = page.accounts
    yield _plain(names.REQUESTS_STARTED, (((a.upstream,), a.started) for a in by_upstream))
    yield _plain(
        names.REQUESTS,
        (((a.upstream, o), n) for a in by_upstream for o, n in a.outcomes.items()),
    )
    yield _plain(names.REQUESTS_IN_FLIGHT, page.in_flight.items())
    yield _plain(
        names.FAILURES,
        (((a.upstream, *why), n) for a in by_upstream for why, n in a.failures.items()),
    )
    yield _plain(
        names.CONNECTIONS_OPENED,
        (
            ((a.upstream, reason), n)
            for a in by_upstream
            if a.upstream != names.NO_UPSTREAM
            for reason, n in a.opened.items()
        ),
    )
    yield _plain(names.CONNECTIONS_OPEN, page.connections.items())
    yield names.OVERHEAD, _buckets(names.OVERHEAD, page.overhead)
    yield _plain(names.EVENT_LOOP_LAG, [((), page.loop_lag_s)])
    yield _plain(names.TELEMETRY_DROPPED, page.drops.items())
    yield _plain(names.METER_SKIPPED, (((reason,), n) for reason, n in page.skipped.items()))
    if page.config_hash is not None:
        yield _plain(names.CONFIG_INFO, [((page.config_hash,), 1)])
    yield _plain(names.BUILD_INFO, [((page.version, platform.python_version()), 1)])


def _plain(
    family: names.Family, rows: Iterable[tuple[tuple[str, ...], float]]
) -> tuple[names.Family, Iterator[Sample]]:
    """Rows of (label values, figure)."""
    return family, (
        Sample(family.name, dict(zip(family.labels, values, strict=True)), figure)
        for values, figure in rows
    )


def _buckets(
    family: names.Family, rows: Iterable[tuple[str, list[int], float]]
) -> Iterator[Sample]:
    """Rows of (value of the one label, counts per bucket, sum)."""
    (label,) = family.labels
    bounds = [*map(repr, family.bounds), "+Inf"]
    for value, counts, total in rows:
        labels = {label: value}
        below = 0
        for bound, count in zip(bounds, counts, strict=True):
            below += count
            yield Sample(f"{family.name}_bucket", {**labels, "le": bound}, below)
        yield Sample(f"{family.name}_count", labels, below)
        yield Sample(f"{family.name}_sum", labels, total)
