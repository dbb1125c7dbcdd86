"""Where each signal goes, by the settings."""

from __future__ import annotations

import dataclasses

import pytest

from sidecar.core.secret import Secret
from sidecar.settings.telemetry import (
    GRPC,
    HTTP,
    Metrics,
    Otlp,
    Signal,
    Telemetry,
    Traces,
)

OFF = Telemetry()
HERE = Otlp(endpoint="http://c:4318")


def test_nothing_leaves_unless_asked_for() -> None:
    assert OFF.channel("traces") is None
    assert OFF.channel("metrics") is None
    assert not OFF.speaks_conventions


def test_traces_leave_where_there_is_an_endpoint_and_metrics_if_they_shall() -> None:
    here = Telemetry(otlp=HERE)
    assert here.sends_traces
    assert not here.sends_metrics
    assert not Telemetry(otlp=HERE, traces=Traces(enabled=None)).sends_traces
    for export in ("otlp", "both"):
        sends = Telemetry(otlp=HERE, metrics=Metrics(export=export))
        assert sends.sends_metrics
        assert sends.speaks_conventions
    assert Telemetry(metrics=Metrics(semconv="both")).speaks_conventions


@pytest.mark.parametrize(
    ("otlp", "url"),
    [
        (HERE, "http://c:4318/v1/traces"),
        (Otlp(endpoint="http://c:4318/base/"), "http://c:4318/base/v1/traces"),
        (Otlp(endpoint="http://c:4317", protocol=GRPC), "http://c:4317"),
        (dataclasses.replace(HERE, traces=Signal(endpoint="http://t/x")), "http://t/x"),
        (dataclasses.replace(HERE, traces=Signal(protocol=GRPC)), "http://c:4318"),
    ],
)
def test_the_url_of_one_signal(otlp: Otlp, url: str) -> None:
    channel = Telemetry(otlp=otlp).channel("traces")
    assert channel is not None
    assert channel.url == url


def test_what_differs_for_one_signal_stands_above_what_both_share() -> None:
    own = Signal(protocol=GRPC, compression="none", timeout_s=2.0, headers=(("a", Secret("own")),))
    otlp = dataclasses.replace(HERE, traces=own, headers=(("a", Secret("shared")),))
    telemetry = Telemetry(otlp=otlp, metrics=Metrics(export="otlp"))
    traces, metrics = telemetry.channel("traces"), telemetry.channel("metrics")
    assert traces is not None
    assert metrics is not None
    assert (traces.protocol, traces.is_gzip, traces.timeout_s) == (GRPC, False, 2.0)
    assert traces.headers[0][1].reveal() == "own"
    assert (metrics.protocol, metrics.is_gzip, metrics.timeout_s) == (HTTP, True, 10.0)
    assert metrics.headers[0][1].reveal() == "shared"
