"""The books: counts per upstream, model, outcome, fault and bucket, in plain dicts and lists.

Knows: how one finished exchange is added up.
Must not know: who reads the sums, nor how they are named outside.
Why not the counters of prometheus_client: each of their increments takes a lock and their label
look-ups take another; everything here happens in the event loop's thread, so nothing is locked.
The writers outside that thread (of the log, of OTLP) touch only drop counts of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from sidecar.core.outcome import MEANING, Outcome, Reason
from sidecar.core.records import Record, Tokens
from sidecar.metering.meter import Meter
from sidecar.metering.phases import PHASES
from sidecar.settings.telemetry import Label
from sidecar.telemetry import names
from sidecar.telemetry.conventions import OPERATIONS
from sidecar.telemetry.labels import CustomLabels, ModelNames

Exemplar = tuple[float, str, str, float]
"""(value, trace id, span id, Unix seconds)"""
_astuple: Final = msgspec.structs.astuple
_ABANDONED: Final = frozenset({Outcome.CLIENT_CANCELLED, Outcome.ABORTED, Outcome.REFUSED})
_RESULT_BY_REASON: Final[dict[str | None, str]] = {None: "ok", Reason.HTTP_4XX.value: "ok"} | {
    reason.value: "abandoned" if meaning.outcome in _ABANDONED else "failed"
    for reason, meaning in MEANING.items()
    if reason is not Reason.HTTP_4XX
}
_MAX_KNOWN: Final = 4096
_STORED: Final = "fetch_response"
"""A stored answer: its tokens were counted when it was made."""


class Histogram:
    """Counts per bucket and a sum. `counts` has one entry more than `bounds`: above the last."""

    __slots__ = ("bounds", "counts", "exemplars", "sum_s")

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = list(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum_s = 0.0
        self.exemplars: list[Exemplar | None] | None = None
        """The last one of each bucket; None: there has been none."""

    def add(self, seconds: float) -> None:
        """Count one measurement. Below 0 counts as 0: two clocks met, and a sum that falls would
        read as a restart of the process."""
        if seconds < 0.0:
            seconds = 0.0
        # bisect_left: a value on a bound belongs below it, as Prometheus' `le` says.
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds

    def merge(self, counts: Iterable[int], sum_s: float) -> None:
        """Many at once, counted by the same bounds."""
        own = self.counts
        for at, count in enumerate(counts):
            own[at] += count
        self.sum_s += sum_s

    def point_to(self, seconds: float, example: tuple[str, str], at: float) -> None:
        """A trace that shows what a measurement in this bucket is."""
        if self.exemplars is None:
            self.exemplars = [None] * len(self.counts)
        seconds = max(seconds, 0.0)
        self.exemplars[bisect_left(self.bounds, seconds)] = (seconds, *example, at)


class Account:
    """What happened under one upstream. `started` is counted by whoever accepts."""

    __slots__ = (
        "attempts",
        "blocked_s",
        "failures",
        "first_answer",
        "limits",
        "opened",
        "outcomes",
        "phase_sums_ms",
        "phased",
        "processing",
        "started",
        "upstream",
    )

    def __init__(self, upstream: str, combinations: Iterable[tuple[str, ...]] = ((),)) -> None:
        self.upstream = upstream
        self.started = 0
        self.outcomes = {labels: dict.fromkeys(names.OUTCOMES, 0) for labels in combinations}
        """By the values of the configured labels, then by outcome."""
        self.failures = dict.fromkeys(names.failures_to_expect(upstream), 0)
        """By (fault, reason)."""
        self.opened = dict.fromkeys(names.OPENED_REASONS, 0)
        """Connections opened, by reason."""
        self.attempts = dict.fromkeys(names.RESULTS, 0)
        self.phase_sums_ms = [0.0] * len(PHASES)
        self.phased = 0
        """Exchanges whose phases were added."""
        self.first_answer = Histogram(names.TIME_TO_FIRST_ANSWER.bounds)
        self.processing = Histogram(names.PROVIDER_PROCESSING.bounds)
        self.blocked_s = 0.0
        self.limits: dict[str, float] = {}
        """What the provider still allows, by kind; what it has never said is not there."""

    @property
    def ended(self) -> int:
        """Exchanges that have their outcome."""
        return sum(sum(outcomes.values()) for outcomes in self.outcomes.values())


class Book:
    """What happened under one upstream, model and set of labels."""

    __slots__ = (
        "buffered",
        "cost_usd",
        "duration",
        "first_token",
        "gap",
        "labels",
        "model",
        "per_token",
        "stalls",
        "tokens",
        "unpriced",
        "upstream",
        "usage_missing",
    )

    def __init__(self, upstream: str, model: str, labels: tuple[str, ...]) -> None:
        self.upstream = upstream
        self.model = model
        self.labels = labels
        self.duration = Histogram(names.REQUEST_DURATION.bounds)
        self.first_token = Histogram(names.TIME_TO_FIRST_TOKEN.bounds)
        self.gap = Histogram(names.TOKEN_GAP.bounds)
        self.per_token = Histogram(names.TIME_PER_OUTPUT_TOKEN.bounds)
        self.stalls = 0
        self.buffered = 0
        self.tokens = {"reported": [0] * len(names.TOKEN_KINDS)}
        """By source, then by kind."""
        self.cost_usd = 0.0
        self.unpriced = 0
        self.usage_missing = 0

    def spend(self, tokens: Tokens, source: str) -> None:
        counts = self.tokens.get(source)
        if counts is None:
            counts = self.tokens[source] = [0] * len(names.TOKEN_KINDS)
        if tokens.cache_read_tokens or tokens.cache_write_tokens or tokens.reasoning_tokens:
            counts[0] += tokens.plain_input or 0
            counts[1] += tokens.cache_read_tokens or 0
            counts[2] += tokens.cache_write_tokens or 0
            counts[3] += tokens.plain_output or 0
            counts[4] += tokens.reasoning_tokens or 0
        else:
            counts[0] += tokens.input_tokens or 0
            counts[3] += tokens.output_tokens or 0


class Seen(NamedTuple):
    """What is counted of an exchange, and no Record says."""

    labels: tuple[str, ...] = ()
    stream: Meter | None = None
    example: tuple[str, str] | None = None
    """(trace id, span id) of a sampled trace."""
    at: float = 0.0
    """Unix seconds of the end."""
    requests_left: float | None = None
    tokens_left: float | None = None


NOTHING_MORE: Final = Seen()


class Ledger:
    """All books of one process. They outlive a reload: counters never fall."""

    def __init__(
        self,
        upstreams: Iterable[str],
        labels: Iterable[Label] = (),
        models_max: int = 50,
        configured_models: Iterable[str] = (),
        has_prices: bool = True,
    ) -> None:
        self.capped: dict[str, int] = {"model": 0} | {label.name: 0 for label in labels}
        """By label: values that were kept out."""
        self.labels = CustomLabels(labels, self._cap)
        self.models = ModelNames(models_max, configured_models, lambda: self._cap("model"))
        self._has_prices = has_prices
        nobody = Account(names.NO_UPSTREAM, self.labels.combinations)
        # An upstream that somebody named "none" shares that account: two would be one series.
        self._accounts: dict[str | None, Account] = {None: nobody, names.NO_UPSTREAM: nobody}
        self.accounts: list[Account] = []
        """Every account once, the configured upstreams first in their order."""
        for upstream in upstreams:
            self.account(upstream)
        self.accounts.append(nobody)
        self.books: dict[tuple[str, str, tuple[str, ...]], Book] = {}
        self._known: dict[tuple[str, str | None, str | None, tuple[str, ...]], Book] = {}
        """Books by the names of good answers."""
        self.overhead_request = Histogram(names.OVERHEAD.bounds)
        self.overhead_response = Histogram(names.OVERHEAD.bounds)
        self.overhead_chunk = Histogram(names.OVERHEAD.bounds)
        self._loop_lag_max_s = {"scrape": 0.0}
        """By reader: the greatest lateness since it last asked."""
        self.skipped: dict[str, int] = dict.fromkeys(names.SKIPS, 0)
        """By reason: what the meter passed over."""
        self.drops: dict[tuple[str, str], int] = dict.fromkeys(names.DROPS, 0)

    def account(self, upstream: str | None) -> Account:
        """The account of an upstream, opened if it is new; None: no route was reached."""
        account = self._accounts.get(upstream)
        if account is None:
            account = Account(upstream or names.NO_UPSTREAM, self.labels.combinations)
            self._accounts[upstream] = account
            self.accounts.append(account)
        return account

    def book(self, upstream: str, model: str, labels: tuple[str, ...]) -> Book:
        """The book of a model, opened if it is new."""
        key = (upstream, model, labels)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = Book(upstream, model, labels)
        return book

    def settle(self, record: Record, seen: Seen = NOTHING_MORE) -> None:
        """Add one ended exchange: its outcome under the first choice, all else under the upstream
        that was asked last."""
        account = self._accounts.get(record.upstream) or self.account(record.upstream)
        labels = seen.labels or self.labels.unsaid
        outcomes = account.outcomes.get(labels)
        if outcomes is None:
            outcomes = account.outcomes[labels] = dict.fromkeys(names.OUTCOMES, 0)
        outcomes[record.outcome] += 1
        for attempt in record.attempts:
            if attempt.upstream != account.upstream:
                account = self.account(attempt.upstream)
            account.attempts[_RESULT_BY_REASON.get(attempt.reason, "failed")] += 1
        if record.reason is not None:
            key = (record.fault or "", record.reason)
            account.failures[key] = account.failures.get(key, 0) + 1
        if record.phases_ms is not None:
            account.phased += 1
            sums = account.phase_sums_ms
            for at, spent_ms in enumerate(_astuple(record.phases_ms)):
                if spent_ms:
                    sums[at] += spent_ms
        if record.client_blocked_ms:
            account.blocked_s += record.client_blocked_ms / 1e3
        if record.attempts:
            self._settle_answer(record, account, labels, seen)

    def _settle_answer(
        self, record: Record, account: Account, labels: tuple[str, ...], seen: Seen
    ) -> None:
        """What was sent to an upstream: its times, tokens and cost."""
        if record.provider_processing_ms is not None:
            account.processing.add(record.provider_processing_ms / 1e3)
        if seen.requests_left is not None:
            account.limits["requests"] = seen.requests_left
        if seen.tokens_left is not None:
            account.limits["tokens"] = seen.tokens_left
        book = self._book_of(record, account.upstream, labels)
        duration_s = record.duration_ms / 1e3
        book.duration.add(duration_s)
        example = seen.example
        if example is not None:
            book.duration.point_to(duration_s, example, seen.at)
        if record.usage is not None and record.operation != _STORED:
            book.spend(record.usage, record.usage_source or "reported")
            if record.cost_usd is not None:
                book.cost_usd += record.cost_usd
            elif self._has_prices:
                book.unpriced += 1
        if (
            record.outcome == "ok"
            and record.usage_source != "reported"
            and record.operation in OPERATIONS
        ):
            book.usage_missing += 1
        if seen.stream is not None:
            self._settle_stream(record, account, book, seen.stream, seen)

    def _settle_stream(
        self, record: Record, account: Account, book: Book, stream: Meter, seen: Seen
    ) -> None:
        example = seen.example
        book.gap.merge(*stream.take_gaps())
        book.stalls += stream.stalls
        if stream.is_buffered:
            book.buffered += 1
        if record.ttft_ms is not None:
            book.first_token.add(record.ttft_ms / 1e3)
        if record.ttfa_ms is not None:
            account.first_answer.add(record.ttfa_ms / 1e3)
        per_token_s = None
        if record.output_tokens_per_s:
            per_token_s = 1.0 / record.output_tokens_per_s
            book.per_token.add(per_token_s)
        if example is None:
            return
        if record.ttft_ms is not None:
            book.first_token.point_to(record.ttft_ms / 1e3, example, seen.at)
        if record.ttfa_ms is not None:
            account.first_answer.point_to(record.ttfa_ms / 1e3, example, seen.at)
        if record.longest_gap_ms is not None:
            book.gap.point_to(record.longest_gap_ms / 1e3, example, seen.at)
        if per_token_s is not None:
            book.per_token.point_to(per_token_s, example, seen.at)

    def _book_of(self, record: Record, upstream: str, labels: tuple[str, ...]) -> Book:
        """The same names lead to the same book, whatever came before: they are looked up once."""
        status = record.upstream_status
        is_good = status is not None and status < 400 and record.operation is not None
        asked, answered = record.request_model, record.response_model
        key = (upstream, asked, answered, labels)
        book = self._known.get(key) if is_good else None
        if book is None:
            model = self.models.label(asked, answered, is_good)
            book = self.book(upstream, model, labels)
            # Not of `other`: each such request is counted as one that was kept out.
            if is_good and model is not names.OTHER and len(self._known) < _MAX_KNOWN:
                self._known[key] = book
        return book

    def count_running(self, upstream: str, labels: tuple[str, ...], stream: Meter) -> None:
        """The gaps of a stream that still runs: a long one would else be seen when it is over.
        What is counted here is not counted again at its end."""
        stream.catch_up()
        if stream.facts.model is None:
            return  # it will be known with the next event, or at the end
        model = self.models.label(None, stream.facts.model, is_good=True)
        self.book(upstream, model, labels or self.labels.unsaid).gap.merge(*stream.take_gaps())

    def connection_opened(self, upstream: str, reason: str) -> None:
        """`reason`: cold, busy, aged or stale."""
        self.account(upstream).opened[reason] += 1

    def skip(self, reason: str, count: int) -> None:
        """The meter passed something over."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def note_lag(self, late_s: float) -> None:
        """The event loop ran a timer this much too late."""
        for reader, greatest_s in self._loop_lag_max_s.items():
            if late_s > greatest_s:
                self._loop_lag_max_s[reader] = late_s

    def lag_since_last(self, reader: str) -> float:
        """The greatest lateness since the same reader last asked."""
        lag_s = self._loop_lag_max_s.get(reader, 0.0)
        self._loop_lag_max_s[reader] = 0.0
        return lag_s

    def drop(self, signal: str, reason: str, count: int = 1) -> None:
        """Telemetry was lost. Each (signal, reason) is counted from one thread only."""
        key = (signal, reason)
        self.drops[key] = self.drops.get(key, 0) + count

    def _cap(self, label: str) -> None:
        self.capped[label] = self.capped.get(label, 0) + 1
