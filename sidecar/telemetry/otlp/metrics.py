"""A page of the books as OTLP metrics.

Knows: how readings become data points, cumulative or as what has come since the last page.
Must not know: queues or the network. Runs in the exporter's thread, on a page that nobody changes.
A summary (sum and count) is told as a histogram without bounds, which is how OTLP says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from sidecar.telemetry import conventions
from sidecar.telemetry.family import Kind
from sidecar.telemetry.ledger import Exemplar
from sidecar.telemetry.otlp.values import scope, text, usual
from sidecar.telemetry.page import Buckets, Page, Reading, Values

POINTS_A_MESSAGE: Final = 512
"""So many are made and packed in a few milliseconds, with the interpreter free in between."""
_WHOLE_NUMBERS: Final = frozenset({"server.port", "http.response.status_code"})
_CUMULATIVE: Final = pb.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA: Final = pb.AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_NOTHING: Final = Buckets([], 0.0)
_BY_CONVENTION: Final = frozenset(conventions.FAMILIES)


class MetricMaker:
    """`started_ns`: Unix time from which all counts count."""

    def __init__(self, resource: Resource, started_ns: int, is_delta: bool = False) -> None:
        self._resource = resource
        self._scope = scope()
        self._started_ns = started_ns
        self._is_delta = is_delta
        self._temporality = _DELTA if is_delta else _CUMULATIVE
        self._last_ns = started_ns
        self._numbers: dict[tuple[str, Values], float] = {}
        """As the collector knows them; so, too:"""
        self._buckets: dict[tuple[str, Values], Buckets] = {}
        self._new_numbers: dict[tuple[str, Values], float] = {}
        """In the message that is on its way; so, too:"""
        self._new_buckets: dict[tuple[str, Values], Buckets] = {}

    def encode(self, page: Page) -> Iterator[bytes]:
        """The page in messages, in the order of its families. The next one is asked for when the
        last has arrived; what has not arrived is part of the next difference."""
        self._new_numbers.clear()
        self._new_buckets.clear()
        since_ns = self._last_ns if self._is_delta else self._started_ns
        waiting: list[pb.Metric] = []
        points = 0
        for reading in page.readings:
            rows = len(reading.numbers) + len(reading.buckets)
            for at in range(0, rows, POINTS_A_MESSAGE):
                part = Reading(
                    reading.family,
                    reading.labels,
                    reading.numbers[at : at + POINTS_A_MESSAGE],
                    reading.buckets[at : at + POINTS_A_MESSAGE],
                )
                size = len(part.numbers) + len(part.buckets)
                if points and points + size > POINTS_A_MESSAGE:
                    yield self._message(waiting)
                    self._settle()
                    waiting, points = [], 0
                waiting.append(self._metric(part, since_ns, page.at_ns))
                points += size
        if waiting:
            yield self._message(waiting)
            self._settle()
        self._last_ns = page.at_ns

    def _settle(self) -> None:
        """The last message has arrived: what it said is the base of the next difference."""
        self._numbers.update(self._new_numbers)
        self._buckets.update(self._new_buckets)
        self._new_numbers.clear()
        self._new_buckets.clear()

    def _message(self, metrics: list[pb.Metric]) -> bytes:
        own = pb.ScopeMetrics(scope=self._scope, metrics=metrics, schema_url=conventions.SCHEMA_URL)
        whole = pb.ResourceMetrics(resource=self._resource, scope_metrics=[own])
        message = ExportMetricsServiceRequest(resource_metrics=[whole])
        encoded: bytes = message.SerializeToString()
        return encoded

    def _metric(self, reading: Reading, since_ns: int, at_ns: int) -> pb.Metric:
        family = reading.family
        metric = pb.Metric(name=family.otlp_name, description=family.help, unit=family.otlp_unit)
        if family.kind is Kind.GAUGE:
            metric.gauge.data_points.extend(self._points(reading, 0, at_ns, is_delta=False))
        elif family.kind is Kind.COUNTER:
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = self._temporality
            points = self._points(reading, since_ns, at_ns, self._is_delta)
            metric.sum.data_points.extend(points)
        else:
            metric.histogram.aggregation_temporality = self._temporality
            metric.histogram.data_points.extend(self._distributions(reading, since_ns, at_ns))
        return metric

    def _points(
        self, reading: Reading, since_ns: int, at_ns: int, is_delta: bool
    ) -> Iterator[pb.NumberDataPoint]:
        for values, figure in reading.numbers:
            if is_delta:
                key = (reading.family.name, values)
                self._new_numbers[key] = figure
                figure -= self._numbers.get(key, 0)
            point = pb.NumberDataPoint(
                attributes=_attributes(reading, values),
                start_time_unix_nano=since_ns,
                time_unix_nano=at_ns,
            )
            if isinstance(figure, int):
                point.as_int = figure
            else:
                point.as_double = figure
            yield point

    def _distributions(
        self, reading: Reading, since_ns: int, at_ns: int
    ) -> Iterator[pb.HistogramDataPoint]:
        bounds = reading.family.bounds
        for values, buckets in reading.buckets:
            counts, total = buckets.counts, buckets.total
            if self._is_delta:
                key = (reading.family.name, values)
                before, self._new_buckets[key] = self._buckets.get(key, _NOTHING), buckets
                old = before.counts or [0] * len(counts)
                counts = [now - then for now, then in zip(counts, old, strict=True)]
                total -= before.total
            yield pb.HistogramDataPoint(
                attributes=_attributes(reading, values),
                start_time_unix_nano=since_ns,
                time_unix_nano=at_ns,
                count=sum(counts),
                sum=total,
                bucket_counts=counts,
                explicit_bounds=bounds,
                exemplars=[
                    _exemplar(one)
                    for one in buckets.exemplars or ()
                    if one is not None and one[3] * 1e9 > self._last_ns
                ],
            )


def _attributes(reading: Reading, values: Values) -> list[KeyValue]:
    labels = reading.labels
    if reading.family not in _BY_CONVENTION:
        return [usual(key, text(value)) for key, value in zip(labels, values, strict=True)]
    return [
        usual(key, int(value) if key in _WHOLE_NUMBERS else text(value))
        for key, value in zip(labels, values, strict=True)
        if value
    ]


def _exemplar(kept: Exemplar) -> pb.Exemplar:
    value, trace_id, span_id, at = kept
    return pb.Exemplar(
        time_unix_nano=int(at * 1e9),
        as_double=value,
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
    )
