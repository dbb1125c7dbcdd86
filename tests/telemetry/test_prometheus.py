"""The page that Prometheus reads, parsed by the readers of its own client library."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as read_text

from sidecar.core.facts import Facts
from sidecar.core.outcome import Outcome
from sidecar.core.records import Attempt, Phases, Record, Tokens
from sidecar.metering.meter import Meter
from sidecar.telemetry import names
from sidecar.telemetry.desk import STEP
from sidecar.telemetry.ledger import Ledger, Seen
from sidecar.telemetry.page import Pages
from sidecar.telemetry.prometheus import Collector

_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
_READ_OPENMETRICS: Callable[[str], Iterable[Metric]] = (
    openmetrics_parser.text_string_to_metric_families
)
_NewRecord = Callable[..., Record]
_Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Nothing:
    """A reader that has nothing to read."""

    def feed(self, data: bytes) -> list[int]:
        return []

    def end(self) -> list[int]:
        return []


def _collector(ledger: Ledger, in_flight: Iterable[tuple[str | None, str]] = ()) -> Collector:
    pages = Pages(ledger, lambda: in_flight, list, "1.2.3", lambda: "0123456789ab")
    return Collector(lambda: pages.page("scrape"))


def _page(collector: Collector, accept: str | None = None) -> str:
    return asyncio.run(collector.render(accept))[0].decode()


def _figures(families: Iterable[Metric]) -> _Figures:
    figures: _Figures = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in figures, "a series stands twice"
            figures[key] = sample.value
    return figures


def _figure(page: str, name: str, **labels: str) -> float:
    return _figures(read_text(page))[names.PREFIX + name, frozenset(labels.items())]


def test_all_closed_labels_stand_at_zero_from_the_start() -> None:
    figures = _figures(read_text(_page(_collector(Ledger(["openai", "azure"])))))
    for upstream in ("openai", "azure", "none"):
        up = ("upstream", upstream)
        assert figures[names.REQUESTS_STARTED.name, frozenset([up])] == 0
        for outcome in Outcome:
            assert figures[names.REQUESTS.name, frozenset([up, ("outcome", outcome)])] == 0
        for state in names.STATES:
            assert figures[names.REQUESTS_IN_FLIGHT.name, frozenset([up, ("state", state)])] == 0
        for fault, reason in names.failures_to_expect(upstream):
            labels = frozenset([up, ("fault", fault), ("reason", reason)])
            assert figures[names.FAILURES.name, labels] == 0
    for upstream in ("openai", "azure"):
        up = ("upstream", upstream)
        for reason in names.OPENED_REASONS:
            assert figures[names.CONNECTIONS_OPENED.name, frozenset([up, ("reason", reason)])] == 0
        for state in names.CONNECTION_STATES:
            assert figures[names.CONNECTIONS_OPEN.name, frozenset([up, ("state", state)])] == 0
    for signal, reason in names.DROPS:
        labels = frozenset([("signal", signal), ("reason", reason)])
        assert figures[names.TELEMETRY_DROPPED.name, labels] == 0


def test_the_page_has_exactly_the_families_of_the_table() -> None:
    page = _page(_collector(Ledger(["openai"])))
    typed = dict(line.split()[2:4] for line in page.splitlines() if line.startswith("# TYPE"))
    ours = {name: kind for name, kind in typed.items() if name.startswith(names.PREFIX)}
    expected = {family.name: family.kind.value for family in names.FAMILIES}
    # Histograms (but for our own overhead), what providers may say, and what is told by model are
    # there when there is something to tell.
    later = {family.name for family in names.FAMILIES if "model" in family.labels} | {
        names.TIME_TO_FIRST_ANSWER.name,
        names.PROVIDER_PROCESSING.name,
        names.RATELIMIT_REMAINING.name,
    }
    assert ours == {name: kind for name, kind in expected.items() if name not in later}
    others = {name.partition("_")[0] for name in typed if name not in ours}
    assert others == {"process", "python"}


def test_a_busy_page_has_every_family(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    _busy(ledger, ["openai"], 1, new_record)
    page = _page(_collector(ledger))
    typed = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    assert typed >= {family.name for family in names.FAMILIES}


def test_both_formats_say_the_same() -> None:
    ledger = Ledger([f"upstream-{number}" for number in range(15)])
    ledger.account("upstream-3").started = 7
    ledger.overhead_chunk.add(0.00007)
    collector = _collector(ledger, [("upstream-3", "streaming")] * 7)
    text, openmetrics = _page(collector), _page(collector, _OPENMETRICS)
    assert openmetrics.endswith("# EOF\n")
    assert "# EOF" not in text
    told, told_again = _figures(read_text(text)), _figures(_READ_OPENMETRICS(openmetrics))
    assert _ours(told) == _ours(told_again)
    assert told.keys() == told_again.keys()


def _ours(figures: _Figures) -> _Figures:
    """Those that do not change by being looked at."""
    return {key: value for key, value in figures.items() if key[0].startswith(names.PREFIX)}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        (_OPENMETRICS + ",text/plain;version=0.0.4;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text; version=one", "text/plain; version=0.0.4"),
    ],
)
def test_the_scraper_chooses_the_format(accept: str | None, content_type: str) -> None:
    _, chosen, _ = asyncio.run(_collector(Ledger([])).render(accept))
    assert chosen.startswith(content_type)


def test_what_is_counted_is_shown(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.account("openai").started += 1
    ledger.settle(new_record(outcome="truncated", fault="provider", reason="upstream_cut"))
    ledger.connection_opened("openai", "cold")
    ledger.drop("log", "queue_full", 4)
    ledger.note_lag(0.125)
    pages = Pages(
        ledger, lambda: [(None, "waiting")], lambda: [("openai", 3, 2)], "1.2.3", lambda: None
    )
    page = _page(Collector(lambda: pages.page("scrape")))
    assert _figure(page, "requests_started_total", upstream="openai") == 1
    assert _figure(page, "requests_total", upstream="openai", outcome="truncated") == 1
    failure = {"upstream": "openai", "fault": "provider", "reason": "upstream_cut"}
    assert _figure(page, "failures_total", **failure) == 1
    assert _figure(page, "requests_in_flight", upstream="none", state="waiting") == 1
    assert _figure(page, "connections_opened_total", upstream="openai", reason="cold") == 1
    assert _figure(page, "connections_open", upstream="openai", state="idle") == 3
    assert _figure(page, "connections_open", upstream="openai", state="active") == 2
    assert _figure(page, "telemetry_dropped_total", signal="log", reason="queue_full") == 4
    assert _figure(page, "event_loop_lag_seconds") == 0.125
    assert "config_info" not in page


def test_the_lag_is_that_since_the_last_scrape() -> None:
    ledger = Ledger([])
    ledger.note_lag(0.5)
    collector = _collector(ledger)
    assert _figure(_page(collector), "event_loop_lag_seconds") == 0.5
    ledger.note_lag(0.01)
    assert _figure(_page(collector), "event_loop_lag_seconds") == 0.01


def test_a_histogram_is_cumulative_and_ends_in_infinity() -> None:
    ledger = Ledger([])
    for seconds in (0.00001, 0.00002, 0.00003, 1.0):
        ledger.overhead_request.add(seconds)
    page = _page(_collector(ledger))
    buckets = [
        _figure(page, "overhead_seconds_bucket", part="request", le=le)
        for le in ("2.5e-05", "5e-05", "0.0256", "+Inf")
    ]
    assert buckets == [2, 3, 3, 4]
    assert _figure(page, "overhead_seconds_count", part="request") == 4
    assert _figure(page, "overhead_seconds_sum", part="request") == pytest.approx(1.00006)


def _busy(ledger: Ledger, upstreams: list[str], models: int, new_record: _NewRecord) -> None:
    """Streams of every model, each at one upstream, and all that a provider may say."""
    for number in range(models):
        upstream = upstreams[number % len(upstreams)]
        stream = Meter(Nothing(), Facts(), 0.0, 2.0)
        stream.gap_counts[3] = 5
        ledger.account(upstream).started += 1
        ledger.settle(
            new_record(
                upstream=upstream,
                operation="chat",
                attempts=(Attempt(upstream, None, 200, 5.0),),
                response_model=f"model-{number}",
                usage=Tokens(10, 10),
                usage_source="reported",
                cost_usd=0.5,
                phases_ms=Phases(answer=812.5),
                ttft_ms=100.0,
                ttfa_ms=120.0,
                output_tokens_per_s=50.0,
                provider_processing_ms=4.0 if number == 0 else None,
            ),
            Seen(stream=stream, requests_left=5.0, tokens_left=100.0),
        )


@pytest.mark.parametrize(("upstreams", "models", "budget"), [(3, 20, 2000), (2, 4, 600)])
def test_the_budget_of_series_is_kept(
    new_record: _NewRecord, upstreams: int, models: int, budget: int
) -> None:
    names_ = [f"upstream-{number}" for number in range(upstreams)]
    ledger = Ledger(names_)
    _busy(ledger, names_, models, new_record)
    assert len(_figures(read_text(_page(_collector(ledger))))) <= budget


_STEPS = st.lists(
    st.tuples(st.sampled_from(["openai", "azure", None]), st.sampled_from([None, *Outcome])),
    max_size=60,
)


@given(_STEPS)
def test_started_equals_ended_plus_in_flight_in_every_page(
    new_record: _NewRecord, steps: list[tuple[str | None, Outcome | None]]
) -> None:
    """Requests start and end between the slices of the page while it is made."""
    ledger = Ledger(["openai", "azure"])
    in_flight: list[tuple[str | None, str]] = []

    async def traffic() -> None:
        for upstream, outcome in steps:
            if outcome is None:
                ledger.account(upstream).started += 1
                in_flight.append((upstream, "waiting"))
            elif in_flight:
                first_choice, _ = in_flight.pop(0)
                ledger.settle(new_record(upstream=first_choice, outcome=outcome.value))
            await asyncio.sleep(0)

    async def pages() -> list[str]:
        moving = asyncio.create_task(traffic())
        collector = _collector(ledger, in_flight)
        made = [(await collector.render(None))[0].decode() for _ in range(3)]
        await moving
        return [*made, (await collector.render(None))[0].decode()]

    for page in asyncio.run(pages()):
        figures = _figures(read_text(page))
        for upstream in ("openai", "azure", "none"):
            started, ended, flying = (
                sum(
                    value
                    for (name, labels), value in figures.items()
                    if name == family.name and ("upstream", upstream) in labels
                )
                for family in (names.REQUESTS_STARTED, names.REQUESTS, names.REQUESTS_IN_FLIGHT)
            )
            assert started == ended + flying


def test_the_loop_runs_on_while_a_big_page_is_made() -> None:
    """Others get their turn after every slice, not after the page."""
    collector = _collector(Ledger([f"upstream-{number}" for number in range(15)]))

    async def turns() -> int:
        count = 0
        making = asyncio.create_task(collector.render(None))
        while not making.done():
            count += 1
            await asyncio.sleep(0)
        return count

    assert asyncio.run(turns()) >= 20


def test_no_slice_of_a_big_page_takes_long(new_record: _NewRecord) -> None:
    """1,000 running streams and 5,000 series: between two turns of the loop at most 2 ms of this
    thread's time. The best of three: the processor's time is not only ours."""
    ledger = Ledger(["a", "b", "c"], models_max=100)
    _busy(ledger, ["a", "b", "c"], 80, new_record)
    streams = []
    for number in range(1000):
        stream = Meter(Talking(), Facts(model=f"model-{number % 80}"), 0.0, 2.0)
        for at in range(8):
            stream.feed(b"x", at * 0.01)
        streams.append(stream)

    def running() -> Iterator[None]:
        for at, stream in enumerate(streams, 1):
            ledger.count_running("a", (), stream)
            if at % STEP == 0:
                yield

    pages = Pages(ledger, lambda: [("a", "streaming")] * 1000, list, "1.2.3")

    async def longest() -> float:
        worst = 0.0
        collector = Collector(lambda: pages.page("scrape"), running)
        making = asyncio.create_task(collector.render(_OPENMETRICS, "gzip"))
        while not making.done():
            began = time.thread_time()
            await asyncio.sleep(0)
            worst = max(worst, time.thread_time() - began)
        body = gzip.decompress(making.result().body)
        assert body.count(b"\n") > 5000
        return worst

    assert min(asyncio.run(longest()) for _ in range(3)) <= 0.002


@pytest.mark.parametrize(
    ("asked", "is_taken"),
    [(None, False), ("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("*", True),
     ("gzip;q=0", False), ("identity", False), ("br", False)],
)  # fmt: skip
def test_gzip_is_used_where_it_is_taken(asked: str | None, is_taken: bool) -> None:
    collector = _collector(Ledger(["openai"]))
    rendered = asyncio.run(collector.render(None, asked))
    assert rendered.is_gzip is is_taken
    body = gzip.decompress(rendered.body) if is_taken else rendered.body
    assert body.startswith(b"# HELP llm_sidecar_requests_started_total")


class Talking(Nothing):
    """Every read is an event."""

    def feed(self, data: bytes) -> list[int]:
        return [1]
