"""OpenTelemetry's variables: below the file, above the defaults."""

from __future__ import annotations

import pytest

from sidecar.settings.load import load
from sidecar.settings.schema import Settings

from .conftest import Load

E = "OTEL_EXPORTER_OTLP_"


def loaded(**env: str) -> Settings:
    return load(None, env=env)


def test_without_any_nothing_changes() -> None:
    assert loaded() == loaded(OTEL_SERVICE_NAME="")
    assert loaded().telemetry.otlp.endpoint is None


def test_one_endpoint_for_both_and_one_for_each() -> None:
    telemetry = loaded(
        **{E + "ENDPOINT": "http://c:4318", E + "TRACES_ENDPOINT": "http://t:1/x"},
        OTEL_METRICS_EXPORTER="otlp",
    ).telemetry
    assert telemetry.channel("traces").url == "http://t:1/x"  # type: ignore[union-attr]  # it is there
    assert telemetry.channel("metrics").url == "http://c:4318/v1/metrics"  # type: ignore[union-attr]  # it is there


def test_the_file_stands_above_them_also_above_those_of_one_signal(load_text: Load) -> None:
    env = {
        E + "ENDPOINT": "http://env:1",
        E + "TRACES_ENDPOINT": "http://env:2/x",
        E + "PROTOCOL": "grpc",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_SERVICE_NAME": "env",
    }
    telemetry = load_text(
        """
        telemetry:
          otlp: {endpoint: "http://file:1", resource: {service.name: file}}
          traces: {sample_ratio: 0.5}
        """,
        env=env,
    ).telemetry
    channel = telemetry.channel("traces")
    assert channel is not None
    assert (channel.url, channel.protocol) == ("http://file:1", "grpc")
    assert telemetry.traces.sample_ratio == 0.5
    assert dict(telemetry.otlp.resource) == {"service.name": "file"}


def test_the_command_line_stands_above_all(load_text: Load) -> None:
    env = {E + "ENDPOINT": "http://env:1"}
    settings = load(None, sets=["telemetry.otlp.endpoint=http://set:1"], env=env)
    assert settings.telemetry.otlp.endpoint == "http://set:1"


@pytest.mark.parametrize(
    ("insecure", "url"),
    [("true", "http://c:4317"), ("", "https://c:4317"), ("false", "https://c:4317")],
)
def test_an_endpoint_of_grpc_may_have_no_scheme(insecure: str, url: str) -> None:
    env = {E + "ENDPOINT": "c:4317", E + "PROTOCOL": "grpc", E + "INSECURE": insecure}
    assert loaded(**env).telemetry.otlp.endpoint == url


def test_headers_are_pairs_with_percent_signs() -> None:
    otlp = loaded(**{E + "HEADERS": "x-a=b%20c, authorization=Bearer%20t%3D,broken"}).telemetry.otlp
    told = {name: secret.reveal() for name, secret in otlp.headers}
    assert told == {"x-a": "b c", "authorization": "Bearer t="}


@pytest.mark.parametrize(
    ("text", "seconds", "warnings"), [("10000", 10.0, 0), ("10", 10.0, 1), ("500", 0.5, 0)]
)
def test_a_timeout_may_be_milliseconds_or_seconds(text: str, seconds: float, warnings: int) -> None:
    settings = loaded(**{E + "TIMEOUT": text})
    assert settings.telemetry.otlp.timeout_s == seconds
    assert len(settings.warnings) == warnings


@pytest.mark.parametrize(
    ("name", "argument", "ratio", "is_parent_based"),
    [
        ("always_on", "", 1.0, False),
        ("always_off", "", 0.0, False),
        ("traceidratio", "0.25", 0.25, False),
        ("parentbased_always_on", "", 1.0, True),
        ("parentbased_always_off", "", 0.0, True),
        ("parentbased_traceidratio", "0.1", 0.1, True),
        ("parentbased_traceidratio", "", 1.0, True),
        ("jaeger_remote", "", 1.0, True),
    ],
)
def test_samplers(name: str, argument: str, ratio: float, is_parent_based: bool) -> None:
    settings = loaded(OTEL_TRACES_SAMPLER=name, OTEL_TRACES_SAMPLER_ARG=argument)
    traces = settings.telemetry.traces
    assert (traces.sample_ratio, traces.parent_based) == (ratio, is_parent_based)
    assert bool(settings.warnings) == (name == "jaeger_remote")


