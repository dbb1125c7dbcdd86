"""URLs of upstreams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.origin import (
    BadUrlError,
    Origin,
    is_loopback_host,
    parse_origin,
    split_authority,
)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://api.openai.com", Origin("https", "api.openai.com", 443)),
        ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443)),
        ("https://api.openai.com/v1/", Origin("https", "api.openai.com", 443)),
        ("https://g.example/v1beta", Origin("https", "g.example", 443)),
        ("HTTP://Host.Example:8080/a/b", Origin("http", "host.example", 8080, "/a/b")),
        ("https://acme.example/openai/v1", Origin("https", "acme.example", 443, "/openai")),
        ("http://[::1]:8080", Origin("http", "::1", 8080)),
        ("http://[::1]", Origin("http", "::1", 80)),
        ("https://api.example.com.", Origin("https", "api.example.com.", 443)),
        ("http://" + "a" * 63 + ".b", Origin("http", "a" * 63 + ".b", 80)),
    ],
)
def test_a_url_is_an_origin_and_a_base_path_without_the_version(text: str, origin: Origin):
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.openai.com",
        "ftp://h",
        "https://",
        "https:///path",
        "https://user:pw@h",
        "https://h?x=1",
        "https://h/#f",
        "https://h:0",
        "https://h:65536",
        "https://h:x",
        "https://[::1",
        "https://[::1]x",
        "https://api..example.com",
        "https://.example.com",
        "https://h..",
        "https://.",
        "https://" + "a" * 64 + ".example",
        "https://h h",
        "https://h\\x",
        "https://hé",
    ],
)
def test_anything_else_is_refused_without_being_repeated(text: str):
    with pytest.raises(BadUrlError) as caught:
        parse_origin(text)
    assert len(text) < 9 or text not in str(caught.value)


def test_the_authority_names_the_port_only_where_it_is_not_the_schemes_own():
    assert parse_origin("https://h:443").authority == "h"
    assert parse_origin("https://h:8443").authority == "h:8443"
    assert parse_origin("http://[::1]:80").authority == "[::1]"
    assert parse_origin("http://[::1]:81").authority == "[::1]:81"


@pytest.mark.parametrize("text", ["https://h.example/base", "http://[::1]:81", "https://h:444/a/b"])
def test_an_origin_reads_as_the_url_it_came_from(text: str):
    assert str(parse_origin(text)) == text


def test_loopback_is_known_by_name_and_number():
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]"):
        assert parse_origin(f"http://{host}:1").is_loopback
    assert not parse_origin("http://10.0.0.1").is_loopback


def test_only_https_is_tls():
    assert parse_origin("https://h").is_tls
    assert not parse_origin("http://h").is_tls


def test_an_authority_without_a_port_has_none():
    assert split_authority("h") == ("h", None)
    assert split_authority("[::1]") == ("::1", None)
    assert split_authority("[::1]:9") == ("::1", 9)


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_otherwise(text: str):
    for candidate in (text, f"http://{text}"):
        try:
            parsed = parse_origin(candidate)
        except BadUrlError:
            continue
        assert parse_origin(f"{parsed.scheme}://{parsed.authority}").host == parsed.host


def test_only_addresses_of_this_machine_are_loopback() -> None:
    assert is_loopback_host("127.0.0.53")
    assert is_loopback_host("::1")
    assert not is_loopback_host("127.evil.example")
    assert not is_loopback_host("127.0.0.1.evil.example")
