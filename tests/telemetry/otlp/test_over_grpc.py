"""OTLP over gRPC, to a real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sidecar.core.secret import Secret
from sidecar.settings.telemetry import GRPC, Channel, Files
from sidecar.telemetry.otlp.over_grpc import GrpcSender
from tests.wire.collector import Collector
from tests.wire.relay import free_port

NOTHING = ExportTraceServiceRequest().SerializeToString()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def _sender(
    url: str, signal: str = "traces", is_gzip: bool = True, tls: Files | None = None
) -> GrpcSender:
    headers = (("X-Tenant", Secret("t 1")),)
    return GrpcSender(Channel(url, GRPC, is_gzip, 1.0, headers, tls or Files()), signal)


@pytest.mark.parametrize("is_gzip", [True, False])
def test_both_signals_arrive_with_their_headers(collector: Collector, is_gzip: bool) -> None:
    traces = _sender(collector.grpc_url, is_gzip=is_gzip)
    metrics = _sender(collector.grpc_url, "metrics", is_gzip)
    assert traces.send(NOTHING, 5.0).trouble is None
    assert metrics.send(ExportMetricsServiceRequest().SerializeToString(), 5.0).trouble is None
    assert (len(collector.traces), len(collector.metrics)) == (1, 1)
    assert {headers["x-tenant"] for headers in collector.headers} == {"t 1"}
    traces.close()
    metrics.close()


@pytest.mark.parametrize(
    ("code", "is_worth_repeating"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, True),
        (grpc.StatusCode.INVALID_ARGUMENT, False),
        (grpc.StatusCode.UNAUTHENTICATED, False),
    ],
)
def test_some_refusals_are_worth_another_try(
    collector: Collector, code: grpc.StatusCode, is_worth_repeating: bool
) -> None:
    collector.code = code
    sent = _sender(collector.grpc_url).send(NOTHING, 5.0)
    assert sent == (f"code {code.name}", is_worth_repeating, None, 0)


def test_nobody_there_and_nobody_answering(collector: Collector) -> None:
    gone = _sender(f"http://127.0.0.1:{free_port()}").send(NOTHING, 1.0)
    assert (gone.trouble, gone.is_worth_repeating) == ("code UNAVAILABLE", True)
    collector.delay_s = 2.0
    slow = _sender(collector.grpc_url).send(NOTHING, 0.2)
    assert (slow.trouble, slow.is_worth_repeating) == ("code DEADLINE_EXCEEDED", True)


def test_a_collector_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    issued = authority.issue_cert("localhost")
    server = grpc.server(futures.ThreadPoolExecutor(1))
    credentials = grpc.ssl_server_credentials(
        [(issued.private_key_pem.bytes(), b"".join(p.bytes() for p in issued.cert_chain_pems))]
    )
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    # No service is there: but the handshake has gone well.
    sent = _sender(f"https://localhost:{port}", tls=Files(str(file))).send(NOTHING, 5.0)
    assert sent.trouble == "code UNIMPLEMENTED"
    stranger = _sender(f"https://localhost:{port}").send(NOTHING, 5.0)
    assert stranger.trouble == "code UNAVAILABLE"
    server.stop(None)
