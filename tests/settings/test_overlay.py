"""What stands above the file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.core.address import Address
from sidecar.core.origin import Origin
from sidecar.settings.overlay import name_of
from sidecar.settings.schema import Settings

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]


def test_set_stands_above_the_variable_that_above_the_file_that_above_the_default(load_text: Load):
    text, env = "listen: {address: 127.0.0.1:1}", {"SIDECAR_LISTEN": "127.0.0.1:2"}
    sets = ["listen.address=127.0.0.1:3"]
    assert load_text("{}").listen.address.port == 8484
    assert load_text(text).listen.address.port == 1
    assert load_text(text, env=env).listen.address.port == 2
    assert load_text(text, env=env, sets=sets).listen.address.port == 3


def test_each_variable_sets_its_key(load_text: Load):
    env = {
        "SIDECAR_LISTEN": "[::1]:1",
        "SIDECAR_ADMIN": "localhost:2",
        "SIDECAR_ALLOWED_HOSTS": "sidecar.example, Localhost ,",
    }
    settings = load_text("{}", env=env)
    assert settings.listen.address == Address("::1", 1)
    assert settings.admin.address == Address("localhost", 2)
    assert settings.listen.allowed_hosts == ("sidecar.example", "localhost")


def test_any_host_may_be_allowed_and_an_empty_variable_is_none(load_text: Load):
    assert load_text("{}", env={"SIDECAR_ALLOWED_HOSTS": "off"}).listen.allowed_hosts is None
    assert load_text("{}", env={"SIDECAR_LISTEN": ""}).listen.address.port == 8484


def test_a_wrong_variable_is_told_by_its_name(wrong: Wrong):
    assert wrong("{}", env={"SIDECAR_ADMIN": "canary"}) == [
        "SIDECAR_ADMIN: admin.address: an address is host:port, for example 127.0.0.1:8484"
    ]
    assert wrong("{}", env={"SIDECAR_ALLOWED_HOSTS": "a:1"}) == [
        "SIDECAR_ALLOWED_HOSTS: listen.allowed_hosts.0:"
        " expected a host name without scheme or port (any port is allowed)"
    ]


def test_set_takes_yaml_and_makes_blocks_that_are_not_there(load_text: Load):
    sets = [
        "upstreams.openai.timeouts.idle=off",
        "listen.allowed_hosts=[a, b]",
        "telemetry.log.format=text",
        "listen.address=[::1]:8484",
        "upstreams.gw={url: 'https://h'}",
    ]
    settings = load_text("{}", sets=sets)
    assert [u.name for u in settings.upstreams] == ["openai", "gw"]
    assert settings.upstreams[0].timeouts.idle_s is None
    assert settings.listen.allowed_hosts == ("a", "b")
    assert settings.telemetry.log.format == "text"
    assert settings.listen.address == Address("::1", 8484)


def test_set_reaches_into_lists_and_the_later_one_counts(load_text: Load):
    text = "routes: [{to: openai}, {to: groq}]"
    settings = load_text(text, sets=["routes.1.to=xai", "routes.1.to=cohere"])
    assert [route.to for route in settings.routes] == ["openai", "cohere"]


def test_setting_nothing_is_null(load_text: Load):
    assert load_text("{}", sets=["listen.max_request_body="]).listen.max_request_body_bytes is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("listen.adress=x", "--set: listen.adress: unknown key; did you mean 'address'?"),
        ("nonsense", "--set: is written --set path=value, for example listen.address=:8484"),
        ("=x", "--set: is written --set path=value, for example listen.address=:8484"),
        ("a..b=x", "--set: is written --set path=value, for example listen.address=:8484"),
        ("routes.5.to=x", "--set: routes.5.to: there is no such entry in the list"),
        ("routes.x.to=x", "--set: routes.x.to: there is no such entry in the list"),
        ("version=9", "--set: version: expected 1"),
        ("defaults.proxy=${env:X}", "--set: defaults.proxy: the environment variable X is not set"),
    ],
)  # fmt: skip
def test_a_wrong_set_is_told_with_its_path(wrong: Wrong, text: str, says: str):
    assert wrong("routes: [{to: openai}]", sets=[text]) == [says]


def test_a_wrong_block_in_the_file_is_not_hidden_by_what_is_set_in_it(wrong: Wrong):
    [problem] = wrong("listen: 5", sets=["listen.address=:1"])
    assert problem == "1:9: listen: expected a block of keys, found a number"


def test_to_is_everything_to_one_url(load_text: Load):
    text = "upstreams: {groq: {api_key: '${env:NOPE}'}}\nroutes: [{to: groq}]"
    settings = load_text(text, to="https://api.openai.com/v1")
    assert [u.name for u in settings.upstreams] == ["openai"]
    assert settings.routes == ()


def test_to_keeps_the_defaults_and_takes_sets(load_text: Load):
    settings = load_text(
        "defaults: {timeouts: {idle: 9s}}",
        to="http://127.0.0.1:8488",
        sets=["upstreams.default.timeouts.connect=1s"],
    )
    [upstream] = settings.upstreams
    assert upstream.url == Origin("http", "127.0.0.1", 8488)
    assert (upstream.timeouts.idle_s, upstream.timeouts.connect_s) == (9, 1)
    assert upstream.provider is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.anthropic.com/v1", "anthropic"),
        ("http://api.openai.com:8080", "openai"),
        ("http://127.0.0.1:11434", "ollama"),
        ("http://127.0.0.1:8488", "default"),
        ("https://h.example", "default"),
        ("no url", "default"),
    ],
)
def test_the_one_upstream_is_named_by_its_host(url: str, name: str):
    assert name_of(url) == name


def test_to_must_be_a_url(wrong: Wrong):
    assert wrong("{}", to="canary") == [
        "--to: upstreams.default.url: a URL begins with http:// or https://"
    ]
