"""The text of docs/metrics.md, made of the tables.

Knows: how rows read as Markdown.
Must not know: what any of them means.
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.telemetry import conventions, names
from sidecar.telemetry.family import Family


def markdown() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Metrics and traces",
            "",
            "Made from `sidecar/telemetry/names.py` and `conventions.py` by `make docs`; a test"
            " compares the two.",
            "",
            "## Our own metrics",
            "",
            "Served at `/metrics` on the admin port (and on `scrape.address`), as Prometheus text"
            " or OpenMetrics with exemplars; sent over OTLP with `telemetry.metrics.export: otlp`.",
            "",
            *_families(names.FAMILIES),
            "",
            "`upstream` is the configured name, or `none` where no route was reached: on"
            " `requests_started`, `requests` and `requests_in_flight` the route's first choice, on"
            " all others the one that served. `model` is what a good answer named, at most"
            " `telemetry.metrics.models_max` of them, the rest is `other`; `none` where there is no"
            " model. Counters are there, at 0, from the start. A configured label is `none` where"
            " the caller says nothing, and `other` where it is not let in; those marked + bear it.",
            "",
            "### Label values",
            "",
            "| Metric | Label | Values |",
            "|---|---|---|",
            *(
                f"| `{row.name}` | `{label}` | {' '.join(f'`{v}`' for v in values)} |"
                for row in names.FAMILIES
                for label, values in row.values.items()
            ),
            "",
            "### Bucket bounds",
            "",
            *_bounds(names.FAMILIES),
            "",
            "## Metrics of the semantic conventions",
            "",
            f"Version 1.41 ({conventions.SCHEMA_URL}), sent over OTLP; served at `/metrics`, too,"
            " with `telemetry.metrics.semconv: both`. Usage is never estimated here.",
            "",
            *_families(conventions.FAMILIES),
            "",
            *_bounds(conventions.FAMILIES),
            "",
            "## Spans",
            "",
            "| Name | Kind | Covers |",
            "|---|---|---|",
            *(f"| {name} | {kind} | {covers} |" for name, kind, covers in conventions.SPANS),
            "",
            "### Attributes",
            "",
            *_said(conventions.ATTRIBUTES),
            "",
            "### Events",
            "",
            *_said(conventions.EVENTS),
            "",
        ]
    )


def _families(rows: Iterable[Family]) -> Iterable[str]:
    yield "| Name | Over OTLP | Type | Unit | Labels | Meaning |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        labels = ", ".join(f"`{label}`" for label in row.labels) or "-"
        labels += " +" if row.takes_labels else ""
        unit = row.otlp_unit or "-"
        yield (
            f"| `{row.name}` | `{row.otlp_name}` | {row.kind} | {unit} | {labels} | {row.help} |"
        )


def _bounds(rows: Iterable[Family]) -> Iterable[str]:
    yield "| Metric | Bounds |"
    yield "|---|---|"
    for row in rows:
        if row.bounds:
            yield f"| `{row.name}` | {' '.join(f'{bound:g}' for bound in row.bounds)} |"


def _said(rows: Iterable[conventions.Said]) -> Iterable[str]:
    yield "| Name | On | Meaning | Defined by |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| `{row.key}` | {row.spans} | {row.meaning or '-'} | {row.source} |"
