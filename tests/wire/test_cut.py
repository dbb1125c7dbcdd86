"""What a provider breaks off arrives broken off: every byte up to the cut, and the cut.

Case numbers (T71 …) are those of the design's list of faults. Each test says what the client sees,
what the provider sees, and which outcome is recorded.
"""

from __future__ import annotations

import gzip
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from .caller import LAST_CHUNK, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import (
    Origin,
    Step,
    answer,
    bare_fin,
    fin,
    rst,
    send_many,
    sleep,
    until_left,
)
from .relay import Relay, Row

_SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
_CHUNKED_SSE = _SSE + b"Transfer-Encoding: chunked\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_CHAT = "/v1/chat/completions"
_numbers = itertools.count(1)


def _id() -> str:
    return f"cut-test-{next(_numbers)}"


def _ask(target: str, request_id: str, body: bytes | None = b"{}") -> bytes:
    return request(target, body, b"X-Request-ID: " + request_id.encode())


def _event(n: int) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % n


def _verdict(record: Row) -> tuple[object, object]:
    return record["outcome"], record["reason"]


# --- a provider that breaks off ---


def test_t71_a_reset_stream_is_whole_up_to_the_cut_and_cut(relay: Relay, side: Side) -> None:
    events = [chunk(_event(n)) for n in range(3)]
    target, path = side.script(answer(_CHUNKED_SSE, send_many(events), rst), end=_CHAT)
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert got.head == _CHUNKED_SSE
    assert got.body == b"".join(_event(n) for n in range(3))
    assert got.end is End.FIN
    record = relay.record(request_id)
    assert _verdict(record) == ("truncated", "upstream_cut")
    assert record["fault"] == "provider"
    assert record["status"] == record["upstream_status"] == 200
    assert record["response_bytes"] == sum(len(_event(n)) for n in range(3))
    # Never asked again: the provider would bill twice.
    assert [attempt["reason"] for attempt in record["attempts"]] == ["upstream_cut"]
    assert len(side.origin.seen(path)) == 1


@pytest.mark.parametrize("size_kib", [100, 400])
def test_t71b_a_slow_client_gets_every_byte_that_was_received_before_the_reset(
    relay: Relay, side: Side, size_kib: int
) -> None:
    body = b"".join(b"data: %08d\n\n" % n for n in range(size_kib * 64))
    pieces = [chunk(body[at : at + 8192]) for at in range(0, len(body), 8192)]
    target, path = side.script(answer(_CHUNKED_SSE, send_many(pieces), rst))
    request_id = _id()
    with Caller(relay.data, receive_buffer=4096) as caller:
        caller.send(_ask(target, request_id))
        # The provider has sent all, and is gone, before the first byte is read.
        assert eventually(lambda: side.origin.seen(path) and side.origin.seen(path)[0].is_whole)
        time.sleep(0.3)
        got = caller.answer()
    assert got.body == body
    assert got.end is End.FIN
    assert _verdict(relay.record(request_id)) == ("truncated", "upstream_cut")


def test_a_slow_client_gets_every_byte_of_an_upstream_that_ends_well(
    relay: Relay, side: Side
) -> None:
    """More than all buffers hold, so that reading is paused on the way."""
    body = bytes(range(256)) * 4 * 8192
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    target, _ = side.script(answer(head + body, fin))
    request_id = _id()
    with Caller(relay.data, receive_buffer=4096) as caller:
        caller.send(_ask(target, request_id))
        time.sleep(0.2)
        got = caller.answer()
    assert (got.body == body, got.end) == (True, End.WHOLE)
    assert relay.record(request_id)["outcome"] == "ok"


@pytest.mark.parametrize("ending", [fin, bare_fin, rst])
def test_t72_a_body_that_is_short_arrives_short(relay: Relay, side: Side, ending: Step) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    target, path = side.script(answer(head + b"x" * 60, ending))
    request_id = _id()
    with Caller(relay.data) as caller:
        caller.send(_ask(target, request_id))
        got, end = caller.read_to_end()
    assert (got, end) == (head + b"x" * 60, End.FIN)
    record = relay.record(request_id)
    assert record["outcome"] == "truncated"
    assert record["reason"] in ("short_body", "upstream_cut")
    assert record["response_bytes"] == 60
    assert len(side.origin.seen(path)) == 1


