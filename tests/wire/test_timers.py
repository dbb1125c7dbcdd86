"""The limits of an upstream: each fires within -0/+500 ms, and shows as what it is.

Limits are set short here; what is tested is when and how they end an exchange.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from .caller import Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import answer, send_many, sleep, until_left
from .relay import LOOPS, Relay

_SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHAT = "/v1/chat/completions"
_LIMIT_S = 0.4
_TOTAL_S = 1.2
_LATE_S = 0.5
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=LOOPS)
def hasty(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Relay]:
    """A relay whose one upstream must answer quickly."""
    limits = f"connect: 1s, first_byte: {_LIMIT_S}s, idle: {_LIMIT_S}s, total: {_TOTAL_S}s"
    relay = Relay(
        tmp_path_factory.mktemp("hasty"),
        f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}",'
        f" timeouts: {{{limits}}}}}\n",
        request.param,
    )
    yield relay
    relay.assert_settled()
    assert relay.stop() == 0


def _ask(target: str) -> tuple[str, bytes]:
    request_id = f"timer-test-{next(_numbers)}"
    return request_id, request(target, b"{}", b"X-Request-ID: " + request_id.encode())


def test_t51_a_provider_that_says_nothing_is_a_504(hasty: Relay, plain: Side) -> None:
    target, path = plain.script(answer(until_left))
    request_id, message = _ask(target)
    with Caller(hasty.data) as caller:
        began = time.monotonic()
        got = caller.ask(message)
        took_s = time.monotonic() - began
    assert got.status == 504
    assert got.header(b"x-sidecar-error") == b"first_byte_timeout"
    assert _LIMIT_S <= took_s <= _LIMIT_S + _LATE_S
    assert hasty.record(request_id)["outcome"] == "timeout"
    assert len(plain.origin.seen(path)) == 1
    assert eventually(lambda: plain.origin.seen(path)[0].left_at is not None)


def test_t75_a_provider_that_falls_silent_is_cut(hasty: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(_SSE + chunk(b"data: 1\n\n"), until_left), end=_CHAT)
    request_id, message = _ask(target)
    with Caller(hasty.data) as caller:
        began = time.monotonic()
        got = caller.ask(message)
        took_s = time.monotonic() - began
    assert (got.body, got.end) == (b"data: 1\n\n", End.FIN)
    assert _LIMIT_S <= took_s <= _LIMIT_S + _LATE_S
    record = hasty.record(request_id)
    assert (record["outcome"], record["reason"]) == ("timeout", "idle_timeout")


def test_comments_count_as_life(hasty: Relay, plain: Side) -> None:
    beats = send_many([chunk(b": keep-alive\n\n")] * 4, gap_s=0.2)
    last = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    target, _ = plain.script(answer(_SSE, beats, last), end=_CHAT)
    request_id, message = _ask(target)
    with Caller(hasty.data) as caller:
        assert caller.ask(message).end is End.WHOLE
    assert hasty.record(request_id)["outcome"] == "ok"


def test_t85_a_stream_that_goes_on_for_too_long_is_cut(hasty: Relay, plain: Side) -> None:
    beats = send_many([chunk(b"data: 1\n\n")] * 30, gap_s=0.1)
    target, _ = plain.script(answer(_SSE, beats, until_left), end=_CHAT)
    request_id, message = _ask(target)
    with Caller(hasty.data) as caller:
        began = time.monotonic()
        got = caller.ask(message)
        took_s = time.monotonic() - began
    assert got.end is End.FIN
    assert _TOTAL_S <= took_s <= _TOTAL_S + _LATE_S
    record = hasty.record(request_id)
    assert (record["outcome"], record["reason"]) == ("timeout", "deadline_exceeded")


def test_a_caller_that_reads_slowly_is_not_a_silent_provider(hasty: Relay, plain: Side) -> None:
    """The relay holds the provider back meanwhile; its silence is ours."""
    body = b"a" * (8 << 20)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    target, _ = plain.script(answer(head + body))
    request_id, message = _ask(target)
    with Caller(hasty.data) as caller:
        caller.send(message)
        time.sleep(_LIMIT_S * 2)
        assert caller.answer().body == body
    assert hasty.record(request_id)["outcome"] == "ok"


def test_an_upload_in_progress_owes_the_caller_no_answer(hasty: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    size = 5 << 20
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
    with Caller(hasty.data) as caller:
        caller.send(head + b"a" * (size // 2))
        time.sleep(_LIMIT_S * 1.5)
        caller.send(b"a" * (size - size // 2))
        assert caller.answer().status == 200


def test_sleeping_providers_in_time_are_not_disturbed(hasty: Relay, plain: Side) -> None:
    target, _ = plain.script(
        answer(sleep(_LIMIT_S / 2), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    )
    with Caller(hasty.data) as caller:
        assert caller.ask(_ask(target)[1]).status == 200
