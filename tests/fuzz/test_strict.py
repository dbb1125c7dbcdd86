"""The merciless reader: what is whole, what is a part, what is broken."""

from __future__ import annotations

import pytest

from tests.fuzz.strict import Message, State, read_answer, read_request

OK = b"HTTP/1.1 200 OK\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
REQUESTS = [
    (b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    (POST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    (POST + CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
]
ANSWERS = [
    (OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    (OK + CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", b""),
    (b"HTTP/1.1 204 \r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
]


def _is(message: Message, state: State, body: bytes) -> bool:
    return (message.state, message.body) == (state, body)


@pytest.mark.parametrize(("data", "body"), REQUESTS, ids=range(len(REQUESTS)))
def test_a_request_is_whole_at_its_last_byte_and_not_before(data: bytes, body: bytes) -> None:
    for cut in range(len(data)):
        assert read_request(data[:cut]).state is State.PART
    message = read_request(b"??" + data + b"GET", 2)
    assert _is(message, State.WHOLE, body)
    assert message.end == 2 + len(data)


@pytest.mark.parametrize(("data", "body"), ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_is_whole_at_its_last_byte_and_not_before(data: bytes, body: bytes) -> None:
    for cut in range(len(data)):
        part = read_answer(data[:cut], has_ended=True)
        assert part.state is State.PART
        assert body.startswith(part.body)
    message = read_answer(data + b"HTTP")
    assert _is(message, State.WHOLE, body)
    assert message.end == len(data)


def test_without_a_framing_only_the_end_of_the_connection_makes_an_answer_whole() -> None:
    assert _is(read_answer(OK + b"\r\nabc"), State.PART, b"abc")
    assert _is(read_answer(OK + b"\r\nabc", has_ended=True), State.WHOLE, b"abc")
    assert _is(read_answer(OK + b"\r\n", is_head=True), State.WHOLE, b"")


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Length: 3\r\n" + CHUNKED + b"0\r\n\r\n",
        OK + b"Content-Length: +3\r\n\r\nabc",
        OK + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        OK + CHUNKED + b"2\r\nabc\r\n",
        OK + CHUNKED + b"2 \r\nab\r\n",
        OK + CHUNKED + b"-2\r\nab\r\n",
        OK + CHUNKED + b"2;x=y\r\nab\r\n",
        OK + CHUNKED + b"0\r\nX: trailer\r\n\r\n",
        OK + b"X: a\r\n folded\r\n\r\n",
        OK + b"X : a\r\n\r\n",
        OK + b"X: \0\r\n\r\n",
        b"HTTP/1.1 200 O\0K\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"\r\n" + OK + b"Content-Length: 0\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_is_broken(data: bytes) -> None:
    assert read_answer(data).state is State.BROKEN


def test_a_provider_may_send_what_a_relay_may_not() -> None:
    data = b"\r\n" + OK + CHUNKED + b"2;x=y\r\nab\r\n0\r\nX: trailer\r\n\r\n"
    assert _is(read_answer(data, is_plain=False), State.WHOLE, b"ab")


@pytest.mark.parametrize(
    "data", [b"GET /x HTTP/1.1\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"]
)
def test_a_request_names_one_host(data: bytes) -> None:
    assert read_request(data).state is State.BROKEN
