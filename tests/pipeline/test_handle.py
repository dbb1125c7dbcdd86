"""A request's whole life: it is settled once, and its wire is ended once, whatever happens."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.outcome import MEANING, Reason
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


async def test_a_good_answer_is_passed_on_in_one_write_and_the_wire_is_kept() -> None:
    wire = ScriptedWire(Read(response(200, (b"Content-Length", b"2")), b"ok", is_end=True))
    client, desk = RecordingClient(), ListDesk()
    header, body = sized(b"{}")
    await handle(inbound(header, body=body), client, plan(ScriptedUpstream(wire)), desk)
    assert wire.sent.endswith(b"Content-Length: 2\r\n\r\n{}")
    assert client.written == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert client.writes == 1
    assert wire.ends == ["given back"]
    [record] = desk.records
    assert (record.outcome, record.status, record.request_bytes) == ("ok", 200, 2)
    desk.assert_balanced()


async def test_a_refused_request_reaches_no_upstream_and_is_counted() -> None:
    upstream = ScriptedUpstream()
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(method="TRACE"), client, plan(upstream), desk)
    assert upstream.asked_for_new == []
    assert desk.records[0].reason == "method_not_allowed"
    desk.assert_balanced()


async def test_a_bug_of_ours_is_a_500_and_comes_out() -> None:
    class Broken(ScriptedUpstream):
        async def connect(self, must_be_new: bool) -> ScriptedWire | Reason:
            raise ZeroDivisionError

    client, desk = RecordingClient(), ListDesk()
    with pytest.raises(ZeroDivisionError):
        await handle(inbound(), client, plan(Broken()), desk)
    assert client.head.startswith(b"HTTP/1.1 500 ")
    assert (desk.records[0].outcome, desk.records[0].reason) == ("aborted", "internal_error")


async def test_a_bug_in_the_middle_of_a_stream_is_a_cut() -> None:
    wire = ScriptedWire(Read(response(200, CHUNKED), b"a"), Read(body=b"b"))
    client, desk = RecordingClient(), ListDesk()
    boom = desk.overhead_chunk

    def add(seconds: float) -> None:
        raise ZeroDivisionError

    boom.add = add  # type: ignore[method-assign]  # breaks the books on purpose
    with pytest.raises(ZeroDivisionError):
        await handle(inbound(), client, plan(ScriptedUpstream(wire)), desk)
    assert client.cuts == [False]
    assert wire.ends == ["dropped"]
    assert desk.records[0].reason == "internal_error"


_steps = st.lists(
    st.sampled_from(
        [
            Read(response(200, CHUNKED, SSE), b"data: 1\n\n"),
            Read(body=b"data: 2\n\n"),
            Read(body=b"data: [DONE]\n\n"),
            Read(body=b"", is_end=True),
            Reason.UPSTREAM_CUT,
            Reason.UPSTREAM_RESET,
            Reason.IDLE_TIMEOUT,
        ]
    ),
    max_size=6,
)


def _played(steps: list[Read | Reason]) -> list[Read | Reason]:
    """As a real wire would: the head comes first and once, nothing after the end."""
    played: list[Read | Reason] = []
    for step in steps:
        if isinstance(step, Read) and step.head is not None:
            if any(isinstance(s, Read) for s in played):
                continue
            step = Read(response(200, CHUNKED, SSE), step.body)
        elif isinstance(step, Read) and not played:
            continue
        played.append(step)
        if isinstance(step, Reason) or step.is_end:
            break
    return played


@settings(max_examples=200, deadline=None)
@given(
    _steps, st.integers(1, 14), st.booleans(), st.sampled_from(["none", "held", "streamed", "cut"])
)
def test_each_exchange_is_settled_once_and_its_wire_ended_once(
    steps: list[Read | Reason], leaves_after: int, holds: bool, upload: str
) -> None:
    """P3, at whatever moment the caller leaves, whatever the provider does."""

    async def scenario() -> None:
        wires = [ScriptedWire(*_played(steps), is_reused=True), ScriptedWire(*_played(steps))]
        client, desk = RecordingClient(holds=holds), ListDesk()
        headers, body = (), ScriptedBody()
        if upload == "held":
            header, body = sized(b"{}", b"{}")
            headers = (header,)
        elif upload == "streamed":
            header, body = sized(b"x" * 50, b"y" * 50, b"z" * 50)
            headers = (header,)
        elif upload == "cut":
            headers, body = (CHUNKED,), ScriptedBody(b"x" * 80, BodyError("broken"))
        request = inbound(*headers, body=body)
        life = asyncio.create_task(
            handle(request, client, plan(ScriptedUpstream(*wires)), desk), name="life"
        )
        for _ in range(leaves_after):
            await asyncio.sleep(0)
            desk.assert_balanced()
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        assert desk.started == 1
        assert len(desk.records) == 1
        assert not desk.in_flight
        [record] = desk.records
        if record.reason is not None:
            assert MEANING[Reason(record.reason)].outcome.value == record.outcome
        for wire in wires:
            if wire.sent:
                assert len(wire.ends) == 1
        if record.outcome == "ok":
            assert client.body
        desk.watches.tick(1e9)
        assert client.source is None

    asyncio.run(scenario())
