"""A pooled connection that was dead already: replaced once, where that can do no harm."""

from __future__ import annotations

import itertools

import pytest

from .caller import Caller, request
from .conftest import Side
from .origin import Script, Step, Turn, answer, fin, rst, sleep
from .relay import Relay, Row

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CHAT = "/v1/chat/completions"
_numbers = itertools.count(1)


def _id() -> str:
    return f"stale-test-{next(_numbers)}"


def _ask(target: str, request_id: str, body: bytes | None = b"{}") -> bytes:
    return request(target, body, b"X-Request-ID: " + request_id.encode())


def _verdict(record: Row) -> tuple[object, object]:
    return record["outcome"], record["reason"]


@pytest.mark.parametrize("ending", [fin, rst])
def test_a_stale_connection_is_replaced_once_and_the_caller_sees_nothing(
    relay: Relay, side: Side, ending: Step
) -> None:
    """The provider closes the idle connection just as the next request comes in on it."""
    target, path = side.script(answer(_OK), answer(ending), answer(_OK), end=_CHAT)
    request_id = _id()
    _warm(relay, side)
    with Caller(relay.data) as caller:
        assert caller.ask(_ask(target, _id())).body == b"ok"
        got = caller.ask(_ask(target, request_id))
    assert (got.status, got.body) == (200, b"ok")
    first, dead, again = side.origin.seen(path)
    assert dead.connection == first.connection
    assert again.connection != dead.connection
    assert (again.head, again.raw_body) == (dead.head, dead.raw_body)
    record = relay.record(request_id)
    assert _verdict(record) == ("ok", None)
    assert [a["reason"] for a in record["attempts"]] == ["upstream_reset", None]
    assert [a["status"] for a in record["attempts"]] == [None, 200]


def test_what_may_not_be_repeated_is_not_repeated(relay: Relay, side: Side) -> None:
    target, path = side.script(answer(_OK), answer(fin), answer(_OK), end="/v1/files")
    request_id = _id()
    _warm(relay, side)
    with Caller(relay.data) as caller:
        assert caller.ask(_ask(target, _id())).body == b"ok"
        got = caller.ask(_ask(target, request_id))
    assert got.status == 502
    assert len(side.origin.seen(path)) == 2
    assert _verdict(relay.record(request_id)) == ("connect_failed", "upstream_reset")


def test_a_provider_that_takes_its_time_and_then_closes_is_not_asked_again(
    relay: Relay, side: Side
) -> None:
    """It had the request and may have worked on it."""
    target, path = side.script(answer(_OK), answer(sleep(0.8), fin), answer(_OK), end=_CHAT)
    with Caller(relay.data) as caller:
        assert caller.ask(_ask(target, _id())).body == b"ok"
        assert caller.ask(_ask(target, _id())).status == 502
    assert len(side.origin.seen(path)) == 2


def test_closing_idle_connections_at_any_moment_is_never_seen(relay: Relay, side: Side) -> None:
    """The FIN races the next request: before, with and after it."""
    target, _ = side.script(*_closers(60), end=_CHAT)
    with Caller(relay.data) as caller:
        for n in range(60):
            got = caller.ask(_ask(target, _id()))
            assert (got.status, got.body) == (200, b"ok"), n


def _closers(count: int) -> list[Script]:
    return [answer(_OK, sleep(n % 6 * 0.0002), _close_unasked) for n in range(count)]


async def _close_unasked(turn: Turn) -> None:
    """FIN at once, whatever has come in meanwhile: it was never read."""
    await fin(turn)


def _warm(relay: Relay, side: Side) -> None:
    """Leave one connection in the pool and no other, so that the next request takes that one."""
    target, _ = side.script(answer(_OK))
    with Caller(relay.data) as caller:
        first = caller.ask(_ask(target, _id()))
    assert first.body == b"ok"
