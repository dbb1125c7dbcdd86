"""Callers who leave: the provider is told at once, unless the caller had all it wanted.

A provider goes on generating, and billing, for as long as nobody hangs up on it.
"""

from __future__ import annotations

import itertools
import statistics
import time

import pytest

from .caller import LAST_CHUNK, Caller, chunk, eventually, request
from .conftest import Side
from .origin import answer, send_until_left, sleep, until_left
from .relay import Relay, Row

_CHUNKED_SSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_EVENT = b'data: {"choices":[{"delta":{"content":"1"}}]}\n\n'
_CHAT = "/v1/chat/completions"
_numbers = itertools.count(1)


def _id() -> str:
    return f"leaving-test-{next(_numbers)}"


def _ask(target: str, request_id: str, body: bytes | None = b"{}") -> bytes:
    return request(target, body, b"X-Request-ID: " + request_id.encode())


def _verdict(record: Row) -> tuple[object, object]:
    return record["outcome"], record["reason"]


@pytest.mark.parametrize("way", ["close", "reset", "half_close"])
def test_a_caller_who_leaves_mid_stream_closes_the_upstream(
    relay: Relay, side: Side, way: str
) -> None:
    """FIN, RST or half-close: median within 100 ms, each within a second."""
    took_s: list[float] = []
    ids: list[str] = []
    for _ in range(10):
        target, path = side.script(
            answer(_CHUNKED_SSE, send_until_left(chunk(_EVENT), 0.01)), end=_CHAT
        )
        ids.append(_id())
        caller = Caller(relay.data)
        caller.send(_ask(target, ids[-1]))
        caller.read_until(_EVENT)
        left_at = time.monotonic()
        getattr(caller, way)()
        seen = side.origin.seen(path)[0]
        assert eventually(lambda seen=seen: seen.left_at is not None)
        caller.close()
        assert seen.left_at is not None
        took_s.append(seen.left_at - left_at)
    assert statistics.median(took_s) < 0.1, took_s
    assert max(took_s) < 1, took_s
    for request_id in ids:
        assert _verdict(relay.record(request_id)) == ("client_cancelled", "client_left")


def test_a_caller_who_leaves_before_the_answer_closes_the_upstream(
    relay: Relay, side: Side
) -> None:
    target, path = side.script(answer(until_left))
    request_id = _id()
    with Caller(relay.data) as caller:
        caller.send(_ask(target, request_id))
        assert eventually(lambda: side.origin.seen(path))
        time.sleep(0.02)
        left_at = time.monotonic()
    seen = side.origin.seen(path)[0]
    assert eventually(lambda: seen.left_at is not None)
    assert seen.left_at is not None
    assert seen.left_at - left_at < 1
    record = relay.record(request_id)
    assert _verdict(record) == ("client_cancelled", "client_left")
    assert record["status"] is None
    assert record["headers_ms"] is None


def test_a_caller_who_leaves_mid_upload_leaves_no_whole_request_upstream(
    relay: Relay, side: Side
) -> None:
    """5 MiB of 6: more than is held back, so the provider has begun to read."""
    target, path = side.script(answer(_OK))
    request_id = _id()
    size = 6 << 20
    with Caller(relay.data) as caller:
        caller.send(
            _ask(target, request_id, None)
            .replace(b"GET", b"POST", 1)
            .replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % size, 1)
        )
        caller.send(b"x" * (5 << 20))
        assert eventually(lambda: side.origin.seen(path))
    assert _verdict(relay.record(request_id)) == ("client_cancelled", "client_left")
    assert not side.origin.seen(path)[0].is_whole


def test_a_caller_who_closes_after_done_is_ok_and_the_upstream_connection_is_kept(
    relay: Relay, side: Side
) -> None:
    """As the synchronous SDKs do: they close at `[DONE]`, and the last chunk is still to come."""
    stream = answer(
        _CHUNKED_SSE + chunk(_EVENT), chunk(b"data: [DONE]\n\n"), sleep(0.01), LAST_CHUNK
    )
    target, path = side.script(stream, end=_CHAT)
    ids = [_id() for _ in range(10)]
    for request_id in ids:
        with Caller(relay.data) as caller:
            caller.send(_ask(target, request_id))
            caller.read_until(b"data: [DONE]\n\n")
        record = relay.record(request_id)
        assert _verdict(record) == ("ok", None)
        # The rest is read within the time that the next request may take to come.
        time.sleep(0.03)
    assert len({seen.connection for seen in side.origin.seen(path)}) == 1


def test_an_upstream_that_goes_on_after_done_is_not_kept_for_long(relay: Relay, side: Side) -> None:
    stream = answer(
        _CHUNKED_SSE + chunk(b"data: [DONE]\n\n"), send_until_left(chunk(b": more\n\n"), 0.01)
    )
    target, path = side.script(stream, end=_CHAT)
    request_id = _id()
    with Caller(relay.data) as caller:
        caller.send(_ask(target, request_id))
        caller.read_until(b"data: [DONE]\n\n")
        left_at = time.monotonic()
    assert _verdict(relay.record(request_id)) == ("ok", None)
    seen = side.origin.seen(path)[0]
    assert eventually(lambda: seen.left_at is not None)
    assert seen.left_at is not None
    assert seen.left_at - left_at < 0.6
