"""What is not whole must not be followed by anything, nor look whole.

Each of these was found by somebody who tried to break the promises.
"""

from __future__ import annotations

import time

from .caller import LAST_CHUNK, Caller, End, chunk, request
from .conftest import Side
from .origin import answer, at_once, fin, sleep
from .relay import Relay

CHAT = "/v1/chat/completions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
OPEN_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n"
EVENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_connection_that_still_owes_a_body_serves_nobody_else(relay: Relay, plain: Side) -> None:
    early = (
        *at_once(HEAD + chunk(EVENT) + chunk(DONE)),
        sleep(0.1),
        *at_once(LAST_CHUNK),
        sleep(1),
    )
    target, _ = plain.script(early, end=CHAT)
    with Caller(relay.data) as caller:
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n"
        caller.send(head % target.encode() + b"x" * 1_000_000)
        caller.read_until(DONE)
    time.sleep(0.2)  # the end of the answer has come meanwhile
    target, path = plain.script(answer(SECOND), end=CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", b"Authorization: Bearer sk-of-the-second"))
    assert (got.status, got.body) == (200, b"ok")
    [seen] = plain.origin.seen(path)
    assert bytes(seen.body) == b"{}"


def test_a_stream_of_which_one_choice_was_cut_is_not_whole(relay: Relay, plain: Side) -> None:
    ended = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    other = EVENT.replace(b'"index":0', b'"index":1')
    script = (*answer(OPEN_HEAD % b"text/event-stream", EVENT, other, ended, other), fin)
    target, _ = plain.script(script, end=CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", b"x-request-id: choices-1"))
    assert got.end is not End.WHOLE
    assert relay.record("choices-1")["outcome"] == "truncated"


def test_json_that_breaks_off_with_its_connection_is_not_whole(relay: Relay, plain: Side) -> None:
    half = b'{"id":"x","choices":[{"message":{"content":"half of'
    target, _ = plain.script((*answer(OPEN_HEAD % b"application/json", half), fin), end=CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", b"x-request-id: half-1"))
    assert got.body == half
    assert got.end is not End.WHOLE
    row = relay.record("half-1")
    assert (row["outcome"], row["reason"]) == ("truncated", "upstream_cut")
    whole = half + b'"}}]}'
    target, _ = plain.script((*answer(OPEN_HEAD % b"application/json", whole), fin), end=CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", b"x-request-id: half-2"))
    assert (got.body, got.end) == (whole, End.WHOLE)
    assert relay.record("half-2")["outcome"] == "ok"


def test_a_request_that_waited_for_its_turn_counts_from_when_it_came(
    relay: Relay, plain: Side
) -> None:
    slow, _ = plain.script((*answer(), sleep(0.6), *at_once(SECOND)))
    quick, _ = plain.script(answer(SECOND))
    last, _ = plain.script(answer(SECOND))
    with Caller(relay.data) as caller:
        caller.send(request(slow, b"{}") + request(quick, b"{}", b"x-request-id: waited-1"))
        time.sleep(0.4)
        caller.send(request(last, b"{}"))
        assert [caller.answer().status for _ in range(3)] == [200, 200, 200]
    row = relay.record("waited-1")
    assert row["duration_ms"] > 500
    assert row["phases_ms"]["receive"] > 500
    # It is not our work that took so long.
    assert row["overhead_ms"] < 300