@pytest.mark.parametrize("ending", [fin, bare_fin])
def test_t73_a_close_delimited_stream_without_its_last_event_is_cut(
    relay: Relay, side: Side, ending: Step
) -> None:
    body = _event(1) + b"data: {"
    target, _ = side.script(answer(_SSE + b"\r\n" + body, ending), end=_CHAT)
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert got.header(b"transfer-encoding") == b"chunked"
    assert (got.body, got.end) == (body, End.FIN)
    assert _verdict(relay.record(request_id)) == ("truncated", "no_terminal_event")


def test_t73_a_close_delimited_stream_with_its_last_event_is_whole(
    relay: Relay, side: Side
) -> None:
    body = _event(1) + b"data: [DONE]\n\n"
    target, _ = side.script(answer(_SSE + b"\r\n" + body, fin), end=_CHAT)
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert (got.body, got.end) == (body, End.WHOLE)
    assert _verdict(relay.record(request_id)) == ("ok", None)


def test_t74_a_stream_that_ends_well_without_its_last_event_is_passed_on_and_told(
    relay: Relay, side: Side
) -> None:
    """The caller sees what a direct caller would; the books say what it was."""
    target, path = side.script(
        answer(_CHUNKED_SSE + chunk(_event(1)) + LAST_CHUNK),
        answer(_CHUNKED_SSE + chunk(_event(1)) + LAST_CHUNK),
        end=_CHAT,
    )
    for _ in range(2):
        request_id = _id()
        with Caller(relay.data) as caller:
            got = caller.ask(_ask(target, request_id))
        assert (got.body, got.end) == (_event(1), End.WHOLE)
        assert _verdict(relay.record(request_id)) == ("truncated", "no_terminal_event")
    assert len(side.origin.seen(path)) == 2


def test_a_caller_of_http_1_0_sees_a_cut_as_a_reset(relay: Relay, side: Side) -> None:
    """A FIN would be the regular end of its body."""
    target, _ = side.script(answer(_CHUNKED_SSE + chunk(_event(1)), sleep(0.05), rst), end=_CHAT)
    with Caller(relay.data) as caller:
        caller.send(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        got, end = caller.read_to_end()
    assert got.endswith(b"\r\n\r\n" + _event(1))
    assert end is End.RST


def test_a_caller_of_http_1_0_who_says_its_end_too_early_sees_the_cut_as_well(
    relay: Relay, plain: Side
) -> None:
    """It counts as gone, but it may read on."""
    ends = []
    for _ in range(10):
        target, _ = plain.script(answer(_CHUNKED_SSE + chunk(_event(1)), until_left), end=_CHAT)
        with Caller(relay.data) as caller:
            caller.send(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            caller.read_until(_event(1))
            caller.half_close()
            ends.append(caller.read_to_end()[1])
    assert ends == [End.RST] * 10


def test_broken_chunk_framing_is_a_cut(relay: Relay, side: Side) -> None:
    target, _ = side.script(answer(_CHUNKED_SSE + chunk(_event(1)), b"zz\r\nnonsense", until_left))
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert (got.body, got.end) == (_event(1), End.FIN)
    assert _verdict(relay.record(request_id)) == ("truncated", "bad_framing")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"text/event-stream", b'{"object":"chat.completion","choices":[]}'),
        (b"text/plain", _event(1) + b"data: [DONE]\n\n"),
        (b"application/json", _event(1)),
        (b"text/event-stream", b"\x00\xff\xfe" * 1000),
    ],
)
def test_t81_a_content_type_may_lie(
    relay: Relay, side: Side, content_type: bytes, body: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
    head %= content_type
    target, _ = side.script(answer(head + chunk(body) + LAST_CHUNK), end=_CHAT)
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, _id()))
    assert (got.head, got.body, got.end) == (head, body, End.WHOLE)


