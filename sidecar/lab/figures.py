"""The demo's figures: read from the proxy's own /metrics and /exchanges, told in a line, in a table
by model and in a summary.

Knows: the names of the few families it reads, and how a figure is said.
Must not know: how the text was fetched, or what it is shown on.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from sidecar.lab.traffic import Tally


@dataclass(slots=True)
class Figures:
    """What the proxy's /metrics says."""

    started: int = 0
    in_flight: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    own_time_s: float | None = None
    """Mean time the proxy added: request, and head of the response."""


@dataclass(slots=True)
class ModelFigures:
    """What the last exchanges say of one model. A list holds what was known, of each exchange."""

    model: str
    requests: int = 0
    first_token_ms: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    output_tokens: int = 0
    cost_usd: float | None = None
    """Of the exchanges that have a price; None: none has."""


def by_model(exchanges: Iterable[Mapping[str, Any]]) -> list[ModelFigures]:
    """One row for each model that answered, the most used first. The scripts of simulated models
    are left out of their names."""
    rows: dict[str, ModelFigures] = {}
    for told in exchanges:
        name = told["response_model"] or told["request_model"]
        if name is None:
            continue
        name = name.partition(",")[0]
        row = rows.setdefault(name, ModelFigures(name))
        row.requests += 1
        if told["ttft_ms"] is not None:
            row.first_token_ms.append(told["ttft_ms"])
        if told["output_tokens_per_s"] is not None:
            row.tokens_per_s.append(told["output_tokens_per_s"])
        if told["usage"] is not None:
            row.output_tokens += told["usage"]["output_tokens"] or 0
        if told["cost_usd"] is not None:
            row.cost_usd = (row.cost_usd or 0.0) + told["cost_usd"]
    return sorted(rows.values(), key=lambda row: (-row.requests, row.model))


def table_of(models: Iterable[ModelFigures]) -> Table:
    """For people: a row a model; a dash is what nobody knows."""
    table = Table(
        "model", "requests", "first token", "tokens/s", "tokens", "cost", title="medians by model"
    )
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for row in models:
        first = _median(row.first_token_ms)
        rate = _median(row.tokens_per_s)
        table.add_row(
            row.model,
            str(row.requests),
            "-" if first is None else f"{first:.0f} ms",
            "-" if rate is None else f"{rate:.1f}",
            str(row.output_tokens),
            "-" if row.cost_usd is None else f"${row.cost_usd:.4f}",
        )
    return table


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


_PREFIX: Final = "llm_sidecar_"


def read_metrics(text: str) -> Figures:
    """From the exposition format; unknown families are passed over."""
    figures = Figures()
    own_s: dict[str, float] = {}
    own_count: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX)
            value = sample.value
            if name == "requests_started_total":
                figures.started += int(value)
            elif name == "requests_in_flight":
                figures.in_flight += int(value)
            elif name == "requests_total" and value:
                outcome = sample.labels["outcome"]
                figures.by_outcome[outcome] = figures.by_outcome.get(outcome, 0) + int(value)
            elif name == "overhead_seconds_sum":
                own_s[sample.labels["part"]] = value
            elif name == "overhead_seconds_count":
                own_count[sample.labels["part"]] = value
    means = [
        own_s[part] / own_count[part]
        for part in ("request", "response")
        if own_count.get(part) and part in own_s
    ]
    figures.own_time_s = sum(means) if means else None
    return figures


def line_of(figures: Figures, tally: Tally) -> str:
    """All figures on one line."""
    ok = figures.by_outcome.get("ok", 0)
    failed = {word: n for word, n in figures.by_outcome.items() if word != "ok"}
    words = [f"requests {figures.started}", f"in flight {figures.in_flight}", f"ok {ok}"]
    if failed:
        by_outcome = ", ".join(f"{word} {count}" for word, count in sorted(failed.items()))
        words.append(f"failed {sum(failed.values())} ({by_outcome})")
    first_token_s = tally.first_token_quantile_s(0.5)
    if first_token_s is not None:
        words.append(f"first token p50 {first_token_s * 1000:.0f} ms")
    if figures.own_time_s is not None:
        words.append(f"added by the proxy {figures.own_time_s * 1000:.2f} ms")
    words.append(f"{tally.received_bytes / 1e6:.1f} MB")
    return " · ".join(words)


def summary_of(figures: Figures, tally: Tally) -> str:
    """What the proxy and its callers counted, when all is over."""
    p50_s, p95_s = tally.first_token_quantile_s(0.5), tally.first_token_quantile_s(0.95)
    first_token = (
        "no stream got that far"
        if p50_s is None or p95_s is None
        else f"p50 {p50_s * 1000:.0f} ms, p95 {p95_s * 1000:.0f} ms"
    )
    return "\n".join(
        (
            "summary",
            f"  the proxy counted   {_counts(figures.started, figures.by_outcome)}",
            f"  its callers saw     {_counts(tally.sent, tally.endings)}",
            f"  first token         {first_token}",
            f"  bytes received      {tally.received_bytes}",
        )
    )


def _counts(total: int, parts: Mapping[str, int]) -> str:
    by_part = ", ".join(f"{word} {parts[word]}" for word in sorted(parts))
    return f"{total} requests" + (f": {by_part}" if by_part else "")