def test_exporters_may_be_switched_off() -> None:
    here = {E + "ENDPOINT": "http://c:4318"}
    assert loaded(**here).telemetry.sends_traces
    assert not loaded(**here, OTEL_TRACES_EXPORTER="none").telemetry.sends_traces
    assert not loaded(**here, OTEL_SDK_DISABLED="true").telemetry.sends_traces
    assert not loaded(**here).telemetry.sends_metrics
    assert loaded(**here, OTEL_METRICS_EXPORTER="otlp").telemetry.metrics.export == "otlp"
    both = loaded(**here, OTEL_METRICS_EXPORTER="otlp,prometheus")
    assert both.telemetry.metrics.export == "both"
    assert not loaded(**here, OTEL_METRICS_EXPORTER="none").telemetry.sends_metrics
    assert loaded(**{E + "METRICS_ENDPOINT": "http://m/x"}).telemetry.sends_metrics


def test_who_asks_for_otlp_by_name_gets_the_usual_place() -> None:
    assert loaded(OTEL_TRACES_EXPORTER="otlp").telemetry.otlp.endpoint == "http://localhost:4318"
    env = {"OTEL_TRACES_EXPORTER": "otlp", E + "PROTOCOL": "grpc"}
    assert loaded(**env).telemetry.otlp.endpoint == "http://localhost:4317"


def test_batches_and_queues() -> None:
    otlp = loaded(
        OTEL_BSP_SCHEDULE_DELAY="5000",
        OTEL_BSP_MAX_QUEUE_SIZE="100",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="512",
        OTEL_BSP_EXPORT_TIMEOUT="30000",
        OTEL_METRIC_EXPORT_INTERVAL="60000",
        OTEL_METRIC_EXPORT_TIMEOUT="2000",
        **{E + "METRICS_TEMPORALITY_PREFERENCE": "delta", E + "COMPRESSION": "none"},
    ).telemetry.otlp
    assert (otlp.delay_s, otlp.queue, otlp.batch, otlp.interval_s) == (5.0, 100, 64, 60.0)
    assert (otlp.traces.timeout_s, otlp.metrics.timeout_s) == (30.0, 2.0)
    assert (otlp.temporality, otlp.compression) == ("delta", None)


def test_resource_attributes_and_the_pod() -> None:
    resource = dict(
        loaded(
            OTEL_SERVICE_NAME="name",
            OTEL_RESOURCE_ATTRIBUTES="service.name=other,team=a%2Cb,k8s.pod.name=mine",
            POD_NAME="p",
            POD_NAMESPACE="n",
            NODE_NAME="node",
        ).telemetry.otlp.resource
    )
    assert resource == {
        "service.name": "name",
        "team": "a,b",
        "k8s.pod.name": "mine",
        "k8s.namespace.name": "n",
        "k8s.node.name": "node",
    }


def test_limits_exemplars_and_content() -> None:
    settings = loaded(
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="50",
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="40",
        OTEL_METRICS_EXEMPLAR_FILTER="always_off",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
    )
    telemetry = settings.telemetry
    assert telemetry.traces.attribute_limit == 40
    assert not telemetry.metrics.exemplars
    assert telemetry.traces.capture_content_bytes == 8192


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        (E + "TRACES_CERTIFICATE", "/ca.pem"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "always_on"),
        (E + "METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
    ],
)
def test_what_is_not_to_be_had_is_warned_of(variable: str, value: str) -> None:
    [warning] = loaded(**{variable: value}).warnings
    assert warning.place.source == variable


def test_what_is_wrong_is_told_with_the_variables_name() -> None:
    from sidecar.settings.problems import ConfigError

    with pytest.raises(ConfigError) as caught:
        loaded(
            **{E + "PROTOCOL": "http/json", E + "TIMEOUT": "soon", E + "CERTIFICATE": "/no/such"}
        )
    places = {problem.place.source for problem in caught.value.problems}
    assert places == {E + "PROTOCOL", E + "TIMEOUT", E + "CERTIFICATE"}
