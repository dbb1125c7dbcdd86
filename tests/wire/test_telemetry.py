"""What leaves the real program: to Prometheus, over OTLP, and in the log.

Case numbers (T24 …) are those of the design's list of faults.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from .caller import LAST_CHUNK, Caller, chunk, eventually, request
from .collector import Collector, attributes
from .conftest import Side
from .origin import answer, fin
from .relay import Relay, free_port

CHAT = "/v1/chat/completions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
DONE = b"data: [DONE]\n\n"
USAGE = (
    b'data: {"id":"chatcmpl-1","model":"gpt-4o","choices":[],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":4,'
    b'"prompt_tokens_details":{"cached_tokens":200}}}\n\n'
)
BODY = json.dumps(
    {
        "model": "gpt-4o",
        "stream": True,
        "temperature": 0.5,
        "max_tokens": 99,
        "stop": "END",
        "messages": [{"role": "user", "content": "planted-prompt"}],
    }
).encode()
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def event(text: str) -> bytes:
    told = {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"delta": {"content": text}}]}
    return chunk(b"data: %b\n\n" % json.dumps(told).encode())


STREAM = HEAD + event("planted") + event("-answer") + chunk(USAGE + DONE) + LAST_CHUNK


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, plain: Side) -> Iterator[Any]:
    """`start(telemetry, more)`: a relay whose one upstream is the provider without TLS."""
    relays: list[Relay] = []

    def run(telemetry: str = "", more: str = "", upstream: str = "", **options: Any) -> Relay:
        url = f"http://127.0.0.1:{plain.origin.port}"
        folder = tmp_path / str(len(relays))
        folder.mkdir()
        line = f'  plain: {{url: "{url}", dialect: openai, provider: openai{upstream}}}\n'
        relays.append(Relay(folder, line, telemetry=telemetry, more=more, **options))
        return relays[-1]

    yield run
    for relay in relays:
        if relay.is_running:
            relay.assert_settled()
            assert relay.stop() == 0
        assert "Traceback" not in relay.text


def traces_to(url: str, protocol: str = "http/protobuf", more: str = "") -> str:
    return (
        f', otlp: {{endpoint: "{url}", protocol: {protocol}, delay: 50ms, interval: 200ms{more}}}'
    )


def send(
    relay: Relay, plain: Side, reply: bytes = STREAM, *headers: bytes, body: bytes = BODY
) -> None:
    target, _ = plain.script(answer(reply), end=CHAT)
    with Caller(relay.data) as caller:
        caller.ask(request(target, body, *headers, b"Content-Type: application/json"))


def by_name(spans: list[Any]) -> dict[str, Any]:
    return {span.name: span for span in spans}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_one_request_is_three_spans_that_know_each_other(
    start: Any, plain: Side, collector: Collector, protocol: str
) -> None:
    url = collector.http_url if protocol == "http/protobuf" else collector.grpc_url
    relay: Relay = start(traces_to(url, protocol, ', headers: {x-tenant: "t 1"}'))
    send(relay, plain, STREAM, b"Traceparent: " + PARENT, b"Tracestate: a=b", b"User-Agent: me/1")
    spans = by_name(collector.wait_for_spans(3))
    server, call, attempt = (
        spans["POST /v1/chat/completions"],
        spans["chat gpt-4o"],
        spans["POST"],
    )
    record = relay.records()[0]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE_ID} == {record["trace_id"]}
    assert server.parent_span_id.hex() == "b7ad6b7169203331"
    assert server.span_id.hex() == record["span_id"]
    assert call.parent_span_id == server.span_id
    assert attempt.parent_span_id == call.span_id
    assert len({span.span_id for span in spans.values()}) == 3
    assert [span.kind for span in (server, call, attempt)] == [2, 3, 3]
    assert {span.trace_state for span in spans.values()} == {"a=b"}
    assert {span.status.code for span in spans.values()} == {0}
    assert collector.headers[-1]["x-tenant"] == "t 1"
    assert collector.resource()["service.name"] == "llm-sidecar"
    for span in spans.values():
        assert server.start_time_unix_nano <= span.start_time_unix_nano
        # Each is rounded to a microsecond for itself.
        assert span.end_time_unix_nano <= server.end_time_unix_nano + 2_000
        for mark in span.events:
            assert span.start_time_unix_nano <= mark.time_unix_nano
            assert mark.time_unix_nano <= span.end_time_unix_nano + 2_000
    assert [mark.name for mark in attempt.events] == ["connected", "request_sent", "response_head"]
    marks = ["first_event", "first_token", "first_answer", "last_token"]
    assert [mark.name for mark in call.events] == marks
    took_ms = (server.end_time_unix_nano - server.start_time_unix_nano) / 1e6
    assert took_ms == pytest.approx(record["duration_ms"], abs=0.01)
    said = attributes(server.attributes)
    assert (
        said
        | {
            "http.request.method": "POST",
            "url.path": record["path"],
            "url.scheme": "http",
            "server.address": "localhost",
            "http.route": "/v1/chat/completions",
            "http.response.status_code": 200,
            "user_agent.original": "me/1",
            "network.protocol.version": "1.1",
            "llm_sidecar.upstream": "plain",
            "llm_sidecar.outcome": "ok",
            "llm_sidecar.request_id": record["request_id"],
            "http.request.body.size": len(BODY),
            "http.response.body.size": record["response_bytes"],
        }
        == said
    )
    said = attributes(call.attributes)
    assert (
        said
        | {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.max_tokens": 99,
            "gen_ai.request.stop_sequences": ("END",),
            "gen_ai.response.model": "gpt-4o",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.time_to_first_chunk": record["ttft_ms"] / 1e3,
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.usage.cache_read.input_tokens": 200,
            "server.address": "127.0.0.1",
            "server.port": plain.origin.port,
            "openai.api.type": "chat_completions",
            "llm_sidecar.cost_usd": record["cost_usd"],
            "llm_sidecar.usage_source": "reported",
        }
        == said
    )
    assert "error.type" not in said
    said = attributes(attempt.attributes)
    assert said["http.response.status_code"] == 200
    assert said["url.full"] == f"http://127.0.0.1:{plain.origin.port}{record['path']}"
    assert "http.request.resend_count" not in said


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_both_exits_and_the_records_say_the_same(
    start: Any, plain: Side, collector: Collector, protocol: str
) -> None:
    url = collector.http_url if protocol == "http/protobuf" else collector.grpc_url
    relay: Relay = start(
        traces_to(url, protocol) + ", metrics: {export: both, semconv: both}",
    )
    for _ in range(5):
        send(relay, plain)
    send(relay, plain, b"HTTP/1.1 429 No\r\nContent-Length: 2\r\n\r\n{}")
    target, _ = plain.script((*answer(HEAD + event("cut")), fin), end=CHAT)
    with Caller(relay.data) as caller:
        caller.ask(request(target, BODY))
    relay.assert_settled()
    scraped = settled_samples(relay)
    assert eventually(lambda: agree(scraped, collector))
    records = relay.records()
    tokens = sum(
        row["usage"]["output_tokens"] for row in records if row["usage_source"] == "reported"
    )
    labels = {"upstream": "plain", "model": "gpt-4o", "kind": "output", "source": "reported"}
    assert scraped["llm_sidecar_tokens_total", frozenset(labels.items())] == tokens == 20
    cost = sum(row["cost_usd"] or 0.0 for row in records)
    key = frozenset({"upstream": "plain", "model": "gpt-4o"}.items())
    assert scraped["llm_sidecar_cost_usd_total", key] == pytest.approx(cost, abs=1e-9)
    for outcome in ("ok", "upstream_429", "truncated"):
        key = frozenset({"upstream": "plain", "outcome": outcome}.items())
        count = sum(row["outcome"] == outcome for row in records)
        assert scraped["llm_sidecar_requests_total", key] == count > 0
    spent = sum(sum(row["phases_ms"].values()) for row in records) / 1e3
    sums = [v for (name, _), v in scraped.items() if name == "llm_sidecar_phase_seconds_sum"]
    assert sum(sums) == pytest.approx(spent, abs=1e-6)


def settled_samples(relay: Relay) -> dict[Any, float]:
    return {
        key: value
        for key, value in relay.samples().items()
        if key[0].startswith(("llm_", "gen_ai", "http_"))
    }


# What looking changes, or what has no counterpart there.
UNSTEADY = {"llm_sidecar_event_loop_lag_seconds", "llm_sidecar_connections_open"}


def agree(scraped: dict[Any, float], collector: Collector) -> bool:
    """Every number on the page stands in the collector under the translated name."""
    points = {
        (name.replace(".", "_"), frozenset((k.replace(".", "_"), str(v)) for k, v in labels)): value
        for (name, labels), value in collector.points().items()
    }
    compared = 0
    for (name, labels), value in scraped.items():
        said = frozenset((k, v) for k, v in labels if k != "le" and v)
        plain_name = re.sub(r"_(bucket|count|sum)$", "", name)
        for end in ("_seconds", "_total", "_seconds_total", ""):
            if not plain_name.endswith(end):
                continue
            found = points.get((plain_name.removesuffix(end), said))
            if found is not None:
                break
        if name in UNSTEADY or "telemetry_dropped" in name:
            continue
        if found is None:
            return False
        if isinstance(found, tuple):
            counts, total = found
            if name.endswith("_sum"):
                same = total == pytest.approx(value, abs=1e-9)
            elif name.endswith("_count"):
                same = sum(counts) == value
            else:
                continue
        else:
            same = found == pytest.approx(value, abs=1e-12)
        if not same:
            return False
        compared += 1
    return compared > 100


def test_a_caller_that_leaves_still_ends_its_spans(
    start: Any, plain: Side, collector: Collector
) -> None:
    relay: Relay = start(traces_to(collector.http_url))
    target, _ = plain.script(answer(HEAD + event("a")), end=CHAT)
    with Caller(relay.data) as caller:
        caller.send(request(target, BODY))
        assert eventually(lambda: relay.streams() and relay.streams()[0]["output_events"] == 1)
    spans = by_name(collector.wait_for_spans(3))
    server = spans["POST /v1/chat/completions"]
    assert attributes(server.attributes)["llm_sidecar.outcome"] == "client_cancelled"
    # A caller's own decision is no error.
    assert {span.status.code for span in spans.values()} == {0}


def test_what_fails_is_an_error_on_every_span(
    start: Any, plain: Side, collector: Collector
) -> None:
    relay: Relay = start(traces_to(collector.http_url))
    send(relay, plain, b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}")
    spans = by_name(collector.wait_for_spans(3))
    assert {span.status.code for span in spans.values()} == {2}
    assert {attributes(span.attributes)["error.type"] for span in spans.values()} == {"503"}


def test_a_callers_mistake_is_no_error_of_the_server(
    start: Any, plain: Side, collector: Collector
) -> None:
    relay: Relay = start(traces_to(collector.http_url))
    send(relay, plain, b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")
    with Caller(relay.data) as caller:
        assert caller.ask(request("/nowhere", b"", host=b"evil.example")).status == 421
    spans = collector.wait_for_spans(4)
    codes = sorted((span.name, span.kind, span.status.code) for span in spans)
    assert codes == [
        ("POST", 2, 0),  # refused by us: the caller's mistake, too
        ("POST", 3, 2),
        ("POST /v1/chat/completions", 2, 0),
        ("chat gpt-4o", 3, 2),
    ]


@pytest.mark.parametrize(
    ("sampled", "ratio", "spans"), [(b"00", "1.0", 0), (b"01", "0.0", 3), (None, "0.0", 0)]
)
def test_who_brings_a_decision_has_decided(
    start: Any, plain: Side, collector: Collector, sampled: bytes | None, ratio: str, spans: int
) -> None:
    more = f", traces: {{sample_ratio: {ratio}}}"
    relay: Relay = start(traces_to(collector.http_url) + more)
    headers = [] if sampled is None else [b"traceparent: " + PARENT[:-2] + sampled]
    send(relay, plain, STREAM, *headers)
    collector.wait_for_spans(spans)
    assert relay.stop() == 0
    assert len(collector.spans()) == spans
    [row] = relay.log("exchange")
    assert row["trace_id"] == (None if sampled is None else TRACE_ID)
    assert (row["span_id"] is None) == (spans == 0)


@pytest.mark.parametrize(
    ("propagate", "goes_up"),
    [
        ("forward", [b"traceparent: " + PARENT, b"TraceState: a=b", b"baggage: k=v"]),
        ("none", []),
    ],
)
def test_trace_headers_go_up_byte_for_byte_or_not_at_all(
    start: Any, plain: Side, collector: Collector, propagate: str, goes_up: list[bytes]
) -> None:
    relay: Relay = start(traces_to(collector.http_url), upstream=f", propagate: {propagate}")
    target, path = plain.script(answer(STREAM), end=CHAT)
    mine = [b"traceparent: " + PARENT, b"TraceState: a=b", b"baggage: k=v"]
    with Caller(relay.data) as caller:
        caller.ask(request(target, BODY, *mine))
    assert trace_lines(plain.origin.seen(path)[0].head) == goes_up


def trace_lines(head: bytes) -> list[bytes]:
    lines = head.split(b"\r\n\r\n")[0].split(b"\r\n")
    return [line for line in lines if re.match(rb"(?i)(traceparent|tracestate|baggage):", line)]


def test_who_participates_is_the_parent_of_what_the_upstream_does(
    start: Any, plain: Side, collector: Collector
) -> None:
    relay: Relay = start(traces_to(collector.http_url) + ", traces: {propagate: participate}")
    target, path = plain.script(answer(STREAM), end=CHAT)
    with Caller(relay.data) as caller:
        caller.ask(request(target, BODY, b"traceparent: " + PARENT, b"tracestate: a=b"))
    attempt = by_name(collector.wait_for_spans(3))["POST"]
    told = f"00-{TRACE_ID}-{attempt.span_id.hex()}-01".encode()
    lines = trace_lines(plain.origin.seen(path)[0].head)
    assert sorted(lines) == [b"traceparent: " + told, b"tracestate: a=b"]


def test_what_a_header_says_becomes_a_label_everywhere(
    start: Any, plain: Side, collector: Collector
) -> None:
    labels = ', labels: {team: {from: "header:X-Sidecar-Team", values: [search]}}'
    relay: Relay = start(traces_to(collector.http_url) + labels)
    send(relay, plain, STREAM, b"x-sidecar-team: search")
    send(relay, plain, STREAM, b"x-sidecar-team: a-stranger's")
    send(relay, plain)
    metrics = relay.samples()
    for team in ("search", "other", "none"):
        key = frozenset({"upstream": "plain", "outcome": "ok", "team": team}.items())
        assert metrics["llm_sidecar_requests_total", key] == 1
        key = frozenset({"upstream": "plain", "model": "gpt-4o", "team": team}.items())
        assert metrics["llm_sidecar_request_duration_seconds_count", key] == 1
    assert [row["labels"] for row in relay.records()] == [
        {"team": "none"},
        {"team": "other"},
        {"team": "search"},
    ]
    spans = [span for span in collector.wait_for_spans(9) if span.kind == 2]
    said = {attributes(span.attributes)["llm_sidecar.label.team"] for span in spans}
    assert said == {"none", "other", "search"}


def test_t24_ten_thousand_names_of_models_are_few_series(start: Any, plain: Side) -> None:
    relay: Relay = start(", metrics: {models_max: 20}")
    with Caller(relay.data) as caller:
        for number in range(400):
            body = json.dumps({"model": f"m{number}", "choices": []}).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            reply = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            target, _ = plain.script(answer(reply), end=CHAT)
            caller.ask(request(target, b"{}"))
    series = relay.samples()
    models = {dict(labels).get("model") for _, labels in series} - {None}
    assert len(models) == 21
    assert "other" in models
    assert series["llm_sidecar_labels_capped_total", frozenset({("label", "model")})] == 380


def test_the_scrape_port_shows_figures_and_nothing_else(start: Any, plain: Side) -> None:
    port = free_port()
    start(more=f'scrape: {{address: "127.0.0.1:{port}"}}\n')
    for path, status in (("/metrics", 200), ("/livez", 200), ("/readyz", 200), ("/config", 404)):
        with Caller(("127.0.0.1", port)) as caller:
            asked = b"GET %b HTTP/1.1\r\nHost: any.name.example\r\n\r\n" % path.encode()
            assert caller.ask(asked).status == status
    with Caller(("127.0.0.1", port)) as caller:
        assert (
            caller.ask(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status
            == 405
        )


def test_exemplars_point_to_sampled_traces_only(start: Any, plain: Side) -> None:
    relay: Relay = start()
    send(relay, plain, STREAM, b"traceparent: " + PARENT)
    send(relay, plain, STREAM, b"traceparent: 00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-00")
    text = relay.page("/metrics", headers={"Accept": "application/openmetrics-text"})[1].decode()
    exemplars = {
        sample.exemplar.labels["trace_id"]
        for family in read_openmetrics(text)
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert exemplars == {TRACE_ID}


def test_an_answer_bears_what_it_is_told_to_reveal(start: Any, plain: Side) -> None:
    relay: Relay = start(listen=", reveal: [request_id, server_timing]")
    target, _ = plain.script(answer(STREAM), end=CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, BODY, b"x-request-id: mine-1"))
        refused = caller_head(relay)
    head = got.head.lower()
    assert b"\r\nx-sidecar-request-id: mine-1\r\n" in head
    timing = re.search(rb"\r\nserver-timing: ([^\r]*)\r\n", head)
    assert timing is not None
    names = [part.split(b";")[0].strip() for part in timing[1].split(b",")]
    assert names == [b"sidecar", b"connect", b"provider", b"total"]
    assert b"x-sidecar-request-id: sc-" in refused.lower()
    assert b"server-timing: sidecar;dur=" in refused.lower()


def caller_head(relay: Relay) -> bytes:
    with Caller(relay.data) as caller:
        return caller.ask(request("/nowhere", b"", host=b"evil.example")).head


def test_of_what_ended_well_a_share_is_logged_and_of_the_rest_all(start: Any, plain: Side) -> None:
    relay: Relay = start()
    assert relay.is_running
    quiet: Relay = start(log_level="info, sample_ratio: 0")
    for _ in range(3):
        send(quiet, plain)
    send(quiet, plain, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    assert quiet.stop() == 0
    assert [row["outcome"] for row in quiet.log("exchange")] == ["upstream_5xx"]


SECRETS = {
    "authorization": "Bearer sk-canary-authorization-1",
    "x-api-key": "canary-x-api-key-2",
    "cookie": "session=canary-cookie-3",
    "query": "canary-query-key-4",
}


def test_t115_planted_secrets_are_in_no_span_and_no_metric(
    start: Any, plain: Side, collector: Collector
) -> None:
    relay: Relay = start(
        traces_to(collector.http_url, more=', headers: {authorization: "Bearer canary-otlp-5"}')
        + ", metrics: {export: both, semconv: both}"
    )
    target, _ = plain.script(answer(STREAM), end=CHAT)
    with Caller(relay.data) as caller:
        caller.ask(
            request(
                target + "?key=" + SECRETS["query"],
                BODY,
                b"Authorization: " + SECRETS["authorization"].encode(),
                b"x-api-key: " + SECRETS["x-api-key"].encode(),
                b"Cookie: " + SECRETS["cookie"].encode(),
            )
        )
    collector.wait_for_spans(3)
    assert eventually(lambda: bool(collector.metrics))
    told = repr(collector.traces) + repr(collector.metrics)
    told += "".join(relay.page(path)[1].decode() for path in ("/metrics", "/exchanges", "/config"))
    assert relay.stop() == 0
    told += relay.text
    assert "canary" in repr(collector.headers)  # the test would see it
    found = [told[m.start() - 200 : m.end() + 80] for m in re.finditer("canary", told)]
    assert found == []


def test_prompts_and_answers_stay_out_unless_asked_for(
    start: Any, plain: Side, collector: Collector
) -> None:
    capture = ", traces: {capture_content: 4KiB}"
    relay: Relay = start(traces_to(collector.http_url) + capture)
    send(relay, plain)
    call = attributes(by_name(collector.wait_for_spans(3))["chat gpt-4o"].attributes)
    asked = json.loads(call["gen_ai.input.messages"])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "planted-prompt"}]}]
    [answered] = json.loads(call["gen_ai.output.messages"])
    assert answered["role"] == "assistant"
    assert answered["parts"] == [{"type": "text", "content": "planted-answer"}]


def test_the_environment_says_where_to_and_the_file_stands_above_it(
    start: Any, plain: Side, collector: Collector
) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-a=b%20c",
        "OTEL_SERVICE_NAME": "mine",
        "OTEL_RESOURCE_ATTRIBUTES": "team=search",
        "POD_NAME": "pod-7",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    relay: Relay = start(", traces: {sample_ratio: 1.0}", environment=environment)
    send(relay, plain)
    collector.wait_for_spans(3)
    resource = collector.resource()
    assert resource["service.name"] == "mine"
    assert (resource["team"], resource["k8s.pod.name"]) == ("search", "pod-7")
    assert collector.headers[-1]["x-a"] == "b c"
    started = relay.log("started")[0]
    assert started["traces"] == f"http/protobuf {collector.http_url}/v1/traces"


def dropped(relay: Relay, reason: str) -> float:
    """Spans, so far."""
    return relay.total("telemetry_dropped_total", signal="traces", reason=reason)


@pytest.mark.parametrize("status", [500, 429, 503])
def test_t112_a_collector_that_refuses_costs_spans_and_nothing_else(
    start: Any, plain: Side, collector: Collector, status: int
) -> None:
    collector.status = status
    relay: Relay = start(traces_to(collector.http_url, more=", timeout: 300ms, queue: 30"))
    for _ in range(30):
        send(relay, plain)
    reason = "not_sent"
    key = (
        "llm_sidecar_telemetry_dropped_total",
        frozenset({("signal", "traces"), ("reason", reason)}),
    )
    assert eventually(lambda: relay.samples()[key] > 0)
    assert eventually(lambda: relay.log("export_fails") != [])
    assert relay.log("export_fails")[0]["why"] == f"status {status}"
    collector.status = 200
    send(relay, plain)
    collector.wait_for_spans(3)
    assert eventually(lambda: relay.log("export_works_again") != [])
    assert [row["outcome"] for row in relay.records()] == ["ok"] * 31


def test_t112_a_collector_that_hangs_fills_a_bounded_queue(
    start: Any, plain: Side, collector: Collector
) -> None:
    collector.delay_s = 30.0
    relay: Relay = start(traces_to(collector.http_url, more=", queue: 30"))
    for _ in range(60):
        send(relay, plain)
    assert dropped(relay, "queue_full") > 0
    began = time.monotonic()
    assert relay.stop() == 0
    assert time.monotonic() - began < 10
    collector.delay_s = 0.0


def test_a_collector_that_is_not_there_is_no_trouble(start: Any, plain: Side) -> None:
    relay: Relay = start(traces_to(f"http://127.0.0.1:{free_port()}", more=", timeout: 200ms"))
    send(relay, plain)
    assert eventually(lambda: relay.log("export_fails") != [])
    assert relay.records()[0]["outcome"] == "ok"


def test_running_streams_are_counted_before_they_end_and_once(start: Any, plain: Side) -> None:
    relay: Relay = start()
    target, _ = plain.script(answer(HEAD + event("a") + event("b") + event("c")), end=CHAT)
    key = (
        "llm_sidecar_token_gap_seconds_count",
        frozenset({("upstream", "plain"), ("model", "gpt-4o")}),
    )
    with Caller(relay.data) as caller:
        caller.send(request(target, BODY))
        assert eventually(lambda: relay.samples().get(key) == 2)
    relay.assert_settled()
    assert eventually(lambda: relay.records()[0]["outcome"] == "client_cancelled")
    assert relay.samples()[key] == 2
