"""The demo's figures are those of /metrics."""

from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from sidecar.lab.figures import Figures, by_model, line_of, read_metrics, summary_of, table_of
from sidecar.lab.traffic import Tally

_METRICS = """\
# HELP llm_sidecar_requests_started_total Requests accepted.
# TYPE llm_sidecar_requests_started_total counter
llm_sidecar_requests_started_total{upstream="openai"} 7.0
llm_sidecar_requests_started_total{upstream="anthropic"} 5.0
# TYPE llm_sidecar_requests_total counter
llm_sidecar_requests_total{upstream="openai",outcome="ok"} 4.0
llm_sidecar_requests_total{upstream="anthropic",outcome="ok"} 4.0
llm_sidecar_requests_total{upstream="openai",outcome="truncated"} 2.0
llm_sidecar_requests_total{upstream="openai",outcome="timeout"} 0.0
# TYPE llm_sidecar_requests_in_flight gauge
llm_sidecar_requests_in_flight{upstream="openai",state="waiting"} 1.0
llm_sidecar_requests_in_flight{upstream="anthropic",state="streaming"} 1.0
# TYPE llm_sidecar_overhead_seconds histogram
llm_sidecar_overhead_seconds_bucket{le="+Inf",part="request"} 10.0
llm_sidecar_overhead_seconds_count{part="request"} 10.0
llm_sidecar_overhead_seconds_sum{part="request"} 0.001
llm_sidecar_overhead_seconds_bucket{le="+Inf",part="response"} 10.0
llm_sidecar_overhead_seconds_count{part="response"} 10.0
llm_sidecar_overhead_seconds_sum{part="response"} 0.002
llm_sidecar_overhead_seconds_bucket{le="+Inf",part="chunk"} 10.0
llm_sidecar_overhead_seconds_count{part="chunk"} 10.0
llm_sidecar_overhead_seconds_sum{part="chunk"} 5.0
# TYPE something_else gauge
something_else 3.0
"""


def test_upstreams_are_added_up_and_zeros_left_out() -> None:
    figures = read_metrics(_METRICS)
    assert (figures.started, figures.in_flight) == (12, 2)
    assert figures.by_outcome == {"ok": 8, "truncated": 2}
    assert figures.own_time_s is not None
    assert abs(figures.own_time_s - 0.0003) < 1e-9


def test_what_was_not_measured_is_not_said() -> None:
    assert read_metrics("") == Figures()
    assert line_of(Figures(), Tally()) == "requests 0 · in flight 0 · ok 0 · 0.0 MB"


def test_the_line_says_how_many_failed_and_of_what() -> None:
    tally = Tally(received_bytes=1_250_000)
    tally.first_token_s.append(0.25)
    line = line_of(read_metrics(_METRICS), tally)
    assert line == (
        "requests 12 · in flight 2 · ok 8 · failed 2 (truncated 2) · first token p50 250 ms"
        " · added by the proxy 0.30 ms · 1.2 MB"
    )


def test_the_summary_holds_both_sides() -> None:
    tally = Tally(sent=12, endings=Counter(ok=10, cut=2), received_bytes=99)
    text = summary_of(read_metrics(_METRICS), tally)
    assert "the proxy counted   12 requests: ok 8, truncated 2" in text
    assert "its callers saw     12 requests: cut 2, ok 10" in text
    assert "no stream got that far" in text
    tally.first_token_s.append(0.25)
    assert "p50 250 ms, p95 250 ms" in summary_of(Figures(), tally)


def _exchange(model: str | None, **more: object) -> dict[str, object]:
    told: dict[str, object] = dict.fromkeys(
        ("request_model", "ttft_ms", "output_tokens_per_s", "usage", "cost_usd")
    )
    return told | {"response_model": model} | more


def test_each_model_has_its_row_and_unknown_is_a_dash() -> None:
    usage = {"output_tokens": 40}
    exchanges = [
        _exchange("gpt-4o", ttft_ms=200.0, output_tokens_per_s=40.0, usage=usage, cost_usd=0.002),
        _exchange("gpt-4o", ttft_ms=400.0, cost_usd=0.001),
        _exchange("mock,tokens=3", usage={"output_tokens": None}),
        _exchange(None, request_model="mock,tokens=9"),
        _exchange(None),
    ]
    rows = by_model(exchanges)
    assert [(row.model, row.requests, row.output_tokens) for row in rows] == [
        ("gpt-4o", 2, 40),
        ("mock", 2, 0),
    ]
    assert rows[0].cost_usd == 0.003
    assert rows[1].cost_usd is None
    out = io.StringIO()
    Console(file=out, width=120).print(table_of(rows))
    first, second = out.getvalue().splitlines()[4:6]
    assert [cell.strip() for cell in first.split("│")[1:-1]] == [
        *("gpt-4o", "2", "300 ms", "40.0", "40", "$0.0030"),
    ]
    assert [cell.strip() for cell in second.split("│")[1:-1]] == ["mock", "2", "-", "-", "0", "-"]
