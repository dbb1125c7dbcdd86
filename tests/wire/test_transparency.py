"""No byte is invented, dropped, reordered or re-encoded: raw sockets on both ends say so."""

from __future__ import annotations

import gzip
import os
import threading
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .caller import LAST_CHUNK, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import Step, answer, bare_fin, fin, send_many, wait_for
from .relay import Relay

_MIB = 1 << 20
_EVENT = '{"choices":[{"delta":{"content":"héllo \\u00e9 🎉"}}]}'.encode()
_SSE_LF = (
    b": hello\n\nevent: x\nid: 7\ndata: " + _EVENT + b"\n\ndata: a\ndata: b\n\ndata: [DONE]\n\n"
)
_NDJSON = b'{"response":"a","done":false}\n{"response":"\xc3\xa9","done":true}\n'

_BODIES = {
    "json": (b"application/json", b'{"a": [1, 2.50, "\\u00e9", null],  "a":1}\n'),
    "json-with-white-space-before": (b"application/json", b"\n         \n" * 9 + b"{}"),
    "sse-lf": (b"text/event-stream", _SSE_LF),
    "sse-crlf": (b"text/event-stream; charset=utf-8", _SSE_LF.replace(b"\n", b"\r\n")),
    "sse-cr": (b"text/event-stream", _SSE_LF.replace(b"\n", b"\r")),
    "sse-bom": (b"text/event-stream", b"\xef\xbb\xbf" + _SSE_LF),
    "sse-comments-only": (b"text/event-stream", b": ping\n\n:\n\n: OPENROUTER PROCESSING\n\n"),
    "sse-without-last-line-end": (b"text/event-stream", _SSE_LF[:-2]),
    "ndjson": (b"application/x-ndjson", _NDJSON),
    "binary": (b"application/octet-stream", bytes(range(256)) * 4096),
    "looks-like-framing": (b"text/plain", b"0\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    "empty": (b"application/json", b""),
}


def _cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def _fixed(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _chunked(*headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n"


@pytest.mark.parametrize("kind", _BODIES)
def test_a_body_of_fixed_length_arrives_as_it_was_sent(relay: Relay, side: Side, kind: str) -> None:
    content_type, body = _BODIES[kind]
    head = _fixed(body, b"Content-Type: " + content_type)
    target, _ = side.script(answer(head + body))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert (got.head, got.body, got.end) == (head, body, End.WHOLE)


@pytest.mark.parametrize("kind", _BODIES)
def test_a_chunked_body_arrives_as_it_was_sent(relay: Relay, side: Side, kind: str) -> None:
    content_type, body = _BODIES[kind]
    head = _chunked(b"Content-Type: " + content_type)
    pieces = [chunk(piece) for piece in _cut(body, max(1, len(body) // 5))]
    target, _ = side.script(answer(head, send_many([*pieces, LAST_CHUNK])))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
        again = caller.ask(request(target))
    assert (got.head, got.body, got.end) == (head, body, End.WHOLE)
    assert again == got or again.body == body


@pytest.mark.parametrize("ending", [fin, bare_fin])
def test_a_body_that_ends_with_its_connection_arrives_chunked(
    relay: Relay, side: Side, ending: Step
) -> None:
    body = bytes(range(256)) * 1000
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    target, _ = side.script(answer(head + b"\r\n" + body, ending))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert got.head == head + b"transfer-encoding: chunked\r\n\r\n"
    assert (got.body, got.end) == (body, End.WHOLE)


def test_an_event_stream_may_be_split_anywhere(relay: Relay, side: Side) -> None:
    body = _SSE_LF.replace(b"\n", b"\r\n")
    head = _chunked(b"Content-Type: text/event-stream")
    scripts = [
        answer(head, send_many([chunk(body[:at]), chunk(body[at:]) + LAST_CHUNK]))
        for at in range(1, len(body))
    ]
    bytewise = answer(
        head, send_many([chunk(body[at : at + 1]) for at in range(len(body))] + [LAST_CHUNK])
    )
    target, _ = side.script(*scripts, bytewise)
    with Caller(relay.data) as caller:
        for _ in range(len(scripts) + 1):
            got = caller.ask(request(target))
            assert (got.body, got.end) == (body, End.WHOLE)


def test_framing_itself_may_be_split_anywhere(relay: Relay, side: Side) -> None:
    """The head, the chunk sizes and the last chunk, one byte a write."""
    whole = _chunked(b"Content-Type: text/event-stream") + chunk(_SSE_LF) + LAST_CHUNK
    target, _ = side.script(answer(send_many(_cut(whole, 1))))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert (got.body, got.end) == (_SSE_LF, End.WHOLE)


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        (b"gzip", gzip.compress),
        (b"deflate", zlib.compress),
        # Never decoded, so it does not matter that this is neither brotli nor anything.
        (b"br", lambda body: bytes(byte ^ 0x5A for byte in body)),
        (b"gzip", lambda body: b"\x1f\x8b\x08 no gzip at all " + body),
        (b"x-unheard-of", lambda body: body),
    ],
)
def test_encoded_bodies_stay_encoded(
    relay: Relay, side: Side, coding: bytes, encode: object
) -> None:
    assert callable(encode)
    body = encode(_SSE_LF * 20)
    head = _chunked(b"Content-Type: text/event-stream", b"Content-Encoding: " + coding)
    target, path = side.script(
        answer(head, send_many([chunk(piece) for piece in _cut(body, 97)] + [LAST_CHUNK]))
    )
    ask = request(target, body, b"Accept-Encoding: br, gzip;q=0.1", b"Content-Encoding: " + coding)
    with Caller(relay.data) as caller:
        got = caller.ask(ask)
    assert (got.head, got.body, got.end) == (head, body, End.WHOLE)
    seen = side.origin.seen(path)[0]
    assert bytes(seen.body) == body
    assert seen.header(b"accept-encoding") == b"br, gzip;q=0.1"


@pytest.mark.parametrize("size", [0, 1, 65_536, 5 * _MIB])
def test_a_request_body_of_fixed_length_goes_up_as_it_is(
    relay: Relay, side: Side, size: int
) -> None:
    """Below the replay limit it is held, above it streams; the bytes are the same."""
    body = os.urandom(size)
    target, path = side.script(answer(_fixed(b"")))
    with Caller(relay.data) as caller:
        caller.ask(request(target, body, b"Content-Type: application/octet-stream"))
    seen = side.origin.seen(path)[0]
    assert bytes(seen.raw_body) == body
    assert seen.header(b"content-length") == b"%d" % size
    assert seen.header(b"transfer-encoding") is None


@pytest.mark.parametrize("size", [0, 1, 70_000, 5 * _MIB])
def test_a_chunked_request_body_stays_chunked(relay: Relay, side: Side, size: int) -> None:
    body = os.urandom(size)
    target, path = side.script(answer(_fixed(b"")))
    with Caller(relay.data) as caller:
        caller.send(request(target, None, b"Transfer-Encoding: chunked", method="POST"))
        for piece in _cut(body, 300_007):
            caller.send(chunk(piece))
        caller.send(LAST_CHUNK)
        got = caller.answer()
    assert got.status == 200
    seen = side.origin.seen(path)[0]
    assert bytes(seen.body) == body
    assert seen.header(b"transfer-encoding") == b"chunked"
    assert seen.header(b"content-length") is None


def test_a_large_upload_streams_and_is_not_kept(relay: Relay, side: Side) -> None:
    """60 MiB of multipart: the provider reads while the caller still sends."""
    boundary = b"----b0undary"
    opening = (
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; '
        b'filename="a\xe9.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    )
    closing = b"\r\n--" + boundary + b"--\r\n"
    block = os.urandom(_MIB)
    size = len(opening) + 60 * _MIB + len(closing)
    target, path = side.script(answer(_fixed(b"{}") + b"{}"))
    with Caller(relay.data, timeout_s=60) as caller, relay.peak_rss() as rss:
        caller.send(
            request(
                target,
                None,
                b"Content-Type: multipart/form-data; boundary=" + boundary,
                b"Content-Length: %d" % size,
                method="POST",
            )
        )
        caller.send(opening)
        for _ in range(20):
            caller.send(block)
        assert eventually(
            lambda: side.origin.seen(path) and len(side.origin.seen(path)[0].body) > 10 * _MIB
        )
        for _ in range(40):
            caller.send(block)
        caller.send(closing)
        got = caller.answer()
    assert got.body == b"{}"
    seen = side.origin.seen(path)[0]
    assert bytes(seen.raw_body) == opening + block * 60 + closing
    seen.raw_body.clear()
    seen.body.clear()
    assert max(rss) - rss[0] < 12 * _MIB


def test_what_was_sent_leaves_before_more_comes(relay: Relay, side: Side) -> None:
    """Head and first bytes in one read; then each piece by itself, none waits for the next."""
    go_on = threading.Event()
    head = _chunked(b"Content-Type: text/event-stream")
    target, _ = side.script(
        answer(head + chunk(b"data: 1\n\n"), wait_for(go_on), chunk(b"data: 2\n\n") + LAST_CHUNK)
    )
    with Caller(relay.data) as caller:
        caller.send(request(target))
        assert caller.read_some() == head + chunk(b"data: 1\n\n")
        go_on.set()
        assert caller.read_some() == chunk(b"data: 2\n\n") + LAST_CHUNK


def test_a_caller_of_http_1_0_gets_a_body_that_ends_with_the_connection(
    relay: Relay, side: Side
) -> None:
    head = _chunked(b"Content-Type: text/plain")
    target, path = side.script(answer(head, chunk(b"one") + chunk(b"two") + LAST_CHUNK))
    with Caller(relay.data) as caller:
        got = caller.ask(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert (got.header(b"transfer-encoding"), got.body, got.end) == (None, b"onetwo", End.WHOLE)
    assert side.origin.seen(path)[0].head.startswith(f"GET {path} HTTP/1.1\r\n".encode())


def test_requests_that_were_sent_together_are_answered_in_their_order(
    relay: Relay, side: Side
) -> None:
    targets = [side.script(answer(_fixed(b"0") + b"%d" % n))[0] for n in range(8)]
    with Caller(relay.data) as caller:
        caller.send(b"".join(request(target) for target in targets))
        assert [caller.answer().body for _ in targets] == [b"%d" % n for n in range(8)]


_quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_pieces = st.lists(
    st.binary(max_size=3000) | st.sampled_from([_SSE_LF, b"\r\n", b"0\r\n\r\n"]), max_size=12
)


@_quick
@given(pieces=_pieces, is_chunked=st.booleans(), cut=st.integers(1, 4000))
def test_any_answer_in_any_pieces_arrives(
    relay: Relay, side: Side, pieces: list[bytes], is_chunked: bool, cut: int
) -> None:
    body = b"".join(pieces)
    if is_chunked:
        head = _chunked(b"Content-Type: text/event-stream")
        wire = head + b"".join(chunk(piece) for piece in pieces if piece) + LAST_CHUNK
    else:
        head = _fixed(body)
        wire = head + body
    target, _ = side.script(answer(send_many(_cut(wire, max(cut, len(wire) // 50)))))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target))
    assert (got.head, got.body, got.end) == (head, body, End.WHOLE)


@_quick
@given(pieces=_pieces, is_chunked=st.booleans(), cut=st.integers(1, 4000))
def test_any_request_in_any_pieces_goes_up(
    relay: Relay, side: Side, pieces: list[bytes], is_chunked: bool, cut: int
) -> None:
    body = b"".join(pieces)
    target, path = side.script(answer(_fixed(b"")))
    if is_chunked:
        wire = request(target, None, b"Transfer-Encoding: chunked", method="POST")
        wire += b"".join(chunk(piece) for piece in pieces if piece) + LAST_CHUNK
    else:
        wire = request(target, body)
    with Caller(relay.data) as caller:
        for piece in _cut(wire, max(cut, len(wire) // 50)):
            caller.send(piece)
        got = caller.answer()
    assert got.status == 200
    assert bytes(side.origin.seen(path)[0].body) == body
