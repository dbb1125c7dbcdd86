"""Secrets and URLs from outside, and that nothing of them is ever told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.origin import Origin
from sidecar.core.secret import Secret
from sidecar.settings.kinds import BadValueError, Kind
from sidecar.settings.problems import Place
from sidecar.settings.references import ApiKey, EgressProxy, Url, parse_proxy, resolve
from sidecar.settings.schema import Proxy
from sidecar.settings.tree import Scalar

CANARY = "sk-canary-5e1"


def quoted(text: str) -> Scalar:
    return Scalar(Place("f"), text, is_plain=False)


def test_a_variable_and_a_file_are_filled_in(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    assert resolve("${env:KEY}", {"KEY": CANARY}) == CANARY
    assert resolve(f"${{file:{file}}}", {}) == CANARY
    assert resolve("https://${env:H}:${env:P}/x", {"H": "h", "P": "1"}) == "https://h:1/x"
    assert resolve("plain $HOME {x}", {}) == "plain $HOME {x}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${env:NOPE}", "the environment variable NOPE is not set"),
        ("${env:EMPTY}", "the environment variable EMPTY is empty"),
        ("${file:/nowhere/key}", "cannot read '/nowhere/key': No such file or directory"),
        ("${file:/}", "cannot read '/': Is a directory"),
        ("${file:a\0b}", "a reference is written"),
        ("${KEY}", "a reference is written ${env:NAME} or ${file:/path}"),
        ("${env:}", "a reference is written"),
        ("${env:A B}", "a reference is written"),
        ("${env:KEY", "a reference is written"),
        ("${vault:x}", "a reference is written"),
    ],
)
def test_what_is_missing_is_named(text: str, says: str):
    with pytest.raises(BadValueError, match=re.escape(says)):
        resolve(text, {"EMPTY": "", "KEY": CANARY})


def test_a_file_that_is_empty_or_no_key_at_all_is_refused(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text(" \n")
    with pytest.raises(BadValueError, match="is empty"):
        resolve(f"${{file:{file}}}", {})
    file.write_bytes(b"x" * 70_000)
    with pytest.raises(BadValueError, match="larger than 64 KiB"):
        resolve(f"${{file:{file}}}", {})


def test_a_key_is_a_secret_or_off():
    assert ApiKey({"K": CANARY}).read(quoted("${env:K}")) == Secret(CANARY)
    assert ApiKey({}).read(quoted("off")) is None
    assert ApiKey({}).show(Secret(CANARY)) == "[redacted]"
    assert ApiKey({}).show(None) == "off"


@pytest.mark.parametrize("value", [f"{CANARY}\r\nx: y", f"{CANARY} b", f"{CANARY}é", f"{CANARY}\0"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_told(value: str):
    with pytest.raises(BadValueError) as caught:
        ApiKey({"K": value}).read(quoted("${env:K}"))
    assert CANARY not in str(caught.value)


def test_a_url_may_come_from_a_variable():
    assert Url({"U": "https://h/x/v1"}).read(quoted("${env:U}")) == Origin("https", "h", 443, "/x")
    assert Url({}).show(Origin("https", "h", 443, "/x")) == "https://h/x"


@pytest.mark.parametrize(
    "text", [f"https://u:{CANARY}@h", f"ftp://{CANARY}", f"https://h?{CANARY}"]
)
def test_a_url_that_is_refused_is_not_told(text: str):
    with pytest.raises(BadValueError) as caught:
        Url({"U": text}).read(quoted("${env:U}"))
    assert CANARY not in str(caught.value)


def test_a_proxy_is_env_off_or_a_url():
    kind = EgressProxy({"P": CANARY})
    assert kind.read(quoted("env")) is None
    assert kind.read(quoted("off")) == Proxy(None)
    assert kind.read(quoted("http://p:1")) == Proxy("http://p:1")
    assert kind.read(quoted("http://u:${env:P}@p:1")) == Proxy("http://p:1", Secret(f"u:{CANARY}"))
    assert kind.show(None) == "env"
    assert kind.show(Proxy(None)) == "off"
    assert kind.show(Proxy("http://p:1")) == "http://p:1"
    assert kind.show(Proxy("http://p:1", Secret("u:x"))) == "http://[redacted]@p:1"


def test_a_proxys_password_is_percent_decoded():
    assert parse_proxy("http://u:p%40w@p:1").credentials == Secret("u:p@w")
    assert parse_proxy("http://u@p:1/").credentials == Secret("u")
    assert parse_proxy("http://@p:1").credentials is None


@pytest.mark.parametrize(
    "text", ["p:1", f"socks5://{CANARY}@p", "https://p", f"http://{CANARY}@", "http://p:1/x", "http://p:x"]
)  # fmt: skip
def test_other_proxies_are_refused_and_not_told(text: str):
    with pytest.raises(BadValueError) as caught:
        parse_proxy(text)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("kind", [ApiKey({}), Url({}), EgressProxy({})])
def test_each_of_these_kinds_has_a_json_schema(kind: Kind[Any]):
    assert {"type", "anyOf"} & set(kind.json_schema())


@given(st.text(max_size=40))
def test_no_text_makes_it_fail_otherwise(text: str):
    for kind in (ApiKey({"A": text}), Url({"A": text}), EgressProxy({"A": text})):
        for written in (text, "${env:A}", "http://${env:A}"):
            try:
                kind.read(quoted(written))
            except BadValueError:
                continue
