"""docs/metrics.md is the page that is made."""

from __future__ import annotations

from pathlib import Path

from sidecar.telemetry import conventions, names
from sidecar.telemetry.reference import markdown

_DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_in_docs_is_the_one_made_from_the_tables() -> None:
    """Stale? `make docs` writes it."""
    assert _DOCS.read_text(encoding="utf-8") == markdown()


def test_every_name_stands_in_it() -> None:
    page = markdown()
    for family in (*names.FAMILIES, *conventions.FAMILIES):
        assert f"| `{family.name}` | `{family.otlp_name}` |" in page
    for row in (*conventions.ATTRIBUTES, *conventions.EVENTS):
        assert f"| `{row.key}` |" in page
