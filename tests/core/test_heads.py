"""Heads: what goes on goes on as it came; what belongs to one hop stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.framing import Framing
from sidecar.core.heads import RequestHead
from sidecar.core.response_heads import ResponseHead

HOST = (b"Host", b"127.0.0.1:8484")


def _request(*headers: tuple[bytes, bytes], minor: int = 1) -> RequestHead:
    return RequestHead("POST", "/v1/x?y=1", minor, headers)


def _up(head: RequestHead) -> list[bytes]:
    message = head.for_upstream("/v1/x?y=1", b"api.example")
    assert message.endswith(b"\r\n\r\n")
    return message[:-4].split(b"\r\n")


def test_the_host_is_replaced_where_it_stood() -> None:
    head = _request((b"A", b"1"), HOST, (b"B", b"2"))
    assert _up(head) == [b"POST /v1/x?y=1 HTTP/1.1", b"A: 1", b"Host: api.example", b"B: 2"]


def test_a_missing_host_is_written() -> None:
    assert _up(_request(minor=0)) == [b"POST /v1/x?y=1 HTTP/1.1", b"Host: api.example"]


def test_headers_of_one_hop_stay() -> None:
    head = _request(
        HOST,
        (b"Connection", b"keep-alive, X-Hop , host"),
        (b"X-Hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"TE", b"trailers"),
        (b"Upgrade", b"websocket"),
        (b"Proxy-Authorization", b"Basic x"),
        (b"Expect", b"100-continue"),
        (b"X-End", b"2"),
    )
    assert _up(head) == [b"POST /v1/x?y=1 HTTP/1.1", b"Host: api.example", b"X-End: 2"]
    assert head.expect == b"100-continue"


def test_hints_for_the_sidecar_are_not_forwarded() -> None:
    head = _request(HOST, (b"X-Sidecar-Timeout-Ms", b"5"), (b"x-sidecar-token", b"t"))
    assert _up(head)[1:] == [b"Host: api.example"]


def test_an_own_key_takes_the_place_of_all_the_callers_credentials() -> None:
    head = _request(
        (b"Authorization", b"Bearer mine"),
        (b"X-Api-Key", b"mine"),
        HOST,
        (b"api-key", b"mine"),
        (b"A", b"1"),
    )
    message = head.for_upstream("/x", b"api.example", (b"authorization", b"Bearer ours"))
    assert b"mine" not in message
    assert message.split(b"\r\n")[1:-2] == [
        b"Host: api.example",
        b"A: 1",
        b"authorization: Bearer ours",
    ]
    assert _up(head)[1] == b"Authorization: Bearer mine", "the head itself is unchanged"


@pytest.mark.parametrize(
    ("header", "framing"),
    [
        ((b"Content-Length", b"5"), Framing.LENGTH),
        ((b"Transfer-Encoding", b"chunked"), Framing.CHUNKED),
        ((b"X", b"y"), Framing.NONE),
    ],
)
def test_the_framing_of_a_request(header: tuple[bytes, bytes], framing: Framing) -> None:
    assert _request(HOST, header).framing is framing


def test_headers_by_name_for_rules() -> None:
    assert _request(HOST, (b"X-Team", b"a"), (b"x-team", b"b")).lower_case()["x-team"] == "b"


_OWN = {b"host", b"connection", b"expect"}
_end_to_end = st.lists(
    st.tuples(
        st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
            lambda name: (
                name.lower() not in _OWN
                and not name.lower().startswith((b"x-sidecar-", b"proxy-"))
                and name.lower()
                not in {b"te", b"trailer", b"upgrade", b"keep-alive", b"content-length"}
            )
        ),
        st.binary(max_size=12).filter(lambda value: not set(value) & set(b"\r\n\0")),
    ),
    max_size=8,
)


@given(_end_to_end, st.integers(0, 8))
def test_all_else_keeps_name_case_order_and_value(
    headers: list[tuple[bytes, bytes]], host_at: int
) -> None:
    host_at = min(host_at, len(headers))
    lines = [name + b": " + value for name, value in headers]
    given_headers = [*headers[:host_at], HOST, *headers[host_at:]]
    expected = [*lines[:host_at], b"Host: api.example", *lines[host_at:]]
    message = _request(*given_headers).for_upstream("/v1/x?y=1", b"api.example")
    assert message.split(b"\r\n", 1)[1] == b"".join(line + b"\r\n" for line in expected) + b"\r\n"

    answer = ResponseHead()
    for name, value in headers:
        answer.add(name, value)
    answer.finish(204, has_body=False)
    down = answer.for_client(speaks_chunked=True, closes=False)
    assert down.split(b"\r\n", 1)[1] == b"".join(line + b"\r\n" for line in lines) + b"\r\n"


WEBSOCKET = (
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Upgrade", b"WebSocket"),
    (b"Sec-WebSocket-Key", b"x"),
)


def test_a_websocket_keeps_the_two_headers_that_ask_for_it() -> None:
    head = RequestHead("GET", "/v1/realtime", 1, (HOST, *WEBSOCKET))
    assert head.wants_websocket
    assert _up(head)[1:] == [
        b"Host: api.example",
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: WebSocket",
        b"Sec-WebSocket-Key: x",
    ]


@pytest.mark.parametrize(
    ("method", "minor", "headers"),
    [
        ("POST", 1, WEBSOCKET),
        ("GET", 0, WEBSOCKET),
        ("GET", 1, (*WEBSOCKET, (b"Content-Length", b"5"))),
        ("GET", 1, (*WEBSOCKET, (b"Transfer-Encoding", b"chunked"))),
        ("GET", 1, WEBSOCKET[1:]),
        ("GET", 1, ((b"Connection", b"upgrade"), (b"Upgrade", b"h2c"))),
        ("GET", 1, ((b"Connection", b"upgrade"), (b"Upgrade", b"websocket, h2c"))),
    ],
)
def test_all_other_upgrades_are_taken_out(
    method: str, minor: int, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    head = RequestHead(method, "/v1/realtime", minor, (HOST, *headers))
    assert not head.wants_websocket
    sent = b"\n".join(_up(head)).lower()
    assert b"upgrade" not in sent
    assert b"connection" not in sent


def test_a_credential_that_was_meant_for_us_is_spent() -> None:
    head = _request(
        (b"X-Api-Key", b"keep"), HOST, (b"AUTHORIZATION", b"Bearer t"), (b"B", b"Bearer t")
    )
    head.spend(b"authorization", b"Bearer t")
    assert head.credentials == [(b"x-api-key", b"keep")]
    assert _up(head)[1:] == [b"X-Api-Key: keep", b"Host: api.example", b"B: Bearer t"]


def test_what_is_said_to_us_is_kept_and_goes_no_further() -> None:
    head = _request(HOST, (b"X-Sidecar-Token", b"t"), (b"x-sidecar-timeout-ms", b"9"))
    assert (head.sidecar_token, head.timeout_ms) == (b"t", b"9")
    assert _up(head)[1:] == [b"Host: api.example"]
    own = _request(HOST, (b"X-Stainless-Read-Timeout", b"600"))
    assert own.read_timeout == b"600"
    assert _up(own)[1:] == [b"Host: api.example", b"X-Stainless-Read-Timeout: 600"]
