"""Send, relay, and what failure looks like before and after the first byte."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.outcome import Reason
from sidecar.pipeline import handle
from sidecar.pipeline.ports import BodyError

from .fakes import (
    CHUNKED,
    SSE,
    ListDesk,
    Read,
    RecordingClient,
    ScriptedBody,
    ScriptedUpstream,
    ScriptedWire,
    inbound,
    plan,
    response,
    sized,
)

GOOD = Read(response(200, (b"Content-Length", b"2")), b"ok", is_end=True)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.DNS_FAILED, 502),
        (Reason.CONNECT_FAILED, 502),
        (Reason.TLS_FAILED, 502),
    ],
)
async def test_no_connection_is_an_answer_of_ours(reason: Reason, status: int) -> None:
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(ScriptedUpstream(reason)), desk)
    assert client.head.startswith(b"HTTP/1.1 %d " % status)
    [record] = desk.records
    assert record.reason == reason.value
    assert [attempt.reason for attempt in record.attempts] == [reason.value]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Reason.UPSTREAM_RESET, "upstream_reset"),
        (Reason.BAD_UPSTREAM_RESPONSE, "bad_upstream_response"),
        (Reason.FIRST_BYTE_TIMEOUT, "first_byte_timeout"),
        # Silence in the middle of a head is the same to the caller.
        (Reason.IDLE_TIMEOUT, "first_byte_timeout"),
        (Reason.DEADLINE_EXCEEDED, "deadline_exceeded"),
    ],
)
async def test_a_failure_before_the_head_is_an_answer_of_ours(ending: Reason, told: str) -> None:
    wire = ScriptedWire(ending)
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(ScriptedUpstream(wire)), desk)
    assert desk.records[0].reason == told
    assert desk.records[0].upstream_status is None
    assert wire.ends == ["dropped"]
    assert client.cuts == []


@pytest.mark.parametrize("ending", [Reason.UPSTREAM_CUT, Reason.SHORT_BODY, Reason.IDLE_TIMEOUT])
async def test_a_failure_after_it_is_a_cut_with_every_byte_before(ending: Reason) -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED), b"abc"), ending)
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(ScriptedUpstream(wire)), desk)
    assert client.body == b"3\r\nabc\r\n"
    assert client.cuts == [False]
    assert desk.records[0].reason == ending.value
    assert desk.records[0].upstream_status == 200
    assert wire.ends == ["dropped"]


async def test_a_dead_pooled_connection_is_replaced_once_by_a_new_one() -> None:
    dead, alive = ScriptedWire(Reason.UPSTREAM_RESET, is_reused=True), ScriptedWire(GOOD)
    upstream = ScriptedUpstream(dead, alive)
    client, desk = RecordingClient(), ListDesk()
    header, body = sized(b"{}")
    await handle(inbound(header, body=body), client, plan(upstream), desk)
    assert upstream.asked_for_new == [False, True]
    assert dead.sent == alive.sent
    assert client.body == b"ok"
    assert [a.reason for a in desk.records[0].attempts] == ["upstream_reset", None]


async def test_it_is_not_replaced_twice() -> None:
    wires = [ScriptedWire(Reason.UPSTREAM_RESET, is_reused=True) for _ in range(3)]
    upstream = ScriptedUpstream(*wires)
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(upstream), desk)
    assert upstream.asked_for_new == [False, True]
    assert desk.records[0].reason == "upstream_reset"


async def test_an_operation_with_effects_is_not_sent_again() -> None:
    upstream = ScriptedUpstream(ScriptedWire(Reason.UPSTREAM_RESET, is_reused=True))
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(target="/v1/files"), client, plan(upstream), desk)
    assert upstream.asked_for_new == [False]


async def test_a_stream_without_its_last_event_ends_as_sent_and_is_told() -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED, SSE), b"data: 1\n\n", is_end=True))
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(ScriptedUpstream(wire)), desk)
    assert client.body.endswith(b"0\r\n\r\n")
    assert client.cuts == []
    assert desk.records[0].reason == "no_terminal_event"
    assert wire.ends == ["given back"]


async def test_one_that_ended_with_its_connection_is_cut() -> None:
    wire = ScriptedWire(Read(response(200, SSE), b"data: 1\n\n", is_end=True))
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(), client, plan(ScriptedUpstream(wire)), desk)
    assert not client.body.endswith(b"0\r\n\r\n")
    assert client.cuts == [False]


async def test_an_early_answer_ends_the_upload_and_both_connections() -> None:
    wire = ScriptedWire(Read(response(413, (b"Content-Length", b"0")), is_end=True), is_full=True)
    header, body = sized(b"x" * 100, b"y" * 100)
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(header, body=body), client, plan(ScriptedUpstream(wire)), desk)
    assert b"connection: close" in client.head
    assert client.will_close
    assert wire.ends == ["dropped"]
    assert desk.records[0].outcome == "upstream_4xx"


class SlowToEnd(ScriptedWire):
    """Takes two pieces of the request, and then no more for a while."""

    taken = 0

    async def writable(self) -> None:
        self.taken += 1
        if self.taken == 2:
            await asyncio.sleep(0.01)
            await asyncio.get_running_loop().create_future()


async def test_an_answer_that_ends_before_the_last_chunk_went_up_ends_the_connection() -> None:
    """All that the caller sent was taken; the provider has not seen its end."""
    wire = SlowToEnd(Read(response(401, (b"Content-Length", b"2")), b"n"))
    body = ScriptedBody(b"x" * 100, b"y" * 100)
    client, desk = RecordingClient(), ListDesk()
    exchange = inbound(CHUNKED, body=body)
    life = asyncio.create_task(handle(exchange, client, plan(ScriptedUpstream(wire)), desk))
    while wire.taken < 2:
        await asyncio.sleep(0)
    wire.finish(b"o")
    await life
    assert not wire.sent.endswith(b"0\r\n\r\n")
    assert wire.ends == ["dropped"]


async def test_who_leaves_content_before_all_was_sent_leaves_no_connection_behind() -> None:
    wire = SlowToEnd(Read(response(200, CHUNKED, SSE), b"data: [DONE]\n\n"))
    exchange = inbound(CHUNKED, body=ScriptedBody(b"x" * 100, b"y" * 100))
    life = asyncio.create_task(
        handle(exchange, RecordingClient(), plan(ScriptedUpstream(wire)), ListDesk())
    )
    while wire.taken < 2:
        await asyncio.sleep(0)
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert wire.ends == ["dropped"]


async def test_a_body_that_breaks_while_it_streams_is_a_400() -> None:
    body = ScriptedBody(b"x" * 100, BodyError(Reason.BAD_REQUEST, "broken"))
    wire = ScriptedWire(*())
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(CHUNKED, body=body), client, plan(ScriptedUpstream(wire)), desk)
    assert desk.records[0].reason == "bad_request"
    assert b"0\r\n\r\n" not in wire.sent, "the provider never sees a complete request"


async def test_a_caller_that_leaves_ends_the_wire_and_counts_for_nobody() -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED, SSE), b"data: 1\n\n"))
    client, desk = RecordingClient(), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(wire)), desk), name="life"
    )
    for _ in range(5):
        await asyncio.sleep(0)
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert wire.ends == ["dropped"]
    assert desk.records[0].reason == "client_left"


async def test_one_that_leaves_after_the_last_event_is_content() -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED, SSE), b"data: [DONE]\n\n"))
    client, desk = RecordingClient(), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(wire)), desk), name="life"
    )
    for _ in range(5):
        await asyncio.sleep(0)
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert wire.ends == ["lingers"]
    assert desk.records[0].outcome == "ok"
    assert [a.reason for a in desk.records[0].attempts] == [None]


@pytest.mark.parametrize(("speaks_chunked", "cuts"), [(True, []), (False, [True])])
async def test_what_we_end_ourselves_is_no_good_end_to_a_caller_of_http_1_0(
    speaks_chunked: bool, cuts: list[bool]
) -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED), b"a"))
    client, desk = RecordingClient(speaks_chunked=speaks_chunked), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(wire)), desk), name="life"
    )
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.body
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert client.cuts == cuts


async def test_one_that_leaves_while_we_connect_leaves_nothing_behind() -> None:
    client, desk = RecordingClient(), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(hangs=True)), desk), name="life"
    )
    for _ in range(3):
        await asyncio.sleep(0)
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert desk.records[0].reason == "client_left"
    desk.assert_balanced()


async def test_a_callers_deadline_counts_while_we_connect() -> None:
    upstream = ScriptedUpstream(Reason.CONNECT_FAILED)
    client, desk = RecordingClient(), ListDesk(time_s=5.0)
    request = inbound((b"X-Sidecar-Timeout-Ms", b"3000"))
    await handle(request, client, plan(upstream), desk)
    assert upstream.asked_within_s == [-2.0]
    assert client.head.startswith(b"HTTP/1.1 504 ")
    record = desk.records[0]
    assert (record.outcome, record.reason, record.fault) == (
        "timeout",
        "deadline_exceeded",
        "caller",
    )


async def test_without_a_deadline_the_upstreams_own_limit_holds() -> None:
    upstream = ScriptedUpstream(Reason.CONNECT_FAILED)
    await handle(inbound(), RecordingClient(), plan(upstream), ListDesk())
    assert upstream.asked_within_s == [None]


async def test_a_caller_that_was_given_up_for_not_reading_has_not_left() -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED), b"a"))
    client, desk = RecordingClient(), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(wire)), desk), name="life"
    )
    for _ in range(5):
        await asyncio.sleep(0)
    client.has_stalled = True
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    record = desk.records[0]
    assert (record.outcome, record.reason) == ("aborted", "client_write_stall")
    assert [a.reason for a in record.attempts] == ["client_write_stall"]
