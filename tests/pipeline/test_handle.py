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


async def test_it_is_not_over_before_the_caller_has_the_last_byte() -> None:
    wire = ScriptedWire(Read(response(200, (b"Content-Length", b"2")), b"ok", is_end=True))
    client, desk = RecordingClient(holds=True), ListDesk()
    life = asyncio.create_task(
        handle(inbound(), client, plan(ScriptedUpstream(wire)), desk), name="life"
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert client.body == b"ok"
    assert wire.ends == ["given back"]
    assert desk.records == []
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert desk.records[0].outcome == "client_cancelled"


async def test_a_refused_request_reaches_no_upstream_and_is_counted() -> None:
    upstream = ScriptedUpstream()
    client, desk = RecordingClient(), ListDesk()
    await handle(inbound(method="TRACE"), client, plan(upstream), desk)
    assert upstream.asked_for_new == []
    assert desk.records[0].reason == "method_not_allowed"
    desk.assert_balanced()


async def test_a_bug_of_ours_is_a_500_and_comes_out() -> None:
    class Broken(ScriptedUpstream):
        async def connect(self, must_be_new: bool, within_s: float | None) -> ScriptedWire | Reason:
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


@settings(max_examples=400, deadline=None)
@given(
    steps=_steps,
    leaves_after=st.integers(1, 40),
    connects_in=st.integers(0, 3),
    may_connect=st.booleans(),
    holds=st.booleans(),
    is_full=st.booleans(),
    is_old=st.booleans(),
    upload=st.sampled_from(["none", "held", "hangs", "streamed", "cut"]),
)
def test_each_exchange_is_settled_once_and_each_wire_ended_once(
    steps: list[Read | Reason],
    leaves_after: int,
    connects_in: int,
    may_connect: bool,
    holds: bool,
    is_full: bool,
    is_old: bool,
    upload: str,
) -> None:
    """P3, at whatever moment the caller leaves, whatever the provider does."""

    async def scenario() -> None:
        played = _played(steps)
        wires = [
            ScriptedWire(*played, is_reused=reused, is_full=is_full) for reused in (True, False)
        ]
        upstream = ScriptedUpstream(
            *(wires if may_connect else [Reason.CONNECT_FAILED]), connects_in=connects_in
        )
        client = RecordingClient(speaks_chunked=not is_old, holds=holds)
        desk = ListDesk()
        headers, body = _UPLOADS[upload]()
        request = inbound(*headers, body=body, minor=0 if is_old else 1)
        life = asyncio.create_task(handle(request, client, plan(upstream), desk), name="life")
        for _ in range(leaves_after):
            await asyncio.sleep(0)
            desk.assert_balanced()
        life.cancel()
        [end] = await asyncio.gather(life, return_exceptions=True)
        # Nothing broke: also not the fakes' own assertions.
        assert end is None or isinstance(end, asyncio.CancelledError), repr(end)
        desk.assert_balanced()
        assert (desk.started, len(desk.records), desk.in_flight) == (1, 1, set())
        [record] = desk.records
        assert [len(wire.ends) for wire in upstream.handed_out] == [1] * len(upstream.handed_out)
        if record.reason is not None:
            assert MEANING[Reason(record.reason)].outcome.value == record.outcome
        if record.outcome == "ok":
            # Never a success that was none: the stream had said its last event.
            assert b"data: [DONE]" in client.body
        # Nothing that looks after an exchange outlives it.
        assert client.source is None
        assert not desk.watches._watches
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if task.get_name() == "upload"] == []

    asyncio.run(scenario())


def _sized_upload(*pieces: bytes) -> tuple[tuple[tuple[bytes, bytes], ...], ScriptedBody]:
    header, body = sized(*pieces)
    return (header,), body


_UPLOADS = {
    "none": lambda: ((), ScriptedBody()),
    "held": lambda: _sized_upload(b"{}", b"{}"),
    "hangs": lambda: (((b"Content-Length", b"9"),), ScriptedBody(b"{", hangs=True)),
    "streamed": lambda: _sized_upload(b"x" * 50, b"y" * 50, b"z" * 50),
    "cut": lambda: ((CHUNKED,), ScriptedBody(b"x" * 80, BodyError(Reason.BAD_REQUEST, "broken"))),
}
