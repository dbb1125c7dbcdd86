"""Pages as OTLP metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from sidecar.core.origin import Origin
from sidecar.core.records import Record
from sidecar.telemetry.convention_books import ConventionBooks
from sidecar.telemetry.labels import ModelNames
from sidecar.telemetry.ledger import Ledger, Seen
from sidecar.telemetry.otlp.metrics import POINTS_A_MESSAGE, MetricMaker
from sidecar.telemetry.otlp.values import resource
from sidecar.telemetry.page import Page, Pages
from tests.wire.collector import attributes

_NewRecord = Callable[..., Record]
STARTED_NS = 1_000


def _page(ledger: Ledger, at_ns: int, books: ConventionBooks | None = None) -> Page:
    return Pages(ledger, list, list, "1.2.3", conventions=books, wall_ns=lambda: at_ns).page("otlp")


def _metrics(messages: list[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for message in messages:
        for one in ExportMetricsServiceRequest.FromString(message).resource_metrics:
            for scope in one.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, metric)
    return found


def _counted(metric: Any) -> dict[str, int]:
    return {
        attributes(point.attributes)["outcome"]: point.as_int
        for point in metric.sum.data_points
        if point.as_int
    }


def test_counters_count_from_the_start_and_gauges_tell_what_is(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(new_record())
    told = _metrics(list(MetricMaker(resource([]), STARTED_NS).encode(_page(ledger, 5_000))))
    requests = told["llm_sidecar.requests"]
    assert requests.sum.is_monotonic
    assert requests.sum.aggregation_temporality == 2
    assert _counted(requests) == {"ok": 1}
    point = requests.sum.data_points[0]
    assert (point.start_time_unix_nano, point.time_unix_nano) == (STARTED_NS, 5_000)
    assert told["llm_sidecar.requests_in_flight"].HasField("gauge")
    [duration] = told["llm_sidecar.request_duration"].histogram.data_points
    assert (duration.count, duration.sum) == (1, 0.8125)
    assert len(duration.bucket_counts) == len(duration.explicit_bounds) + 1
    assert told["llm_sidecar.request_duration"].unit == "s"


def test_a_sum_and_a_count_are_a_histogram_without_bounds(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    told = _metrics(list(MetricMaker(resource([]), 0).encode(_page(ledger, 1))))
    point = told["llm_sidecar.phase"].histogram.data_points[0]
    assert list(point.explicit_bounds) == []
    assert len(point.bucket_counts) == 1


def test_differences_begin_where_the_last_page_that_arrived_ended(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    make = MetricMaker(resource([]), STARTED_NS, is_delta=True)
    ledger.settle(new_record())
    first = _metrics(list(make.encode(_page(ledger, 2_000))))
    ledger.settle(new_record())
    ledger.settle(new_record())
    # This one does not arrive: whoever sends it does not ask for the next message.
    lost = make.encode(_page(ledger, 3_000))
    next(lost)
    lost.close()  # type: ignore[attr-defined]  # it is a generator
    third = _metrics(list(make.encode(_page(ledger, 4_000))))
    assert [_counted(told["llm_sidecar.requests"]) for told in (first, third)] == [
        {"ok": 1},
        {"ok": 2},
    ]
    requests, duration = third["llm_sidecar.requests"], third["llm_sidecar.request_duration"]
    assert requests.sum.aggregation_temporality == 1
    assert requests.sum.data_points[0].start_time_unix_nano == 2_000
    assert duration.histogram.data_points[0].count == 2
    assert abs(duration.histogram.data_points[0].sum - 2 * 0.8125) < 1e-9


def test_a_large_page_travels_in_small_messages() -> None:
    ledger = Ledger([f"upstream-{number}" for number in range(40)])
    messages = list(MetricMaker(resource([]), 0).encode(_page(ledger, 1)))
    assert len(messages) > 3
    total = 0
    for message in messages:
        points = 0
        for told in ExportMetricsServiceRequest.FromString(message).resource_metrics:
            for metric in told.scope_metrics[0].metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                points += len(data.data_points)
        assert points <= POINTS_A_MESSAGE
        total += points
    page = _page(ledger, 1)
    assert total == sum(len(one.numbers) + len(one.buckets) for one in page.readings)


def test_an_example_is_told_once(new_record: _NewRecord) -> None:
    ledger = Ledger(["openai"])
    ledger.settle(new_record(), Seen(example=("1" * 32, "2" * 16), at=5e-6))
    make = MetricMaker(resource([]), STARTED_NS)
    for expected in ([("1" * 32, "2" * 16)], []):
        told = _metrics(list(make.encode(_page(ledger, 9_000))))
        [point] = told["llm_sidecar.request_duration"].histogram.data_points
        assert [(e.trace_id.hex(), e.span_id.hex()) for e in point.exemplars] == expected


def test_attributes_of_the_conventions_have_their_types_and_are_left_out_where_unknown(
    new_record: _NewRecord,
) -> None:
    models = ModelNames(5, (), lambda: None)
    books = ConventionBooks({"openai": Origin("https", "h", 443)}, models, models, is_tls=False)
    books.settle(new_record(operation="chat"), None, "1.1")
    told = _metrics(list(MetricMaker(resource([]), 0).encode(_page(Ledger([]), 1, books))))
    [point] = told["gen_ai.client.operation.duration"].histogram.data_points
    assert attributes(point.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "server.address": "h",
        "server.port": 443,
    }
