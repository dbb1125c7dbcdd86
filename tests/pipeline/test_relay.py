"""Framing for the caller, and whether it has all."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.operations import operation_of
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.relay import Relay

from .fakes import (
    CHUNKED,
    SSE,
    ListDesk,
    RecordingClient,
    ScriptedUpstream,
    inbound,
    plan,
    response,
)


def _relay(client: RecordingClient) -> tuple[Relay, Exchange, ListDesk]:
    desk = ListDesk()
    exchange = Exchange(inbound(), client, plan(ScriptedUpstream()), desk)
    exchange.is_body_read = True
    exchange.operation = operation_of("POST", exchange.head.path)
    return Relay(exchange, desk), exchange, desk


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8))
def test_a_chunked_body_is_the_same_bytes_in_chunks_of_what_was_read(pieces: list[bytes]) -> None:
    client = RecordingClient()
    relay, exchange, desk = _relay(client)
    relay.take(response(200, CHUNKED), b"", False, 0.0)
    for piece in pieces:
        relay.more(piece, 0.0)
    relay.take(None, b"", True, 0.0)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    assert client.body == chunks + b"0\r\n\r\n"
    assert exchange.response_bytes == sum(map(len, pieces))
    assert relay.is_whole
    assert desk.overhead_response.count == 1


@given(st.binary(max_size=50))
def test_a_sized_body_is_the_same_bytes(body: bytes) -> None:
    client = RecordingClient()
    relay, _, _ = _relay(client)
    relay.take(response(200, (b"Content-Length", b"%d" % len(body))), body, True, 0.0)
    assert client.body == body
    assert client.writes == 1


def test_a_caller_of_http_1_0_gets_bare_bytes_and_a_reset_for_a_cut() -> None:
    client = RecordingClient(speaks_chunked=False)
    relay, _, _ = _relay(client)
    relay.take(response(200, CHUNKED), b"ab", False, 0.0)
    assert client.body == b"ab"
    assert b"connection: close" in client.head
    assert relay.must_reset


def test_an_answer_without_a_body_ends_with_its_head() -> None:
    client = RecordingClient()
    relay, _, _ = _relay(client)
    relay.take(response(204, has_body=False), b"", True, 0.0)
    assert client.body == b""
    assert relay.is_whole


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_that_calls_itself_a_stream_owes_no_last_event(status: int) -> None:
    relay, _, _ = _relay(RecordingClient())
    relay.take(response(status, CHUNKED, SSE), b"{}", True, 0.0)
    assert not relay.is_unfinished


def test_the_caller_has_all_once_the_last_event_went_out() -> None:
    relay, _, _ = _relay(RecordingClient())
    relay.take(response(200, CHUNKED, SSE), b"data: 1\n\n", False, 0.0)
    assert not relay.is_delivered
    relay.more(b"data: [DONE]\n\n", 0.0)
    assert relay.is_delivered
    assert not relay.is_whole


def test_interim_answers_go_to_those_who_can_read_them() -> None:
    for speaks_chunked, sent in ((True, b"HTTP/1.1 103 OK\r\nLink: x\r\n\r\n"), (False, b"")):
        client = RecordingClient(speaks_chunked=speaks_chunked)
        desk = ListDesk()
        relay = Relay(Exchange(inbound(), client, plan(ScriptedUpstream()), desk), desk)
        relay.interim(response(103, (b"Link", b"x"), has_body=False))
        assert client.written == sent
        assert not relay.has_begun


async def test_101_makes_a_tunnel_of_it() -> None:
    client, desk = RecordingClient(), ListDesk()
    client.will_close = True
    relay = Relay(Exchange(inbound(), client, plan(ScriptedUpstream()), desk), desk)
    relay.switched = asyncio.Event()
    upgrade = ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    relay.take(response(101, *upgrade, has_body=False), b"", False, 0.0)
    assert client.head == b"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket"
    assert client.is_tunnel
    assert relay.switched.is_set()
    relay.more(b"frame", 0.0)
    assert client.body == b"frame"
    assert relay.must_reset
    assert not relay.is_delivered
