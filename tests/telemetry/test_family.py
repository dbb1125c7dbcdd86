"""Names on both exits."""

from __future__ import annotations

import re

import pytest

from sidecar.telemetry import conventions, names
from sidecar.telemetry.family import Family, Kind

ALL = (*names.FAMILIES, *conventions.FAMILIES)


def _translated(family: Family) -> str:
    """As a collector turns an OTLP name into one of Prometheus (the specification's rules)."""
    name = re.sub(r"[^a-zA-Z0-9_:]+", "_", family.otlp_name)
    unit = {"s": "_seconds", "By": "_bytes"}.get(family.otlp_unit, "")
    return name + unit + ("_total" if family.kind is Kind.COUNTER else "")


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_a_collector_makes_the_scraped_name_of_the_sent_one(family: Family) -> None:
    assert _translated(family) == family.name


def test_no_two_share_a_name() -> None:
    assert len({family.otlp_name for family in ALL}) == len(ALL)
