"""The table of the conventions holds together."""

from __future__ import annotations

from sidecar.telemetry import conventions as c
from sidecar.telemetry.family import Kind


def test_bounds_are_those_of_the_conventions() -> None:
    assert [round(bound, 2) for bound in c.OPERATION_DURATION.bounds] == [
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    ]
    assert c.TOKEN_USAGE.bounds[:4] == (1, 4, 16, 64)
    assert c.TOKEN_USAGE.bounds[-1] == 67108864
    assert c.SERVER_DURATION.bounds[:3] == (0.005, 0.01, 0.025)


def test_all_are_histograms_with_names_of_their_namespace() -> None:
    for family in c.FAMILIES:
        assert family.kind is Kind.HISTOGRAM
        assert family.otlp_name.startswith(("gen_ai.", "http."))
        assert family.help.endswith(".")


def test_every_attribute_stands_once() -> None:
    for rows in (c.ATTRIBUTES, c.EVENTS):
        keys = [row.key for row in rows]
        assert len(set(keys)) == len(keys)
