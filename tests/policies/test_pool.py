"""Which connections are used again."""

from __future__ import annotations

from sidecar.policies.pool import Rule


def test_a_connection_is_too_old_from_its_max_age_on() -> None:
    rule = Rule(max_age_s=10)
    assert not rule.is_too_old(100.0, 109.9)
    assert rule.is_too_old(100.0, 110.0)


def test_without_a_limit_no_connection_is_too_old() -> None:
    assert not Rule(max_age_s=None).is_too_old(0.0, 1e9)
