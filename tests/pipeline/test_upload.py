"""The caller's body on its way up."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.outcome import Reason
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import BodyError
from sidecar.pipeline.relay import Relay
from sidecar.pipeline.upload import framed_whole, stream_up

from .fakes import (
    CHUNKED,
    ListDesk,
    RecordingClient,
    ScriptedBody,
    ScriptedUpstream,
    ScriptedWire,
    inbound,
    plan,
    sized,
)


def _exchange(
    *headers: tuple[bytes, bytes], body: ScriptedBody | None = None, limit: int | None = None
) -> Exchange:
    of = plan(ScriptedUpstream(), limit=limit)
    return Exchange(inbound(*headers, body=body), RecordingClient(), of, ListDesk())


@pytest.mark.parametrize(
    ("headers", "body", "framed"),
    [
        ([], b"", b""),
        ([(b"Content-Length", b"2")], b"ab", b"ab"),
        ([CHUNKED], b"ab", b"2\r\nab\r\n0\r\n\r\n"),
        ([CHUNKED], b"", b"0\r\n\r\n"),
    ],
)
def test_a_held_body_keeps_its_kind_of_framing(
    headers: list[tuple[bytes, bytes]], body: bytes, framed: bytes
) -> None:
    exchange = _exchange(*headers)
    assert framed_whole(exchange, body) == framed


async def test_a_sized_body_streams_as_it_is() -> None:
    header, body = sized(b"ab", b"cd", b"e")
    exchange = _exchange(header, body=body)
    wire = ScriptedWire()
    await stream_up(exchange, wire)
    assert wire.sent == b"abcde"
    assert exchange.request_bytes == 5
    assert exchange.is_body_read
    assert wire.sent_at is not None


async def test_a_chunked_one_stays_chunked_and_begins_with_what_was_held() -> None:
    exchange = _exchange(CHUNKED, body=ScriptedBody(b"cd"))
    exchange.body, exchange.request_bytes = b"ab", 2
    wire = ScriptedWire()
    await stream_up(exchange, wire)
    assert wire.sent == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    assert exchange.request_bytes == 4


@pytest.mark.parametrize(
    ("body", "limit", "reason"),
    [
        (ScriptedBody(b"ab", BodyError(Reason.BAD_REQUEST, "broken")), None, Reason.BAD_REQUEST),
        (ScriptedBody(b"ab", b"cd", b"ef"), 3, Reason.REQUEST_TOO_LARGE),
    ],
)
async def test_a_body_that_may_not_go_on_fails_the_attempt_and_is_never_whole(
    body: ScriptedBody, limit: int | None, reason: Reason
) -> None:
    exchange = _exchange(CHUNKED, body=body, limit=limit)
    wire = ScriptedWire()
    ending = wire.receive(Relay(exchange, ListDesk()), is_head=False)
    await stream_up(exchange, wire)
    assert await ending is reason
    assert not wire.sent.endswith(b"0\r\n\r\n")


async def test_a_slow_provider_holds_the_upload() -> None:
    header, body = sized(b"ab", b"cd")
    exchange = _exchange(header, body=body)
    wire = ScriptedWire(is_full=True)
    upload = asyncio.create_task(stream_up(exchange, wire), name="upload")
    for _ in range(10):
        await asyncio.sleep(0)
    assert wire.sent == b"ab"
    upload.cancel()
