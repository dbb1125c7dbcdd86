"""Who may be addressed here."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import Reason
from sidecar.policies.hosts import refuse

LOCAL = ("localhost", "127.0.0.1", "::1")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8484", "LOCALHOST.", "127.0.0.1:1", "[::1]", "[::1]:8484", None],
)
def test_a_name_of_this_machine_may_pass_whatever_its_port(host: str | None) -> None:
    assert refuse(host, None, LOCAL) is None


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "my_host:80"])
def test_any_other_name_is_misdirected(host: str) -> None:
    refusal = refuse(host, None, LOCAL)
    assert refusal is not None
    assert refusal.reason is Reason.MISDIRECTED_HOST
    assert "allowed_hosts" in refusal.message


@pytest.mark.parametrize(
    "host",
    ["", "a@b", "x:1:2", "x:", "localhost:0", "localhost/x", "local host", "[", "::1", "h\xf6st"],
)
def test_what_is_no_name_is_no_host(host: str) -> None:
    refusal = refuse(host, None, LOCAL)
    assert refusal is not None
    assert refusal.reason is Reason.BAD_REQUEST


def test_a_hostile_name_is_not_echoed() -> None:
    refusal = refuse('"><script>', None, LOCAL)
    assert refusal is not None
    assert "script" not in refusal.message


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost.evil.example"]
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    refusal = refuse("localhost", origin, LOCAL)
    assert refusal is not None
    assert refusal.reason is Reason.ORIGIN_FORBIDDEN


def test_a_page_of_an_allowed_origin_may_pass() -> None:
    assert refuse("localhost:8484", "http://localhost:3000", LOCAL) is None


def test_off_lets_everybody_pass() -> None:
    assert refuse("evil.example", "http://evil.example", None) is None
