"""OTLP over HTTP: protobuf bodies by POST.

Knows: urllib3, and which statuses are worth another try.
Must not know: what is in a message.
Source: OpenTelemetry specification, "OTLP/HTTP" (1.60): 429, 502, 503 and 504 may be repeated.
"""

from __future__ import annotations

import gzip
from typing import Final

import urllib3
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from sidecar import __version__
from sidecar.settings.telemetry import Channel
from sidecar.telemetry.otlp.sending import Sent

_REPEATABLE: Final = frozenset({429, 502, 503, 504})
_GZIP_LEVEL: Final = 1
_MAX_ANSWER_BYTES: Final = 64 * 1024


class HttpSender:
    """`signal`: traces or metrics."""

    def __init__(self, channel: Channel, signal: str) -> None:
        self._url = channel.url
        self._is_gzip = channel.is_gzip
        self._signal = signal
        self._headers = {
            "user-agent": f"llm-sidecar-proxy/{__version__}",
            **{name: secret.reveal() for name, secret in channel.headers},
            "content-type": "application/x-protobuf",
        }
        if channel.is_gzip:
            self._headers["content-encoding"] = "gzip"
        tls = channel.tls
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            ca_certs=tls.ca_file,
            cert_file=tls.client_cert,
            key_file=tls.client_key,
        )

    def send(self, message: bytes, timeout_s: float) -> Sent:
        """One try."""
        body = gzip.compress(message, _GZIP_LEVEL, mtime=0) if self._is_gzip else message
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(total=timeout_s),
                redirect=False,
                preload_content=False,
            )
            status = response.status
            answer = response.read(_MAX_ANSWER_BYTES + 1, decode_content=True)
            if len(answer) <= _MAX_ANSWER_BYTES:
                response.release_conn()
            else:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # The words of an exception may hold the URL; its kind says enough.
            return Sent(type(error).__name__, is_worth_repeating=True)
        if 200 <= status < 300:
            return Sent(rejected=self._rejected(answer))
        wait_s = _seconds(response.headers.get("retry-after"))
        return Sent(f"status {status}", status in _REPEATABLE, wait_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._pool.clear()

    def _rejected(self, answer: bytes) -> int:
        return rejected_in(self._signal, answer)


def rejected_in(signal: str, answer: bytes) -> int:
    """How much of the message the receiver would not take; of an answer that is none, nothing."""
    try:
        if signal == "traces":
            traces = ExportTraceServiceResponse.FromString(answer)
            return max(int(traces.partial_success.rejected_spans), 0)
        metrics = ExportMetricsServiceResponse.FromString(answer)
        return max(int(metrics.partial_success.rejected_data_points), 0)
    except Exception:  # protobuf's own, which has no public name in all of its versions
        return 0


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() and len(text) < 6 else None
