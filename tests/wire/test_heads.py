"""Heads: names, case, order, values, targets and reason phrases are the sender's own bytes."""

from __future__ import annotations

import pytest

from .caller import Caller, request
from .conftest import Side
from .origin import answer
from .relay import Relay


def _fixed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)


def test_request_heads_go_up_in_name_case_order_and_value(relay: Relay, side: Side) -> None:
    """Only Host changes, and only hop-by-hop headers are missing; nothing is added."""
    target, path = side.script(answer(_fixed(b"")))
    with Caller(relay.data) as caller:
        caller.ask(
            f"POST {target}?a=%2F%41&b=+c&&=&key%20=~!$'()*,;:@ HTTP/1.1\r\n".encode()
            + b"X-First: 1\r\n"
            b"hOsT: localhost:1\r\n"
            b"X-Odd-CASE: One\r\n"
            b"x-odd-case: two, three\r\n"
            b"Cookie: a=b\r\n"
            b'Cookie: c="d"\r\n'
            b"Connection: keep-alive, X-Hop\r\n"
            b"X-Hop: gone\r\n"
            b"Keep-Alive: timeout=5\r\n"
            b"Proxy-Connection: keep-alive\r\n"
            b"TE: trailers\r\n"
            b"X-Latin: caf\xe9 \xff\x80\r\n"
            b"X-Utf8: caf\xc3\xa9\r\n"
            b"X-Empty:\r\n"
            b"X-Inner:  a \t b  \r\n"
            b"X_Under.score~!#$%&'*+-^`|: ok\r\n"
            b"Authorization: Bearer k\r\n"
            b"CONTENT-length: 3\r\n"
            b"\r\nabc"
        )
    seen = side.origin.seen(path)[0]
    assert seen.head == (
        f"POST {path}?a=%2F%41&b=+c&&=&key%20=~!$'()*,;:@ HTTP/1.1\r\n".encode() + b"X-First: 1\r\n"
        b"hOsT: " + side.host + b"\r\n"
        b"X-Odd-CASE: One\r\n"
        b"x-odd-case: two, three\r\n"
        b"Cookie: a=b\r\n"
        b'Cookie: c="d"\r\n'
        b"X-Latin: caf\xe9 \xff\x80\r\n"
        b"X-Utf8: caf\xc3\xa9\r\n"
        b"X-Empty: \r\n"
        b"X-Inner: a \t b\r\n"
        b"X_Under.score~!#$%&'*+-^`|: ok\r\n"
        b"Authorization: Bearer k\r\n"
        b"CONTENT-length: 3\r\n"
        b"\r\n"
    )
    assert bytes(seen.raw_body) == b"abc"


def test_response_heads_come_down_in_name_case_order_and_value(relay: Relay, side: Side) -> None:
    """Neither Date nor Server nor Content-Type is added; a reason phrase keeps its bytes."""
    target, _ = side.script(
        answer(
            b"HTTP/1.1 299 Tr\xe8s  bien\r\n"
            b"X-First: 1\r\n"
            b"set-COOKIE: a=1; Path=/\r\n"
            b"Set-Cookie: b=2\r\n"
            b"Connection: keep-alive, X-Hop\r\n"
            b"X-Hop: gone\r\n"
            b"Keep-Alive: timeout=5\r\n"
            b"Proxy-Authenticate: Basic\r\n"
            b"X-Latin:   caf\xe9 \xff\x80  \r\n"
            b"X-Empty:\r\n"
            b"x-request-id: theirs\r\n"
            b"X-Sidecar-Like: theirs, too\r\n"
            b"Content-LENGTH: 2\r\n"
            b"\r\nhi"
        )
    )
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert got.head == (
        b"HTTP/1.1 299 Tr\xe8s  bien\r\n"
        b"X-First: 1\r\n"
        b"set-COOKIE: a=1; Path=/\r\n"
        b"Set-Cookie: b=2\r\n"
        b"X-Latin: caf\xe9 \xff\x80\r\n"
        b"X-Empty: \r\n"
        b"x-request-id: theirs\r\n"
        b"X-Sidecar-Like: theirs, too\r\n"
        b"Content-LENGTH: 2\r\n"
        b"\r\n"
    )
    assert got.body == b"hi"


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 \r\n", b"HTTP/1.1 200\r\n"])
def test_a_missing_reason_phrase_stays_missing(relay: Relay, side: Side, line: bytes) -> None:
    target, _ = side.script(answer(line + b"Content-Length: 0\r\n\r\n"))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert got.head == b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "tail",
    [
        "",
        "?",
        "??",
        "?a?b=/../c",
        "?x=%00%0d%0a%zz",
        "/%2e%2e/%2F%5C/a%20b",
        "//double//slash/",
        "/./../dots",
        "/a;b=c,d:e@f!$&'()*+=~",
        "/models/gpt-4o:generate",
        '?q=[]{}|^`"<>\\',
    ],
)
def test_targets_go_up_as_they_were_written(relay: Relay, side: Side, tail: str) -> None:
    path = side.origin.script(answer(_fixed(b"")))
    side.origin.at((path + tail).partition("?")[0], answer(_fixed(b"")))
    with Caller(relay.data) as caller:
        got = caller.ask(request(side.prefix + path + tail))
    assert got.status == 200, got.head
    assert [seen.target for seen in side.origin.seen((path + tail).partition("?")[0])] == [
        path + tail
    ]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "OPTIONS", "POST"])
def test_any_method_goes_up_without_a_body_of_ours(relay: Relay, side: Side, method: str) -> None:
    """Not even Content-Length: 0 is made up."""
    target, path = side.script(answer(_fixed(b"{}") + b"{}"))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, method=method))
    assert got.body == b"{}"
    head = f"{method} {path} HTTP/1.1\r\nHost: ".encode() + side.host + b"\r\n\r\n"
    assert side.origin.seen(path)[0].head == head


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n'),
    ],
)
def test_answers_without_a_body_end_with_their_head(
    relay: Relay, side: Side, method: str, head: bytes
) -> None:
    target, _ = side.script(answer(head), answer(_fixed(b"next") + b"next"))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, method=method))
        after = caller.ask(request(target))
    assert got.head == head
    assert after.body == b"next"
