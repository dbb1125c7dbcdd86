"""The environment's proxies are those that the standard library would take."""

from __future__ import annotations

import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.origin import Origin, parse_origin
from sidecar.core.secret import Secret
from sidecar.settings.problems import ConfigError, Problems
from sidecar.settings.proxies import DIRECT, Environment
from sidecar.settings.schema import Proxy

HTTPS = parse_origin("https://api.example.com")
HTTP = parse_origin("http://api.example.com")


def chosen(env: dict[str, str], origin: Origin = HTTPS) -> Proxy:
    problems = Problems()
    proxy = Environment(env, problems).proxy_for(origin)
    problems.raise_if_any()
    return proxy


def test_without_variables_nothing_is_between():
    assert chosen({}) == DIRECT


def test_the_scheme_of_the_upstream_chooses_the_variable():
    env = {"HTTPS_PROXY": "http://s:1", "HTTP_PROXY": "http://p:1"}
    assert chosen(env, HTTPS) == Proxy("http://s:1")
    assert chosen(env, HTTP) == Proxy("http://p:1")


def test_lower_case_wins_and_an_empty_one_unsets():
    assert chosen({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}) == Proxy("http://b:1")
    assert chosen({"HTTPS_PROXY": "http://a:1", "https_proxy": ""}) == DIRECT
    assert chosen({"HTTPS_PROXY": ""}) == DIRECT


def test_under_cgi_the_upper_case_name_is_a_header_of_the_caller():
    assert chosen({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}, HTTP) == DIRECT


def test_the_scheme_may_be_left_out_and_a_password_is_kept_apart():
    assert chosen({"HTTPS_PROXY": "u:p@h:3128"}) == Proxy("http://h:3128", Secret("u:p"))


@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [
        ("*", True),
        ("api.example.com", True),
        (".example.com", True),
        ("example.com", True),
        ("a.b, example.com", True),
        ("EXAMPLE.com", True),
        ("api.example.com:443", True),
        ("api.example.com:444", False),
        ("ample.com", False),
        ("other.com", False),
        ("", False),
        (",", False),
    ],
)
def test_no_proxy_exempts_hosts_and_their_subdomains(no_proxy: str, is_direct: bool):
    env = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": no_proxy}
    assert (chosen(env) == DIRECT) is is_direct


@given(
    st.lists(st.sampled_from(["a.b", ".b", "b", "c.a.b", "a.b:443", "*", " ", "A.B"]), max_size=3),
    st.sampled_from(["a.b", "c.a.b", "b", "xb", "a.c"]),
)
def test_no_proxy_means_what_the_standard_library_takes_it_for(entries: list[str], host: str):
    no_proxy = ",".join(entries)
    expected = bool(urllib.request.proxy_bypass_environment(f"{host}:443", {"no": no_proxy}))
    env = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": no_proxy}
    assert (chosen(env, parse_origin(f"https://{host}")) == DIRECT) is expected


def test_a_proxy_that_cannot_be_used_is_told_once_by_the_name_of_its_variable():
    problems = Problems()
    environment = Environment({"HTTPS_PROXY": "socks5://u:canary@h"}, problems)
    assert environment.proxy_for(HTTPS) == environment.proxy_for(HTTPS) == DIRECT
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith("HTTPS_PROXY: only http:// proxies")
    assert "canary" not in str(caught.value)


def test_and_is_not_told_where_nobody_needs_it():
    problems = Problems()
    Environment({"HTTP_PROXY": "socks5://h"}, problems).proxy_for(HTTPS)
    problems.raise_if_any()
