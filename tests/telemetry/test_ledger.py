"""The books add up."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Outcome
from sidecar.core.records import Attempt, Record
from sidecar.telemetry import names
from sidecar.telemetry.ledger import Histogram, Ledger

_NewRecord = Callable[..., Record]
_SECONDS = st.floats(min_value=0, max_value=1)


@given(st.lists(_SECONDS | st.sampled_from(names.OVERHEAD.bounds)))
def test_a_histogram_counts_every_value_below_its_bound_once(values: list[float]) -> None:
    """Compared with counting by hand; a value on a bound belongs to it."""
    histogram = Histogram(names.OVERHEAD.bounds)
    for value in values:
        histogram.add(value)
    below = 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        below += count
        assert below == sum(value <= bound for value in values)
    assert sum(histogram.counts) == len(values)
    assert abs(histogram.sum_s - sum(values)) <= 1e-9 * (len(values) + 1)


def test_a_value_below_zero_counts_as_zero() -> None:
    histogram = Histogram([1.0])
    histogram.add(-0.001)
    assert (histogram.counts, histogram.sum_s) == ([1, 0], 0.0)


def test_everything_is_there_at_zero_before_the_first_request() -> None:
    ledger = Ledger(["openai", "azure"])
    assert [account.upstream for account in ledger.accounts] == ["openai", "azure", "none"]
    for account in ledger.accounts:
        assert account.started == 0
        assert account.outcomes == {(): dict.fromkeys(Outcome, 0)}
        assert set(account.failures.values()) == {0}
        assert account.opened == {"cold": 0, "busy": 0, "aged": 0, "stale": 0}


def test_an_outcome_is_counted_under_the_first_choice_and_a_failure_under_the_last_asked(
    new_record: _NewRecord,
) -> None:
    ledger = Ledger(["openai", "azure"])
    attempts = (
        Attempt("openai", "connect_failed", None, 5.0),
        Attempt("azure", "http_5xx", 503, 9.0),
    )
    ledger.settle(
        new_record(outcome="upstream_5xx", fault="provider", reason="http_5xx", attempts=attempts)
    )
    assert ledger.account("openai").outcomes[()]["upstream_5xx"] == 1
    assert ledger.account("azure").outcomes[()]["upstream_5xx"] == 0
    assert ledger.account("azure").failures["provider", "http_5xx"] == 1
    assert ledger.account("openai").failures["provider", "http_5xx"] == 0


def test_a_request_without_a_route_is_counted_under_none(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.account(None).started += 1
    ledger.settle(
        new_record(upstream=None, outcome="refused", fault="caller", reason="no_route", attempts=())
    )
    account = ledger.account("none")
    assert (account.started, account.outcomes[()]["refused"]) == (1, 1)
    assert account.failures["caller", "no_route"] == 1


def test_a_good_end_is_nobodys_failure(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(new_record())
    assert ledger.account("openai").outcomes[()]["ok"] == 1
    assert set(ledger.account("openai").failures.values()) == {0}


def test_an_upstream_that_came_later_gets_its_account(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(new_record(upstream="azure"))
    assert ledger.account("azure").outcomes[()]["ok"] == 1
    assert "azure" in [account.upstream for account in ledger.accounts]


def test_a_pair_of_fault_and_reason_that_nobody_expected_is_counted_all_the_same(
    new_record: _NewRecord,
) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(
        new_record(outcome="timeout", fault="caller", reason="deadline_exceeded", attempts=())
    )
    assert ledger.account("openai").failures["caller", "deadline_exceeded"] == 1


def test_connections_are_counted_by_why_they_were_opened() -> None:
    ledger = Ledger(["openai"])
    ledger.connection_opened("openai", "stale")
    assert ledger.account("openai").opened["stale"] == 1


def test_the_greatest_lag_stands() -> None:
    ledger = Ledger([])
    for late_s in (0.001, 0.2, 0.05):
        ledger.note_lag(late_s)
    assert ledger.lag_since_last("scrape") == 0.2


def test_losses_are_counted_by_signal_and_reason() -> None:
    ledger = Ledger([])
    ledger.drop("log", "queue_full", 3)
    ledger.drop("log", "queue_full")
    assert ledger.drops["log", "queue_full"] == 4
    assert ledger.drops["exchanges", "sink_failed"] == 0
