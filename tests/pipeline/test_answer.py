"""Our own answers: whole, in the caller's dialect, told apart from an upstream's."""

from __future__ import annotations

import json

import pytest

from sidecar.core.heads import UNREADABLE
from sidecar.core.outcome import Reason, Refusal
from sidecar.pipeline.answer import answer, answer_failure
from sidecar.pipeline.exchange import Exchange, Inbound

from .fakes import ListDesk, RecordingClient, ScriptedBody, ScriptedUpstream, inbound, plan

REFUSAL = Refusal(Reason.NO_ROUTE, "no such route", retry_after_s=7)


def _answered(request: Inbound, refusal: Refusal = REFUSAL) -> tuple[Exchange, RecordingClient]:
    client, desk = RecordingClient(), ListDesk()
    exchange = Exchange(request, client, plan(ScriptedUpstream()), desk)
    exchange.is_body_read = True
    answer(exchange, refusal, desk)
    return exchange, client


def test_a_failure_is_told_in_the_providers_own_shape_and_names_the_code() -> None:
    exchange, client = _answered(inbound(target="/v1/messages"))
    lines = client.head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 404 Not Found"
    assert b"x-sidecar-error: no_route" in lines
    assert b"retry-after: 7" in lines
    assert b"content-length: %d" % len(client.body) in lines
    body = json.loads(client.body)
    assert body["error"]["type"] == "not_found_error"
    assert body["error"]["sidecar"]["code"] == "no_route"
    assert (exchange.status, exchange.reason) == (404, Reason.NO_ROUTE)
    assert exchange.response_bytes == len(client.body)


def test_the_connection_stays_where_the_body_was_read() -> None:
    _, client = _answered(inbound())
    assert b"connection: close" not in client.head
    assert not client.will_close


def test_and_closes_where_bytes_of_it_may_still_come() -> None:
    client, desk = RecordingClient(), ListDesk()
    request = inbound((b"Content-Length", b"5"), body=ScriptedBody(hangs=True))
    answer(Exchange(request, client, plan(ScriptedUpstream()), desk), REFUSAL, desk)
    assert b"connection: close" in client.head
    assert client.will_close


def test_bytes_that_were_no_request_are_answered_and_closed() -> None:
    _, client = _answered(Inbound(UNREADABLE, ScriptedBody(), 0.0))
    assert client.will_close


def test_head_requests_get_a_head() -> None:
    exchange, client = _answered(inbound(method="HEAD"))
    assert client.body == b""
    assert exchange.response_bytes == 0
    assert b"content-length: " in client.head


def test_nothing_is_answered_once_bytes_went_out() -> None:
    client, desk = RecordingClient(), ListDesk()
    exchange = Exchange(inbound(), client, plan(ScriptedUpstream()), desk)
    exchange.status = 200
    answer(exchange, REFUSAL, desk)
    assert client.written == b""


@pytest.mark.parametrize("status", [None, 200])
def test_a_bug_is_a_500_or_a_cut(status: int | None) -> None:
    client, desk = RecordingClient(), ListDesk()
    exchange = Exchange(inbound(), client, plan(ScriptedUpstream()), desk)
    exchange.status = status
    answer_failure(exchange, desk)
    assert exchange.reason is Reason.INTERNAL_ERROR
    assert (client.cuts == [False]) is (status == 200)
    assert client.head.startswith(b"HTTP/1.1 500") is (status is None)
