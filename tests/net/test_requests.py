"""Requests, read whole and byte by byte: what is taken, what is refused, what is held back."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.net.requests import MAX_FIELD_BYTES, MAX_FIELDS, RequestBody, RequestReader
from sidecar.pipeline.ports import BodyError


class Taker:
    """Keeps what the reader hands over, and whether it is held."""

    def __init__(self) -> None:
        self.requests: list[tuple[RequestHead, RequestBody]] = []
        self.refusal: Refusal | None = None
        self.written = b""
        self.is_held = False
        self.read_at = 0.0
        self.room = 1000

    def arrived(self, head: RequestHead, body: RequestBody) -> Refusal | None:
        if len(self.requests) == self.room:
            return Refusal(Reason.BAD_REQUEST, "one too many")
        self.requests.append((head, body))
        return None

    def refused(self, refusal: Refusal) -> None:
        assert self.refusal is None, "one connection is refused once"
        self.refusal = refusal

    def write(self, data: bytes) -> None:
        self.written += data

    def hold(self) -> None:
        self.is_held = True

    def release(self) -> None:
        self.is_held = False


def read(data: bytes, step: int) -> Taker:
    taker = Taker()
    reader = RequestReader(taker)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return taker


STEPS = pytest.mark.parametrize("step", [1, 7, 1 << 16, 1 << 20])
POST = b"POST /v1/x?y HTTP/1.1\r\nHost: a\r\n"


@STEPS
@pytest.mark.parametrize(
    ("framed", "body"),
    [
        (b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", b"hello"),
    ],
)
def test_a_body_is_taken_without_its_framing(step: int, framed: bytes, body: bytes) -> None:
    taker = read(POST + framed, step)
    [(head, taken)] = taker.requests
    assert (head.method, head.target, head.host) == ("POST", "/v1/x?y", b"a")
    assert taken.is_whole
    assert taken.take() == body
    assert taker.refusal is None


@STEPS
def test_trailers_are_dropped_and_reach_no_later_head(step: int) -> None:
    first = POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Admin: yes\r\n\r\n"
    taker = read(first + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n", step)
    [_, (head, _)] = taker.requests
    assert b"X-Admin" not in head.parts
    assert head.target == "/next"


@STEPS
def test_requests_that_come_together_arrive_in_their_order(step: int) -> None:
    taker = read(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(5)), step)
    assert [head.target for head, _ in taker.requests] == ["/0", "/1", "/2", "/3", "/4"]


REFUSED = [
    (b"garbage\r\n\r\n", Reason.BAD_REQUEST),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", Reason.BAD_REQUEST),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Reason.BAD_VERSION),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Reason.BAD_VERSION),
    (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Reason.BAD_VERSION),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", Reason.BAD_VERSION),
    (b"GET / HTTP/1\r\nHost: a\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET /\r\n\r\n", Reason.BAD_VERSION),
    (b"GET / HTTP/1.1\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET / HTTP/1.1\nHost: a\n\n", Reason.BAD_REQUEST),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Reason.BAD_REQUEST),
    (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", Reason.BAD_REQUEST),
    (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", Reason.BAD_REQUEST),
    (POST + b"Content-Length: +5\r\n\r\n", Reason.BAD_REQUEST),
    (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", Reason.BAD_REQUEST),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n", Reason.URI_TOO_LONG),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * MAX_FIELD_BYTES + b"\r\n\r\n",
        Reason.HEADER_TOO_LARGE,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * MAX_FIELDS + b"\r\n",
        Reason.HEADER_TOO_LARGE,
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 150_000, Reason.HEADER_TOO_LARGE),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: " + b"a" * 13_200 + b"\r\n") * 5 + b"\r\n",
        Reason.HEADER_TOO_LARGE,
    ),
]


@STEPS
@pytest.mark.parametrize(
    ("data", "reason"), REFUSED, ids=[f"{n}-{r.value}" for n, (_, r) in enumerate(REFUSED)]
)
def test_what_http_forbids_is_refused_once_and_nothing_arrives(
    step: int, data: bytes, reason: Reason
) -> None:
    taker = read(data + b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n", step)
    assert taker.requests == []
    assert taker.refusal is not None
    assert taker.refusal.reason is reason


def test_a_head_that_shares_its_first_read_with_a_large_body_is_not_large() -> None:
    first = POST + b"Content-Length: 100000\r\n\r\n" + b"a" * 100_000
    second = POST + b"X: y\r\n\r\n"
    taker = Taker()
    reader = RequestReader(taker)
    reader.feed(first + second[:30])
    reader.feed(second[30:])
    assert taker.refusal is None
    assert [len(body.take()) for _, body in taker.requests] == [100_000, 0]


@pytest.mark.parametrize(
    "endless", [b"5;" + b"a" * 65_000, b"0\r\nX: " + b"a" * 65_000, b"0\r\n" + b"X: a\r\n" * 12_000]
)
def test_an_extension_or_a_trailer_without_end_is_not_read_for_ever(endless: bytes) -> None:
    taker = Taker()
    reader = RequestReader(taker)
    reader.feed(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n" + endless)
    [(_, body)] = taker.requests
    assert body.take() == b"he"
    reader.feed(endless[-60_000:])
    assert body.take() == b""
    reader.feed(endless[-60_000:])
    with pytest.raises(BodyError):
        body.take()


def test_many_small_chunks_are_not_taken_for_that() -> None:
    taker = read(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;a=b\r\na\r\n" * 20_000, 5)
    [(_, body)] = taker.requests
    assert body.take() == b"a" * 20_000


def test_an_unknown_method_is_told_from_garbage() -> None:
    taker = read(b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 1 << 20)
    assert taker.refusal is not None
    assert taker.refusal.reason is Reason.NOT_IMPLEMENTED


def test_what_follows_a_refused_request_is_not_read() -> None:
    taker = read(b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n", 1 << 20)
    assert [head.target for head, _ in taker.requests] == ["/ok"]
    assert taker.refusal is not None


@STEPS
def test_the_body_of_a_declined_upgrade_is_read_to_its_end(step: int) -> None:
    upgrade = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    taker = read(upgrade + b"Content-Length: 5\r\n\r\nhelloGET /smuggled HTTP/1.1\r\n\r\n", step)
    [(head, body)] = taker.requests
    assert body.is_whole
    assert body.take() == b"hello"
    assert head.must_close
    assert taker.refusal is None


@STEPS
def test_nothing_after_a_request_that_closes_is_a_request(step: int) -> None:
    data = (
        b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    taker = read(data, step)
    assert [head.target for head, _ in taker.requests] == ["/a"]
    assert taker.refusal is None


@STEPS
def test_a_body_with_broken_chunks_fails_for_whoever_takes_it(step: int) -> None:
    taker = read(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", step)
    [(_, body)] = taker.requests
    assert not body.is_whole
    with pytest.raises(BodyError):
        body.take()
    assert taker.refusal is None


async def test_a_broken_body_leaves_nothing_to_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        taker = read(POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 1 << 20)
        for _ in range(2):
            with pytest.raises(BodyError, match="breaks its own framing"):
                await taker.requests[0][1].more()
        taker.requests.clear()
        assert [o for o in gc.get_objects() if isinstance(o, RequestBody)] == []
    finally:
        gc.enable()


def test_a_caller_is_held_while_64_kib_of_its_body_wait() -> None:
    taker = Taker()
    reader = RequestReader(taker)
    reader.feed(POST + b"Content-Length: 200000\r\n\r\n")
    reader.feed(b"a" * 60_000)
    assert not taker.is_held
    reader.feed(b"a" * 60_000)
    assert taker.is_held
    assert len(taker.requests[0][1].take()) == 120_000
    assert not taker.is_held


async def test_a_body_is_waited_for_and_asked_for_once() -> None:
    taker = Taker()
    reader = RequestReader(taker)
    reader.feed(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    [(_, body)] = taker.requests
    waiting = asyncio.create_task(body.more(), name="more")
    await asyncio.sleep(0)
    assert taker.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    reader.feed(b"ab")
    assert await waiting == b"ab"
    waiting = asyncio.create_task(body.more(), name="more")
    await asyncio.sleep(0)
    reader.feed(b"cd")
    assert await waiting == b"cd"
    assert await body.more() == b""
    assert taker.written.count(b"100 Continue") == 1


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=6),
    st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=30),
)
def test_any_chunks_cut_anywhere_give_the_same_body(pieces: list[bytes], cuts: list[int]) -> None:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"
    taker = Taker()
    reader = RequestReader(taker)
    at, turn = 0, 0
    while at < len(data):
        step = cuts[turn % len(cuts)]
        reader.feed(data[at : at + step])
        at, turn = at + step, turn + 1
    [(_, body)] = taker.requests
    assert body.is_whole
    assert body.take() == b"".join(pieces)
