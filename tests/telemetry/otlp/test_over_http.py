"""OTLP by POST, to a real server."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from sidecar.core.secret import Secret
from sidecar.settings.telemetry import HTTP, Channel, Files
from sidecar.telemetry.otlp.over_http import HttpSender, rejected_in
from tests.wire.collector import Collector
from tests.wire.relay import free_port

NOTHING = ExportTraceServiceRequest().SerializeToString()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def _sender(url: str, is_gzip: bool = True, ca_file: str | None = None) -> HttpSender:
    headers = (("Authorization", Secret("Bearer t")),)
    tls = Files(ca_file)
    return HttpSender(Channel(url, HTTP, is_gzip, 1.0, headers, tls), "traces")


@pytest.mark.parametrize("is_gzip", [True, False])
def test_a_message_arrives_with_its_headers(collector: Collector, is_gzip: bool) -> None:
    sender = _sender(collector.http_url + "/v1/traces", is_gzip)
    assert sender.send(NOTHING, 5.0) == (None, False, None, 0)
    assert sender.send(NOTHING, 5.0).trouble is None
    [first, _] = collector.headers
    assert first["authorization"] == "Bearer t"
    assert first["content-type"] == "application/x-protobuf"
    assert first.get("content-encoding") == ("gzip" if is_gzip else None)
    assert first["user-agent"].startswith("llm-sidecar-proxy/")
    sender.close()


@pytest.mark.parametrize(
    ("status", "is_worth_repeating"),
    [(400, False), (404, False), (429, True), (500, False), (502, True), (503, True), (504, True)],
)
def test_some_refusals_are_worth_another_try(
    collector: Collector, status: int, is_worth_repeating: bool
) -> None:
    collector.status, collector.retry_after = status, "7"
    sent = _sender(collector.http_url + "/v1/traces").send(NOTHING, 5.0)
    assert sent == (f"status {status}", is_worth_repeating, 7.0, 0)


def test_what_the_receiver_would_not_take_is_told(collector: Collector) -> None:
    collector.rejected_spans = 3
    assert _sender(collector.http_url + "/v1/traces").send(NOTHING, 5.0).rejected == 3


def test_nobody_there_and_nobody_answering_are_told_without_the_url(collector: Collector) -> None:
    gone = _sender(f"http://127.0.0.1:{free_port()}/canary/v1/traces").send(NOTHING, 1.0)
    assert gone.is_worth_repeating
    assert gone.trouble is not None
    assert "canary" not in gone.trouble
    collector.delay_s = 3.0
    assert _sender(collector.http_url + "/v1/traces").send(NOTHING, 0.1).is_worth_repeating


def test_a_collector_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://localhost:{server.server_port}/v1/traces"
    trusting, other = _sender(url, ca_file=str(file)), _sender(url)
    assert trusting.send(NOTHING, 5.0).trouble is None
    assert other.send(NOTHING, 5.0).trouble == "SSLCertVerificationError"
    trusting.close()
    server.shutdown()
    server.server_close()


def test_a_connection_that_died_idle_is_replaced_at_once() -> None:
    """A server that closes each connection after its first answer, and does not say so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    sender = _sender(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces")
    assert sender.send(NOTHING, 5.0).trouble is None
    time.sleep(0.05)
    assert sender.send(NOTHING, 5.0).trouble is None
    sender.close()
    listener.close()


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
        time.sleep(5)

    threading.Thread(target=serve, daemon=True).start()
    sender = _sender(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces")
    began = time.monotonic()
    assert sender.send(NOTHING, 5.0).trouble is None
    assert time.monotonic() - began < 2.0
    sender.close()
    listener.close()


def test_an_answer_that_is_none_rejects_nothing() -> None:
    traces = ExportTraceServiceResponse()
    traces.partial_success.rejected_spans = 2
    metrics = ExportMetricsServiceResponse()
    metrics.partial_success.rejected_data_points = 4
    assert rejected_in("traces", traces.SerializeToString()) == 2
    assert rejected_in("metrics", metrics.SerializeToString()) == 4
    for junk in (b"", b"{}", b"\xff" * 9, b"<html>"):
        assert rejected_in("traces", junk) == 0
