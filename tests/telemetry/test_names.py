"""The table of metrics: complete, well named, and the source of the page in docs."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import Reason
from sidecar.telemetry import names
from sidecar.telemetry.family import Family, Kind
from sidecar.telemetry.names import FAMILIES


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_says_its_family_its_unit_and_its_kind(family: Family) -> None:
    assert family.name.startswith(names.PREFIX)
    assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
    assert family.unit == "" or f"_{family.unit}" in family.name
    assert bool(family.bounds) == (family.kind is Kind.HISTOGRAM)
    assert set(family.values) <= set(family.labels)
    assert family.help.endswith(".")
    assert "|" not in family.help


def test_names_are_unique() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_overhead_is_measured_from_25_microseconds_to_25_milliseconds_doubling() -> None:
    bounds = names.OVERHEAD.bounds
    assert [f"{bound!r}" for bound in bounds] == [
        *("2.5e-05", "5e-05", "0.0001", "0.0002", "0.0004", "0.0008", "0.0016", "0.0032"),
        *("0.0064", "0.0128", "0.0256"),
    ]


def test_every_reason_is_expected_somewhere() -> None:
    expected = {
        reason
        for upstream in ("openai", names.NO_UPSTREAM)
        for _, reason in names.failures_to_expect(upstream)
    }
    assert expected == set(Reason)


def test_a_request_without_a_route_cannot_fail_at_an_upstream() -> None:
    reasons = {reason for _, reason in names.failures_to_expect(names.NO_UPSTREAM)}
    assert "no_route" in reasons
    assert not reasons & {"connect_failed", "upstream_cut", "http_5xx", "idle_timeout"}


def test_a_chosen_upstream_is_not_blamed_for_what_is_refused_before_a_route() -> None:
    reasons = {reason for _, reason in names.failures_to_expect("openai")}
    assert {"request_too_large", "connect_failed", "client_left"} <= reasons
    assert not reasons & {"no_route", "misdirected_host", "uri_too_long"}
