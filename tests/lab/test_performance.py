"""On bare sockets: when pieces leave, and how each fault ends the connection."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from sidecar.lab.damage import GARBAGE
from sidecar.lab.mock import Mock

from .conftest import Ask

_FAST = "ttft=0ms,gap=0ms,tokens=8"
_CASES = [
    ("/v1/chat/completions", b'"content":"'),
    ("/v1/responses", b'"response.output_text.delta","'),
    ("/v1/messages", b'"text_delta"'),
]


def _body(model: str, **more: object) -> dict[str, object]:
    return {"model": model, "stream": True, "messages": [], "input": "x", **more}


def _words(raw: bytes, mark: bytes) -> int:
    """Generated events; chat's role chunk has an empty content and counts not."""
    return raw.count(mark) - raw.count(b'"content":"","refusal"')


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_a_whole_stream_ends_cleanly(ask: Ask, path: str, mark: bytes) -> None:
    heard = ask(path, _body(f"mock,{_FAST}"))
    assert (_words(heard.raw, mark), heard.ends_cleanly, heard.ending) == (8, True, "fin")
    assert b"text/event-stream; charset=utf-8" in heard.head


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_cut_ends_cleanly_without_the_last_event(ask: Ask, path: str, mark: bytes) -> None:
    heard = ask(path, _body(f"mock,{_FAST},fault=cut@5"))
    assert (_words(heard.raw, mark), heard.ends_cleanly, heard.ending) == (5, True, "fin")
    assert b"[DONE]" not in heard.raw
    assert b"event: response.completed" not in heard.raw
    assert b"event: message_stop" not in heard.raw


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_reset_is_a_reset_after_every_event_before_it_was_read(
    ask: Ask, path: str, mark: bytes
) -> None:
    heard = ask(path, _body(f"mock,{_FAST},fault=reset@5"))
    assert (_words(heard.raw, mark), heard.ends_cleanly, heard.ending) == (5, False, "reset")


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_stall_is_silence_on_an_open_connection(ask: Ask, path: str, mark: bytes) -> None:
    heard = ask(path, _body(f"mock,{_FAST},fault=stall@5"), patience_s=0.15)
    assert (_words(heard.raw, mark), heard.ends_cleanly, heard.ending) == (5, False, "open")


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_error_is_an_event_of_the_dialect_and_then_the_end(
    ask: Ask, path: str, mark: bytes
) -> None:
    heard = ask(path, _body(f"mock,{_FAST},fault=error@5"))
    assert (_words(heard.raw, mark), heard.ends_cleanly, heard.ending) == (5, True, "fin")
    assert b'"error":{' in heard.chunks[-1]


@pytest.mark.parametrize(("path", "mark"), _CASES)
def test_after_garbage_the_stream_goes_on_to_its_end(ask: Ask, path: str, mark: bytes) -> None:
    heard = ask(path, _body(f"mock,{_FAST},fault=garbage@5"))
    assert GARBAGE in heard.raw
    assert (_words(heard.raw.replace(GARBAGE, b""), mark), heard.ends_cleanly) == (8, True)


def test_drip_sends_every_byte_in_a_chunk_of_its_own(ask: Ask) -> None:
    whole = ask("/v1/messages", _body("mock,ttft=0ms,gap=0ms,tokens=2"))
    dripped = ask("/v1/messages", _body("mock,ttft=0ms,gap=0ms,tokens=2,fault=drip"))
    assert {len(chunk) for chunk in dripped.chunks} == {1}
    assert b"".join(dripped.chunks).count(b"event:") == b"".join(whole.chunks).count(b"event:")
    assert dripped.ends_cleanly


@pytest.mark.parametrize("is_stream", [True, False])
def test_refuse_closes_without_a_byte(ask: Ask, is_stream: bool) -> None:
    heard = ask("/v1/chat/completions", _body("mock,fault=refuse", stream=is_stream))
    assert (heard.raw, heard.ending) == (b"", "fin")


