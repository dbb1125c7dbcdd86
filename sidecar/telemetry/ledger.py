"""The books: counts per upstream, outcome, fault and bucket, in plain dicts and lists.

Knows: how one finished exchange is added up.
Must not know: who reads the sums, nor how they are named outside.
Why not the counters of prometheus_client: each of their increments takes a lock and their label
look-ups take another; everything here happens in the event loop's thread, so nothing is locked.
The one writer outside that thread is the log's, and it touches only drop counts of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from sidecar.core.records import Record
from sidecar.telemetry import names


class Histogram:
    """Counts per bucket and a sum. `counts` has one entry more than `bounds`: above the last."""

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = list(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one measurement. Below 0 counts as 0: two clocks met, and a sum that falls would
        read as a restart of the process."""
        if seconds < 0.0:
            seconds = 0.0
        # bisect_left: a value on a bound belongs below it, as Prometheus' `le` says.
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds


class Account:
    """What happened under one upstream. `started` is counted by whoever accepts."""

    __slots__ = ("failures", "opened", "outcomes", "started", "upstream")

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.started = 0
        self.outcomes = dict.fromkeys(names.OUTCOMES, 0)
        self.failures = dict.fromkeys(names.failures_to_expect(upstream), 0)
        """By (fault, reason)."""
        self.opened = dict.fromkeys(names.OPENED_REASONS, 0)
        """Connections opened, by reason."""


class Ledger:
    """All books of one process. They outlive a reload: counters never fall."""

    def __init__(self, upstreams: Iterable[str]) -> None:
        nobody = Account(names.NO_UPSTREAM)
        # An upstream that somebody named "none" shares that account: two would be one series.
        self._accounts: dict[str | None, Account] = {None: nobody, names.NO_UPSTREAM: nobody}
        self.accounts: list[Account] = []
        """Every account once, the configured upstreams first in their order."""
        for upstream in upstreams:
            self.account(upstream)
        self.accounts.append(nobody)
        self.overhead_request = Histogram(names.OVERHEAD.bounds)
        self.overhead_response = Histogram(names.OVERHEAD.bounds)
        self.overhead_chunk = Histogram(names.OVERHEAD.bounds)
        self.loop_lag_max_s = 0.0
        """The greatest lateness since the last scrape."""
        self.skipped: dict[str, int] = dict.fromkeys(names.SKIPS, 0)
        """By reason: what the meter passed over."""
        self.drops: dict[tuple[str, str], int] = dict.fromkeys(names.DROPS, 0)

    def account(self, upstream: str | None) -> Account:
        """The account of an upstream, opened if it is new; None: no route was reached."""
        account = self._accounts.get(upstream)
        if account is None:
            account = Account(upstream or names.NO_UPSTREAM)
            self._accounts[upstream] = account
            self.accounts.append(account)
        return account

    def settle(self, record: Record) -> None:
        """Add one ended exchange: its outcome under the first choice, its failure under the
        upstream that was asked last."""
        account = self._accounts.get(record.upstream) or self.account(record.upstream)
        account.outcomes[record.outcome] += 1
        if record.reason is not None:
            if record.attempts:
                account = self.account(record.attempts[-1].upstream)
            key = (record.fault or "", record.reason)
            account.failures[key] = account.failures.get(key, 0) + 1

    def connection_opened(self, upstream: str, reason: str) -> None:
        """`reason`: cold, busy, aged or stale."""
        self.account(upstream).opened[reason] += 1

    def skip(self, reason: str, count: int) -> None:
        """The meter passed something over."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def note_lag(self, late_s: float) -> None:
        """The event loop ran a timer this much too late."""
        if late_s > self.loop_lag_max_s:
            self.loop_lag_max_s = late_s

    def drop(self, signal: str, reason: str, count: int = 1) -> None:
        """Telemetry was lost. Each (signal, reason) is counted from one thread only."""
        key = (signal, reason)
        self.drops[key] = self.drops.get(key, 0) + count