def test_t83_a_million_one_byte_chunks_cost_bounded_time(relay: Relay, side: Side) -> None:
    body = bytes(itertools.islice(itertools.cycle(range(33, 127)), 1_000_000))
    wire = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + LAST_CHUNK
    target, _ = side.script(answer(_CHUNKED_SSE, wire))
    before_s = relay.cpu_s
    with Caller(relay.data, timeout_s=60) as caller:
        got = caller.ask(_ask(target, _id()))
    assert (got.body == body, got.end) == (True, End.WHOLE)
    # About 1.5 µs a chunk on a usual machine; the bound is against the quadratic, not the slow.
    assert relay.cpu_s - before_s < 10


def test_t61_a_redirect_is_passed_and_not_followed(relay: Relay, side: Side) -> None:
    elsewhere = Origin()
    try:
        evil = elsewhere.at("/evil", answer(_OK))
        head = (
            b"HTTP/1.1 307 Temporary Redirect\r\n"
            b"Location: http://127.0.0.1:%d%b\r\nContent-Length: 4\r\n\r\n"
            % (elsewhere.port, evil.encode())
        )
        target, _ = side.script(answer(head + b"gone"))
        request_id = _id()
        with Caller(relay.data) as caller:
            got = caller.ask(_ask(target, request_id))
        assert (got.head, got.body) == (head, b"gone")
        assert elsewhere.connections == 0
        assert relay.record(request_id)["outcome"] == "ok"
    finally:
        elsewhere.close()


@pytest.mark.parametrize("ending", [fin, bare_fin], ids=["close_notify", "bare-fin"])
def test_t82_the_tail_survives_an_immediate_tls_close(
    relay: Relay, sides: dict[str, Side], ending: Step
) -> None:
    """2 MiB as the last chunk, then the end of the connection: 100 times each way, 16 at once."""
    tls = sides["tls"]
    body = bytes(range(256)) * 8192
    # It says that it will close, as an orderly server does; so the connection is not pooled, and
    # nobody is sent to one that is about to die.
    head = _CHUNKED_SSE[:-2] + b"Connection: close\r\n\r\n"
    target, _ = tls.script(answer(head + chunk(body) + LAST_CHUNK, ending))

    def fetch(_: int) -> tuple[int, bool, End]:
        with Caller(relay.data, timeout_s=60) as caller:
            got = caller.ask(_ask(target, _id()))
        return got.status, got.body == body, got.end

    with ThreadPoolExecutor(16) as callers:
        assert set(callers.map(fetch, range(100))) == {(200, True, End.WHOLE)}


# --- a provider that breaks before it answers ---


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((fin,), "upstream_reset"),
        ((rst,), "upstream_reset"),
        ((b"HTTP/1.1 200 OK\r\nContent-", fin), "upstream_reset"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n", until_left), "bad_upstream_response"),
        ((b"HTTP/1.1 abc\r\n\r\n", until_left), "bad_upstream_response"),
    ],
)
def test_no_answer_is_a_502_of_ours(
    relay: Relay, side: Side, steps: tuple[Step | bytes, ...], reason: str
) -> None:
    target, path = side.script(answer(*steps))
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert got.status == 502
    assert got.header(b"x-sidecar-error") == reason.encode()
    assert _verdict(relay.record(request_id)) == ("connect_failed", reason)
    assert len(side.origin.seen(path)) <= 2


@pytest.mark.parametrize("framing", ["chunked", "to the end"])
def test_t80_an_encoded_stream_hides_its_last_event_and_nothing_is_concluded(
    relay: Relay, side: Side, framing: str
) -> None:
    packed = gzip.compress(b'data: {"choices":[]}\n\ndata: [DONE]\n\n')
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
    if framing == "chunked":
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        steps = (head + chunk(packed) + LAST_CHUNK,)
    else:
        steps = (head + b"\r\n" + packed, fin)
    target, _ = side.script(answer(*steps), end="/v1/chat/completions")
    request_id = _id()
    with Caller(relay.data) as caller:
        got = caller.ask(_ask(target, request_id))
    assert (got.body, got.end) == (packed, End.WHOLE)
    assert _verdict(relay.record(request_id)) == ("ok", None)