@pytest.mark.parametrize("is_stream", [True, False])
def test_hang_is_silence_before_the_head(ask: Ask, is_stream: bool) -> None:
    body = _body("mock,ttft=0ms,fault=hang", stream=is_stream)
    heard = ask("/v1/chat/completions", body, patience_s=0.15)
    assert (heard.raw, heard.ending) == (b"", "open")


def test_a_status_comes_at_once_with_retry_after(ask: Ask) -> None:
    heard = ask("/v1/messages", _body("mock,ttft=60s,fault=status=429,retry-after=2"))
    assert heard.head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nretry-after: 2\r\n" in heard.head
    assert b'"rate_limit_error"' in heard.raw


@pytest.mark.parametrize(
    ("fault", "ending", "promises_length"),
    [("cut@5", "fin", False), ("reset@5", "reset", True), ("stall@5", "open", True)],
)
def test_a_buffered_answer_breaks_in_its_middle(
    ask: Ask, fault: str, ending: str, promises_length: bool
) -> None:
    body = _body(f"mock,{_FAST},fault={fault}", stream=False)
    heard = ask("/v1/chat/completions", body, patience_s=0.15)
    assert heard.ending == ending
    assert (b"content-length" in heard.head.lower()) is promises_length
    assert b'"object": "chat.completion"' in heard.raw
    assert b'"system_fingerprint"' not in heard.raw


def test_an_error_that_cannot_be_an_event_is_a_status(ask: Ask) -> None:
    heard = ask("/v1/chat/completions", _body(f"mock,{_FAST},fault=error@5", stream=False))
    assert heard.head.startswith(b"HTTP/1.1 500 ")


def test_events_keep_their_schedule_and_do_not_drift(mock: Mock) -> None:
    """Head half-way to the first token; the last of 21 events 20 gaps after the first."""

    async def watch() -> tuple[float, float, float]:
        body = _body("mock,ttft=200ms,gap=15ms,tokens=21")
        async with aiohttp.ClientSession() as session:
            # So that no connecting is timed.
            async with session.get(f"{mock.url}/v1/models") as response:
                await response.read()
            began_at = time.perf_counter()
            url = f"{mock.url}/v1/chat/completions"
            async with session.post(url, json=body) as response:
                head_s = time.perf_counter() - began_at
                times_s = []
                async for line in response.content:
                    if b'"content":"' in line and b'"content":"",' not in line:
                        times_s.append(time.perf_counter() - began_at)
        return head_s, times_s[0], times_s[-1]

    head_s, first_s, last_s = asyncio.run(watch())
    assert 0.1 <= head_s < 0.2
    assert 0.2 <= first_s < 0.4
    assert 0.5 <= last_s < 0.7


def test_a_buffered_answer_comes_when_its_stream_would_have_ended(ask: Ask) -> None:
    began_at = time.perf_counter()
    body = _body("mock,ttft=100ms,gap=10ms,tokens=11", stream=False)
    heard = ask("/v1/messages", body, headers="anthropic-version: 2023-06-01\r\n")
    assert 0.2 <= time.perf_counter() - began_at < 0.6
    assert b"server-timing: x-originResponse;dur=2" in heard.head


def test_a_caller_that_speaks_http_1_0_gets_a_body_that_ends_with_the_connection(
    mock: Mock,
) -> None:
    async def ask_old() -> bytes:
        reader, writer = await asyncio.open_connection(mock.address.host, mock.address.port)
        body = b'{"model":"mock,ttft=0ms,gap=0ms,tokens=3","stream":true,"messages":[]}'
        writer.write(
            b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        heard = await reader.read()
        writer.close()
        return heard

    heard = asyncio.run(ask_old())
    assert b"transfer-encoding" not in heard.lower()
    assert heard.endswith(b"data: [DONE]\n\n")
