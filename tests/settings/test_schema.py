"""The schema's defaults are those that the documentation promises."""

from __future__ import annotations

import dataclasses

from sidecar.core.address import Address
from sidecar.policies import pool, timeouts
from sidecar.settings.schema import Admin, Listen, Settings, Tls, Upstream
from sidecar.settings.telemetry import Log


def test_both_ports_stay_on_this_machine():
    assert Listen().address == Address("127.0.0.1", 8484)
    assert Admin().address == Address("127.0.0.1", 8486)
    assert Listen().allowed_hosts == ("localhost", "127.0.0.1", "::1")


def test_nothing_is_limited_unless_asked_for():
    assert Listen().max_request_body_bytes is None
    assert timeouts.Rule().total_s is None
    assert timeouts.Rule() == timeouts.Rule(5, 600, 600, None)
    assert pool.Rule() == pool.Rule(100, 30, 600, 60)


def test_certificates_are_verified_and_logs_are_json():
    assert Tls() == Tls(None, None, None, verify=True)
    assert Log() == Log("json", "info")


def test_no_part_can_be_changed_after_load():
    for block in (Listen, Admin, Tls, Log, Upstream, Settings, pool.Rule, timeouts.Rule):
        assert dataclasses.fields(block)
        assert block.__dataclass_params__.frozen  # type: ignore[attr-defined]  # set by dataclass
