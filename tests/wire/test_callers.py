"""Slow, silent, vanishing and too many callers: each is given up in time, and nobody else notices.

Limits are set short here; what is tested is when and how a caller is given up.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator

import pytest

from .caller import Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import answer, read_body, send_until_left, sleep, until_left
from .relay import LOOPS, Relay

HEADERS_S, BODY_S, WRITE_S, KEEPALIVE_S = 0.6, 0.6, 1.2, 1.0
LATE_S = 0.5
ROOM = 8
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
numbers = itertools.count(1)


@pytest.fixture(scope="module", params=LOOPS)
def strict(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Relay]:
    """A relay of little patience."""
    limits = f"headers: {HEADERS_S}s, body: {BODY_S}s, write: {WRITE_S}s, keepalive: {KEEPALIVE_S}s"
    relay = Relay(
        tmp_path_factory.mktemp("strict"),
        f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}"}}\n',
        request.param,
        listen=f", max_connections: {ROOM}, max_request_body: 1MiB, timeouts: {{{limits}}}",
    )
    yield relay
    assert relay.stop() == 0


@pytest.fixture(autouse=True)
def _settled(strict: Relay) -> Iterator[None]:
    before = strict.descriptors
    yield
    strict.assert_settled()
    assert eventually(lambda: strict.descriptors <= before + 1), "a descriptor is left"


def new_id() -> tuple[str, bytes]:
    request_id = f"caller-test-{next(numbers)}"
    return request_id, b"X-Request-ID: " + request_id.encode()


def reason_of(relay: Relay, request_id: str) -> tuple[str, str]:
    record = relay.record(request_id)
    return record["outcome"], record["reason"]


def test_t33_a_head_that_drips_is_a_408(strict: Relay, plain: Side) -> None:
    target, path = plain.script(answer(OK))
    before = strict.total("failures_total", reason="client_timeout")
    with Caller(strict.data) as caller:
        began = time.monotonic()
        caller.socket.settimeout(0.05)
        for byte in request(target) * 3:
            caller.send(bytes([byte]))
            try:
                if caller.read_some():
                    break
            except TimeoutError:
                continue
        took_s = time.monotonic() - began
        caller.socket.settimeout(5)
        got = caller.answer()
        assert (got.status, got.header(b"x-sidecar-error")) == (408, b"client_timeout")
        assert got.header(b"connection") == b"close"
        assert caller.read_to_end()[1] is End.FIN
    assert HEADERS_S <= took_s <= HEADERS_S + LATE_S
    assert plain.origin.seen(path) == []
    assert strict.total("failures_total", reason="client_timeout") == before + 1


def test_a_caller_that_says_nothing_is_closed_and_not_counted(strict: Relay) -> None:
    before = strict.total("requests_started_total")
    with Caller(strict.data) as caller:
        began = time.monotonic()
        assert caller.is_closed_within(3)
        assert HEADERS_S <= time.monotonic() - began <= HEADERS_S + LATE_S
    assert strict.total("requests_started_total") == before


def test_t27_an_idle_connection_is_closed_and_no_error(strict: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(OK))
    before = strict.total("failures_total")
    with Caller(strict.data) as caller:
        assert caller.ask(request(target)).body == b"ok"
        began = time.monotonic()
        assert caller.is_closed_within(4)
        assert KEEPALIVE_S <= time.monotonic() - began <= KEEPALIVE_S + LATE_S
    assert strict.total("failures_total") == before


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_t34_a_body_that_does_not_come_on_is_a_408(
    strict: Relay, plain: Side, framing: str
) -> None:
    target, path = plain.script(answer(OK))
    request_id, line = new_id()
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (target.encode(), line)
    head += (
        b"Content-Length: 100\r\n\r\nabc"
        if framing == "length"
        else b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"abc")
    )
    with Caller(strict.data) as caller:
        began = time.monotonic()
        got = caller.ask(head)
        assert BODY_S <= time.monotonic() - began <= BODY_S + LATE_S
        assert (got.status, got.header(b"x-sidecar-error")) == (408, b"client_timeout")
    assert reason_of(strict, request_id) == ("refused", "client_timeout")
    assert plain.origin.seen(path) == []


def test_t34_a_large_one_is_broken_off_at_the_provider_too(strict: Relay, plain: Side) -> None:
    target, path = plain.script((read_body,))
    request_id, line = new_id()
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (target.encode(), line)
    # Longer than what is read before it is sent, by its own words; sent by nobody.
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    with Caller(strict.data) as caller:
        caller.send(head + chunk(b"a" * 300_000))
        got = caller.answer()
        assert got.status == 408
    assert reason_of(strict, request_id)[1] == "client_timeout"
    assert all(not seen.is_whole for seen in plain.origin.seen(path))


def test_a_body_that_comes_slowly_but_comes_is_taken(strict: Relay, plain: Side) -> None:
    target, path = plain.script(answer(OK))
    with Caller(strict.data) as caller:
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n"
        caller.send(head % target.encode())
        for byte in b"sixsix":
            time.sleep(BODY_S / 2.5)
            caller.send(bytes([byte]))
        assert caller.answer().body == b"ok"
    assert plain.origin.seen(path)[0].body == b"sixsix"


def test_t35_a_caller_that_does_not_read_is_cut_and_costs_little(
    strict: Relay, plain: Side
) -> None:
    target, path = plain.script(answer(SSE, send_until_left(chunk(b"a" * 65536), 0)))
    request_id, line = new_id()
    with strict.peak_rss() as memory, Caller(strict.data, receive_buffer=4096) as caller:
        before = memory[0]
        caller.send(request(target, None, line))
        assert eventually(lambda: reason_of_now(strict, request_id) is not None, 8)
    assert reason_of(strict, request_id) == ("aborted", "client_write_stall")
    assert plain.origin.seen(path)[0].left_at is not None
    # The kernels' own buffers are theirs; ours hold one read and what waits to be written.
    assert max(memory) - before < 2 << 20


def reason_of_now(relay: Relay, request_id: str) -> str | None:
    rows = relay.records(f"id={request_id}")
    return rows[0]["reason"] if rows else None


def test_t36_the_longest_idle_gives_way_to_a_newcomer(strict: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(OK))
    callers = [Caller(strict.data) for _ in range(ROOM)]
    try:
        for caller in callers:
            assert caller.ask(request(target)).status == 200
            time.sleep(0.01)
        with Caller(strict.data) as newcomer:
            assert newcomer.ask(request(target)).status == 200
            assert callers[0].is_closed_within(1)
            assert not callers[1].is_closed_within(0.05)
    finally:
        for caller in callers:
            caller.close()


def test_t36_where_none_is_idle_there_is_no_room_and_that_is_said(
    strict: Relay, plain: Side
) -> None:
    target, _ = plain.script(answer(SSE, send_until_left(chunk(b"a"), 0.05)))
    callers = [Caller(strict.data) for _ in range(ROOM)]
    request_id, line = new_id()
    try:
        for caller in callers:
            caller.send(request(target))
            caller.read_until(b"\r\n\r\n")
        with Caller(strict.data) as newcomer:
            message = request("/v1/messages", b"{}", line)
            got = newcomer.ask(message)
            assert (got.status, got.header(b"x-sidecar-error")) == (503, b"too_many_connections")
            assert got.header(b"connection") == b"close"
            assert got.header(b"retry-after") == b"1"
            assert b'"type":"error"' in got.body, "in the caller's own dialect"
            assert newcomer.is_closed_within(3)
        for caller in callers:
            assert caller.read_some(), "the others go on"
    finally:
        for caller in callers:
            caller.close()
    assert reason_of(strict, request_id) == ("rejected", "too_many_connections")


def test_t36_newcomers_that_say_nothing_are_told_too(strict: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(SSE, send_until_left(chunk(b"a"), 0.05)))
    callers = [Caller(strict.data) for _ in range(ROOM)]
    try:
        for caller in callers:
            caller.send(request(target))
            caller.read_until(b"\r\n\r\n")
        with Caller(strict.data) as newcomer:
            assert newcomer.answer().status == 503
    finally:
        for caller in callers:
            caller.close()


def test_t18_a_body_over_the_limit_is_a_413_at_once(strict: Relay, plain: Side) -> None:
    target, path = plain.script(answer(OK))
    with Caller(strict.data) as caller:
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"
        began = time.monotonic()
        got = caller.ask(head % target.encode())
        assert time.monotonic() - began < 1
        assert (got.status, got.header(b"x-sidecar-error")) == (413, b"request_too_large")
    with Caller(strict.data) as caller:
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        caller.send(head % target.encode())
        for _ in range(20):
            caller.send(chunk(b"a" * 65536))
        got = caller.answer()
        assert (got.status, got.header(b"x-sidecar-error")) == (413, b"request_too_large")
    assert plain.origin.seen(path) == []


@pytest.mark.parametrize("how", ["fin", "half-close", "rst"])
def test_t40b_a_caller_who_leaves_while_it_does_not_read_is_noticed(
    strict: Relay, plain: Side, how: str
) -> None:
    took: list[float] = []
    for _ in range(5):
        target, path = plain.script(answer(SSE, send_until_left(chunk(b"a" * 65536), 0)))
        request_id, line = new_id()
        with Caller(strict.data, receive_buffer=4096) as caller:
            caller.send(request(target, None, line))
            time.sleep(0.25)
            left_at = time.monotonic()
            if how == "fin":
                caller.close()
            elif how == "rst":
                caller.reset()
            else:
                caller.half_close()
            seen = plain.origin.seen(path)[0]
            assert eventually(lambda seen=seen: seen.left_at is not None)
            assert seen.left_at is not None
            took.append(seen.left_at - left_at)
        assert reason_of(strict, request_id) == ("client_cancelled", "client_left")
    assert max(took) < 1
    assert statistics.median(took) < 0.1


def test_a_caller_who_leaves_while_its_upload_is_held_is_noticed(relay: Relay, plain: Side) -> None:
    """Nobody reads from it then: the provider takes nothing. (A FIN would stay in the caller's
    kernel, behind what ours has no room for; the one that gets through is tested in net/.)"""
    took: list[float] = []
    for _ in range(3):
        target, _ = plain.script((sleep(5), until_left))
        request_id, line = new_id()
        with Caller(relay.data) as caller:
            head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\nContent-Length: 99999999\r\n\r\n"
            caller.send(head % (target.encode(), line))
            caller.socket.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                while True:
                    caller.send(b"a" * 65536)
            left_at = time.monotonic()
            caller.reset()
            relay.record(request_id, 2)
            took.append(time.monotonic() - left_at)
    assert max(took) < 1
    assert statistics.median(took) < 0.2


def test_t41_two_hundred_callers_vanish_at_once(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(SSE, send_until_left(chunk(b"a"), 0.02)))
    before = plain.origin.open
    callers = [Caller(relay.data) for _ in range(200)]
    for caller in callers:
        caller.send(request(target))
    for caller in callers:
        caller.read_until(b"\r\n\r\n")
    for caller in callers:
        caller.reset()
    began = time.monotonic()
    assert eventually(lambda: plain.origin.open <= before, 5)
    assert time.monotonic() - began < 2
    relay.assert_settled()
