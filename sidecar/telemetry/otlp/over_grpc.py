"""OTLP over gRPC.

Knows: grpcio, and which of its codes are worth another try.
Must not know: what is in a message: it is encoded already.
Source: OpenTelemetry specification, "OTLP/gRPC" (1.60).
Imported only where `telemetry.otlp.protocol: grpc` asks for it: it costs a quarter of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import grpc

from sidecar.core.origin import parse_origin
from sidecar.settings.telemetry import Channel
from sidecar.telemetry.otlp.over_http import rejected_in
from sidecar.telemetry.otlp.sending import Sent

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_REPEATABLE: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


class GrpcSender:
    """`signal`: traces or metrics."""

    def __init__(self, channel: Channel, signal: str) -> None:
        origin = parse_origin(channel.url)
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}"
        compression = grpc.Compression.Gzip if channel.is_gzip else grpc.Compression.NoCompression
        # The proxy of the environment is for the providers' traffic.
        options = [("grpc.enable_http_proxy", 0)]
        self._channel = (
            grpc.secure_channel(target, _credentials(channel), options, compression)
            if origin.is_tls
            else grpc.insecure_channel(target, options, compression)
        )
        self._export = self._channel.unary_unary(_METHODS[signal])
        self._metadata = [(name.lower(), secret.reveal()) for name, secret in channel.headers]
        self._signal = signal

    def send(self, message: bytes, timeout_s: float) -> Sent:
        """One try."""
        try:
            answer = self._export(message, timeout=timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            code = error.code()
            return Sent(f"code {code.name}", code in _REPEATABLE)
        except ValueError as error:  # the channel was closed meanwhile
            return Sent(type(error).__name__)
        return Sent(rejected=rejected_in(self._signal, answer))

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()


def _credentials(channel: Channel) -> grpc.ChannelCredentials:
    tls = channel.tls
    return grpc.ssl_channel_credentials(
        _content(tls.ca_file), _content(tls.client_key), _content(tls.client_cert)
    )


def _content(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
