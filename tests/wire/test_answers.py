"""What providers do around an answer (T52-T61, T84): early, odd, bodiless, and what comes next."""

from __future__ import annotations

import itertools

import pytest

from .caller import LAST_CHUNK, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import answer, at_once, fin, read_bytes, rst, send, sleep, until_left
from .relay import Relay

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
numbers = itertools.count(1)


def new_id() -> tuple[str, bytes]:
    request_id = f"answer-{next(numbers)}"
    return request_id, b"X-Request-ID: " + request_id.encode()


def test_t52_a_reset_after_the_request_is_told_and_not_repeated(relay: Relay, side: Side) -> None:
    target, path = side.script(answer(rst), answer(OK))
    request_id, line = new_id()
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", line))
    assert (got.status, got.header(b"x-sidecar-error")) == (502, b"upstream_reset")
    assert len(side.origin.seen(path)) == 1
    assert relay.record(request_id)["outcome"] == "connect_failed"


@pytest.mark.parametrize("status", [401, 413, 429, 503])
def test_t59_an_early_answer_arrives_whole_and_ends_the_upload(
    relay: Relay, side: Side, status: int
) -> None:
    body = b"early " * 1000
    head = b"HTTP/1.1 %d Early\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    target, path = side.script(at_once(read_bytes(100_000), send(head + body), until_left))
    request_id, line = new_id()
    size = 50_000_000
    with Caller(relay.data) as caller:
        message = request(target, None, line, b"Content-Length: %d" % size, method="POST")
        caller.send(message + b"a" * 200_000)
        got = caller.answer()
        assert (got.status, got.body, got.end) == (status, body, End.WHOLE)
        assert got.header(b"connection") == b"close"
        assert got.header(b"x-sidecar-error") is None
    record = relay.record(request_id)
    assert record["upstream_status"] == status
    assert record["request_bytes"] < size
    assert len(record["attempts"]) == 1
    [seen] = side.origin.seen(path)
    assert eventually(lambda: seen.left_at is not None), "the upload was stopped"


def test_t59_a_caller_that_goes_on_sending_still_gets_it(relay: Relay, plain: Side) -> None:
    """Closing with unread bytes would reset the connection, and the answer would be lost."""
    target, _ = plain.script(at_once(send(OK.replace(b"200 OK", b"413 Large")), until_left))
    for _ in range(20):
        with Caller(relay.data) as caller:
            caller.send(request(target, None, b"Content-Length: 5000000", method="POST"))
            for _ in range(10):
                caller.send(b"a" * 30_000)
            assert caller.answer().status == 413


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize(
    "extra", [b"", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_t60_after_an_answer_without_a_body_the_connection_goes_on(
    relay: Relay, plain: Side, status: bytes, extra: bytes
) -> None:
    target, _ = plain.script(answer(b"HTTP/1.1 " + status + b"\r\n" + extra + b"\r\n", sleep(0.05)))
    good, _ = plain.script(answer(OK))
    with Caller(relay.data) as caller:
        assert caller.ask(request(target)).status == int(status[:3])
        assert caller.ask(request(good)).body == b"ok"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_t60_so_it_does_after_head_and_options(relay: Relay, side: Side, method: str) -> None:
    body = b"" if method == "HEAD" else b"ok"
    target, path = side.script(
        answer(b"HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 2\r\n\r\n" + body)
    )
    with Caller(relay.data) as caller:
        for _ in range(2):
            got = caller.ask(request(target, method=method))
            assert (got.status, got.body) == (200, body)
            assert got.header(b"content-length") == b"2"
            assert got.header(b"allow") == b"GET"
    assert next(seen.connection for seen in side.origin.seen(path))


def test_t58_what_comes_after_an_answer_is_dropped_with_its_connection(
    relay: Relay, side: Side
) -> None:
    target, path = side.script(answer(OK + OK.replace(b"ok", b"no")))
    with Caller(relay.data) as caller:
        for _ in range(3):
            assert caller.ask(request(target)).body == b"ok"
    connections = [seen.connection for seen in side.origin.seen(path)]
    assert len(set(connections)) == 3, "none of them was used again"


def test_t84_trailers_are_dropped_and_reach_no_later_answer(relay: Relay, side: Side) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
    target, path = side.script(
        answer(head + chunk(b"ok") + b"0\r\nX-T: 1\r\nSet-Cookie: a\r\n\r\n")
    )
    with Caller(relay.data) as caller:
        for _ in range(2):
            got = caller.ask(request(target))
            assert (got.body, got.end) == (b"ok", End.WHOLE)
            assert got.header(b"x-t") is None
    assert len(side.origin.seen(path)) == 2


def test_t84_a_megabyte_of_trailers_is_no_end(relay: Relay, plain: Side) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"".join(b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(1024))
    target, _ = plain.script(answer(head + chunk(b"ok") + b"0\r\n" + trailers + b"\r\n", fin))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert (got.body, got.end) == (b"ok", End.FIN)


def test_t57_a_reason_phrase_brings_no_header(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(
        answer(b"HTTP/1.1 200 OK\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n", fin)
    )
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert got.status == 502
    assert b"evil" not in got.head.lower()


def test_t17_who_waits_to_be_asked_for_a_body_is_asked_once(relay: Relay, side: Side) -> None:
    target, path = side.script(answer(OK))
    with Caller(relay.data) as caller:
        caller.send(
            request(target, None, b"Expect: 100-continue", b"Content-Length: 4", method="POST")
        )
        assert caller.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.send(b"body")
        assert caller.answer().body == b"ok"
    [seen] = side.origin.seen(path)
    assert seen.body == b"body"
    assert seen.header(b"expect") is None


def test_t20_a_hundred_pipelined_requests_are_answered_in_order(relay: Relay, plain: Side) -> None:
    targets = [plain.script(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d" % n))[0]
               for n in range(100)]  # fmt: skip
    with Caller(relay.data) as caller:
        caller.send(b"".join(request(target) for target in targets))
        assert [caller.answer().body for _ in targets] == [b"%03d" % n for n in range(100)]


def test_a_stream_that_begins_before_the_upload_ends_goes_both_ways(
    relay: Relay, side: Side
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    target, path = side.script(
        at_once(send(head + chunk(b"early")), read_bytes(5), send(chunk(b"late") + LAST_CHUNK), fin)
    )
    with Caller(relay.data) as caller:
        # Too long to be read first: it streams.
        caller.send(request(target, None, b"Content-Length: 5000000", method="POST"))
        caller.read_until(b"early")
        caller.send(b"hello")
        got = caller.answer()
        assert (got.body, got.end) == (b"earlylate", End.WHOLE)
    assert side.origin.seen(path)[0].body == b"hello"
