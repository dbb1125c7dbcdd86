"""A collector: OpenTelemetry's own services over HTTP and gRPC, that keep what they get.

Knows: how requests come in on both transports, and how to be down, slow or ill-tempered.
Must not know: who sends. It stands on the published protobuf services, not on code of ours.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Values = dict[str, Any]
Point = tuple[str, frozenset[tuple[str, Any]]]


class _Server(ThreadingHTTPServer):
    """Whoever has given up waiting is no trouble here."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class Collector:
    """Both transports at once; `status` (HTTP) or `code` (gRPC) for what comes next."""

    def __init__(self) -> None:
        self.traces: list[trace_pb.ExportTraceServiceRequest] = []
        self.metrics: list[metrics_pb.ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        """Of each request, names in lower case; gRPC's metadata likewise."""
        self.status = 200
        self.retry_after: str | None = None
        self.code: grpc.StatusCode | None = None
        self.delay_s = 0.0
        self.refused = 0
        """Requests that were answered with an error."""
        self.rejected_spans = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc = grpc.server(futures.ThreadPoolExecutor(4))
        trace_grpc.add_TraceServiceServicer_to_server(_Traces(self), self._grpc)
        metrics_grpc.add_MetricsServiceServicer_to_server(_Metrics(self), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def grpc_url(self) -> str:
        return f"http://127.0.0.1:{self.grpc_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None)

    # --- what came ---

    def spans(self) -> list[Span]:
        with self._lock:
            return [
                span
                for message in self.traces
                for resource in message.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def wait_for_spans(self, count: int, within_s: float = 10.0) -> list[Span]:
        """At least so many; fails if they do not come."""
        end = time.monotonic() + within_s
        while len(found := self.spans()) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} spans came"
            time.sleep(0.02)
        return found

    def resource(self) -> Values:
        with self._lock:
            messages: list[Any] = [
                *(one.resource_spans[0] for one in self.traces),
                *(one.resource_metrics[0] for one in self.metrics),
            ]
        return attributes(messages[-1].resource.attributes)

    def points(self) -> dict[Point, Any]:
        """(name, attributes) -> the last value: a number, or (counts, sum) of a histogram."""
        found: dict[Point, Any] = {}
        with self._lock:
            messages = list(self.metrics)
        for message in messages:
            for metric in _metrics_of(message):
                for key, value in _points_of(metric):
                    found[key] = value
        return found

    def metric(self, name: str) -> Any:
        """The last one of that name, as it came."""
        with self._lock:
            messages = list(self.metrics)
        named = [one for message in messages for one in _metrics_of(message) if one.name == name]
        return named[-1]

    # --- how it comes ---

    def take(self, message: Any, headers: dict[str, str]) -> None:
        with self._lock:
            self.headers.append(headers)
            kept: list[Any] = (
                self.traces
                if isinstance(message, trace_pb.ExportTraceServiceRequest)
                else self.metrics
            )
            kept.append(message)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                time.sleep(collector.delay_s)
                if collector.status != 200:
                    collector.refused += 1
                    self._answer(collector.status, b"no")
                    return
                if self.headers["content-encoding"] == "gzip":
                    body = gzip.decompress(body)
                kinds = {
                    "/v1/traces": trace_pb.ExportTraceServiceRequest,
                    "/v1/metrics": metrics_pb.ExportMetricsServiceRequest,
                }
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.take(kinds[self.path].FromString(body), headers)
                answer = trace_pb.ExportTraceServiceResponse()
                if self.path == "/v1/traces" and collector.rejected_spans:
                    answer.partial_success.rejected_spans = collector.rejected_spans
                self._answer(200, answer.SerializeToString())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if collector.retry_after is not None:
                    self.send_header("retry-after", collector.retry_after)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class _Traces(trace_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's own name
        _serve(self._collector, request, context)
        return trace_pb.ExportTraceServiceResponse()


class _Metrics(metrics_grpc.MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # the service's own name
        _serve(self._collector, request, context)
        return metrics_pb.ExportMetricsServiceResponse()


def _serve(collector: Collector, request: Any, context: Any) -> None:
    time.sleep(collector.delay_s)
    if collector.code is not None:
        collector.refused += 1
        context.abort(collector.code, "no")
    collector.take(request, dict(context.invocation_metadata()))


def attributes(pairs: Any) -> Values:
    """Attribute -> value, in Python's types; each key once."""
    found: Values = {}
    pair: KeyValue
    for pair in pairs:
        assert pair.key not in found, pair.key
        found[pair.key] = _value(pair.value)
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    return getattr(value, kind)


def _metrics_of(message: Any) -> Iterator[Any]:
    for resource in message.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _points_of(metric: Any) -> Iterator[tuple[Point, Any]]:
    data = getattr(metric, metric.WhichOneof("data"))
    for point in data.data_points:
        key = (metric.name, frozenset(attributes(point.attributes).items()))
        if metric.HasField("histogram"):
            yield key, (list(point.bucket_counts), point.sum)
        else:
            yield key, point.as_int if point.HasField("as_int") else point.as_double
