"""SIGTERM: what runs comes to its end, what is new goes elsewhere, and nothing is lost unseen."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .caller import LAST_CHUNK, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import answer, send, send_until_left, wait_for
from .relay import LOOPS, Relay

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
Start = Callable[[float], Relay]


@pytest.fixture(params=LOOPS)
def start(
    request: pytest.FixtureRequest, sides: dict[str, Side], tmp_path: Path
) -> Iterator[Start]:
    """drain_s -> a relay that the test ends."""
    started: list[Relay] = []

    def run(drain_s: float) -> Relay:
        upstreams = f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}"}}\n'
        more = f"shutdown: {{drain: {drain_s}s}}\n"
        started.append(Relay(tmp_path, upstreams, request.param, more=more))
        return started[0]

    yield run
    assert [relay.is_running for relay in started] == [False] * len(started)


@contextmanager
def streams(relay: Relay, side: Side, count: int) -> Iterator[tuple[list[Caller], threading.Event]]:
    """So many streams under way; each ends well once the event is set."""
    go_on = threading.Event()
    target, _ = side.script(
        answer(SSE + chunk(b"a"), wait_for(go_on), send(chunk(b"b") + LAST_CHUNK))
    )
    callers = [Caller(relay.data) for _ in range(count)]
    try:
        for caller in callers:
            caller.send(request(target))
        for caller in callers:
            caller.read_until(b"\r\n\r\n1\r\na\r\n")
        yield callers, go_on
    finally:
        go_on.set()
        for caller in callers:
            caller.close()


def events(relay: Relay) -> list[dict[str, object]]:
    return [json.loads(line) for line in relay.text.splitlines() if line.startswith("{")]


def test_t106_streams_end_well_new_callers_do_not_get_in(start: Start, plain: Side) -> None:
    relay = start(20)
    with streams(relay, plain, 100) as (callers, go_on):
        relay.signal(signal.SIGTERM)
        began = time.monotonic()
        assert eventually(lambda: relay.page("/readyz")[0] == 503)
        assert time.monotonic() - began < 0.5
        assert b"draining" in relay.page("/readyz")[1]
        time.sleep(1.5)
        with pytest.raises(ConnectionRefusedError):
            Caller(relay.data)
        go_on.set()
        for caller in callers:
            got = caller.answer()
            assert (got.body, got.end) == (b"ab", End.WHOLE)
            assert caller.is_closed_within(2)
        assert relay.exit_status(5) == 0
        assert time.monotonic() - began < 5
    rows = [row for row in events(relay) if row["event"] == "exchange"]
    assert [row["outcome"] for row in rows] == ["ok"] * 100
    assert [row["event"] for row in events(relay)][-2:] == ["drained", "stopped"]


def test_t106_what_does_not_end_is_cut_at_the_limit(start: Start, plain: Side) -> None:
    relay = start(1.2)
    with streams(relay, plain, 5) as (callers, _):
        began = time.monotonic()
        relay.signal(signal.SIGTERM)
        for caller in callers:
            got = caller.answer()
            assert (got.body, got.end) == (b"a", End.FIN)
        assert 1.2 <= time.monotonic() - began <= 1.2 + 0.5
        assert relay.exit_status(5) == 0
    rows = [row for row in events(relay) if row["event"] == "exchange"]
    assert {(row["outcome"], row["reason"]) for row in rows} == {("aborted", "drained")}


def test_t106b_an_upload_in_progress_is_not_lost(start: Start, plain: Side) -> None:
    relay = start(20)
    target, path = plain.script(answer(OK))
    body = b"x" * 3_000_000
    with Caller(relay.data) as caller:
        message = request(target, body)
        caller.send(message[:1_000_000])
        time.sleep(0.1)
        relay.signal(signal.SIGTERM)
        time.sleep(1.5)
        caller.send(message[1_000_000:])
        got = caller.answer()
        assert (got.status, got.body) == (200, b"ok")
        assert got.header(b"connection") == b"close"
    assert relay.exit_status(5) == 0
    assert plain.origin.seen(path)[0].body == body


def test_an_idle_connection_may_still_be_used_for_a_moment(start: Start, plain: Side) -> None:
    relay = start(20)
    target, _ = plain.script(answer(OK))
    with Caller(relay.data) as used, Caller(relay.data) as unused, Caller(relay.data) as fresh:
        used.ask(request(target))
        unused.ask(request(target))
        relay.signal(signal.SIGTERM)
        time.sleep(0.3)
        for caller in (used, fresh):
            got = caller.ask(request(target))
            assert (got.status, got.header(b"connection")) == (200, b"close")
        assert unused.is_closed_within(2)
    assert relay.exit_status(5) == 0


def test_what_comes_after_that_moment_is_sent_elsewhere(start: Start, plain: Side) -> None:
    """On a connection that was busy then: all others are closed."""
    relay = start(20)
    with streams(relay, plain, 1) as (callers, go_on):
        relay.signal(signal.SIGTERM)
        time.sleep(1.3)
        callers[0].send(request("/v1/models", None, b"X-Request-ID: too-late"))
        time.sleep(0.2)
        go_on.set()
        assert callers[0].answer().body == b"ab"
        # The answer before it had promised to be the last only by closing; nothing else may come
        # in its place than a refusal, or the end.
        late, _ = callers[0].read_to_end()
        assert late == b"" or (late.startswith(b"HTTP/1.1 503 ") and b"draining" in late)
    assert relay.exit_status(5) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_t107_a_second_signal_ends_it_at_once(start: Start, plain: Side, second: int) -> None:
    relay = start(20)
    with streams(relay, plain, 3) as (callers, _):
        relay.signal(signal.SIGTERM)
        assert eventually(lambda: relay.page("/readyz")[0] == 503)
        relay.signal(second)
        assert relay.exit_status(1.5) == 0
        assert [caller.answer().end for caller in callers] == [End.FIN] * 3


def test_t107_other_signals_change_nothing(start: Start, plain: Side) -> None:
    relay = start(20)
    with streams(relay, plain, 1) as (callers, go_on):
        relay.signal(signal.SIGPIPE)
        relay.signal(signal.SIGTERM)
        assert eventually(lambda: relay.page("/readyz")[0] == 503)
        relay.signal(signal.SIGHUP)
        relay.signal(signal.SIGPIPE)
        time.sleep(0.3)
        assert relay.is_running
        go_on.set()
        assert callers[0].answer().end is End.WHOLE
    assert relay.exit_status(5) == 0


def test_the_admin_port_can_ask_for_it_and_the_process_stays(start: Start, plain: Side) -> None:
    relay = start(1.2)
    target, path = plain.script(answer(SSE, send_until_left(chunk(b"a"), 0.05)))
    with Caller(relay.data) as caller:
        caller.send(request(target))
        caller.read_until(b"\r\n\r\n")
        status, body = relay.page("/-/drain")
        assert status == 405, body
        status, body = relay.page("/-/drain", "POST")
        assert status == 202
        assert json.loads(body) == {"draining": True, "in_flight": 1, "drain_ms": 1200}
        assert relay.page("/readyz")[0] == 503
        assert caller.answer().end is End.FIN
    assert eventually(lambda: plain.origin.seen(path)[0].left_at is not None)
    time.sleep(0.2)
    assert relay.is_running
    assert relay.page("/livez")[0] == 200
    assert relay.page("/-/drain", "POST")[0] == 202
    relay.assert_settled()
    assert relay.stop() == 0


def test_with_nothing_to_wait_for_it_ends_at_once(start: Start) -> None:
    relay = start(20)
    began = time.monotonic()
    assert relay.stop() == 0
    assert time.monotonic() - began < 1.5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(relay.data)
