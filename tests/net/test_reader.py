"""Responses, read whole and byte by byte: what is pushed on, refused, and used again."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Reason
from sidecar.core.response_heads import ResponseHead
from sidecar.net.reader import ResponseReader

STEPS = pytest.mark.parametrize("step", [1, 5, 1 << 20])


class Kept:
    """A sink that keeps all."""

    def __init__(self) -> None:
        self.heads: list[ResponseHead] = []
        self.interim_status: list[int] = []
        self.body = b""
        self.is_whole = False

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        assert not self.is_whole, "nothing comes after the end"
        if head is not None:
            self.heads.append(head)
        self.body += body
        self.is_whole = is_end

    def interim(self, head: ResponseHead) -> None:
        assert not self.heads
        self.interim_status.append(head.status)

    def more(self, body: bytes, read_at: float) -> None:
        assert self.heads
        self.take(None, body, False, read_at)


async def read(
    data: bytes, step: int, *, is_head: bool = False, may_switch: bool = False
) -> tuple[Kept, ResponseReader, asyncio.Future[Reason | None]]:
    kept = Kept()
    ending: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
    reader = ResponseReader(kept, is_head, may_switch, ending)
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
    return kept, reader, ending


WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        b"x",
    ),
]


@STEPS
@pytest.mark.parametrize(("data", "body"), WHOLE, ids=range(len(WHOLE)))
async def test_a_whole_response_is_pushed_on_without_its_framing(
    step: int, data: bytes, body: bytes
) -> None:
    kept, reader, ending = await read(data, step)
    assert ending.result() is None
    assert kept.body == body
    assert kept.is_whole
    [head] = kept.heads
    assert b"Link" not in head.parts, "what an interim answer said is not the final one's"
    assert reader.is_clean


@STEPS
async def test_chunk_extensions_and_trailers_are_dropped(step: int) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n0\r\nX-Late: 1\r\n\r\n"
    )
    kept, reader, ending = await read(data, step)
    assert ending.result() is None
    assert kept.body == b"abc"
    assert b"X-Late" not in kept.heads[0].parts
    assert reader.is_clean


@STEPS
async def test_the_answer_to_head_ends_with_its_head(step: int) -> None:
    kept, _, ending = await read(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", step, is_head=True
    )
    assert ending.result() is None
    assert kept.is_whole


@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["fin", "reset"])
@pytest.mark.parametrize(("data", "body"), WHOLE, ids=range(len(WHOLE)))
async def test_an_end_at_any_byte_never_makes_a_whole_response(
    data: bytes, body: bytes, error: OSError | None
) -> None:
    for cut in range(len(data)):
        kept, reader, ending = await read(data[:cut], 1 << 20)
        reader.lost(error)
        assert ending.result() in (Reason.UPSTREAM_RESET, Reason.UPSTREAM_CUT, Reason.SHORT_BODY)
        assert (ending.result() is Reason.UPSTREAM_RESET) is not kept.heads
        assert body.startswith(kept.body)
        assert not kept.is_whole
        assert not reader.is_clean


INTERIM = b"HTTP/1.1 102 Processing\r\nX-Interim: 1\r\n\r\n"


@STEPS
@pytest.mark.parametrize(("count", "reason"), [(100, None), (101, Reason.BAD_UPSTREAM_RESPONSE)])
async def test_a_hundred_interim_answers_are_borne_however_they_come(
    step: int, count: int, reason: Reason | None
) -> None:
    kept, reader, ending = await read(INTERIM * count + WHOLE[0][0], step)
    assert ending.result() is reason
    assert len(kept.heads) == (reason is None)
    assert reader.is_clean is (reason is None)


BROKEN = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 101,
    b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 103 E\x7farly\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,
]


@pytest.mark.parametrize("step", [1000, 1 << 20])
@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
async def test_what_is_no_strict_http_is_no_response(step: int, data: bytes) -> None:
    kept, reader, ending = await read(data, step)
    assert ending.result() is Reason.BAD_UPSTREAM_RESPONSE
    assert kept.heads == []
    assert not reader.is_clean


@STEPS
async def test_chunks_that_break_come_after_all_that_came_before(step: int) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"
    kept, _, ending = await read(data, step)
    assert ending.result() is Reason.BAD_FRAMING
    assert kept.body == b"abc"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


@pytest.mark.parametrize("endless", [b"5;" + b"a" * 150_000, b"0\r\nX: " + b"a" * 150_000])
async def test_an_extension_or_a_trailer_without_end_is_not_read_for_ever(endless: bytes) -> None:
    kept, _, ending = await read(CHUNKED + endless, 4096)
    assert ending.result() is Reason.BAD_FRAMING
    assert kept.body == b"abc"
    assert not kept.is_whole


async def test_many_small_chunks_are_not_taken_for_that() -> None:
    kept, _, ending = await read(CHUNKED + b"1;a=b\r\na\r\n" * 30_000 + b"0\r\n\r\n", 5)
    assert ending.result() is None
    assert kept.body == b"abc" + b"a" * 30_000


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"", None, Reason.UPSTREAM_RESET),
        (b"HTTP/1.1 200", None, Reason.UPSTREAM_RESET),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", None, Reason.SHORT_BODY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", OSError(), Reason.UPSTREAM_CUT),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            None,
            Reason.UPSTREAM_CUT,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", OSError(), Reason.UPSTREAM_CUT),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", None, None),
    ],
)
async def test_a_connection_that_ends_says_how_far_it_came(
    data: bytes, error: OSError | None, reason: Reason | None
) -> None:
    kept, reader, ending = await read(data, 1 << 20)
    reader.lost(error)
    assert ending.result() is reason
    assert not reader.is_clean
    if b"abc" in data:
        assert kept.body == b"abc"


@STEPS
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz",
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    ],
)
async def test_a_connection_with_more_to_say_is_not_used_again(step: int, data: bytes) -> None:
    _, reader, ending = await read(data, step)
    assert ending.result() is None
    assert not reader.is_clean


async def test_an_upgrade_that_nobody_asked_for_is_no_answer() -> None:
    _, _, ending = await read(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 1 << 20)
    assert ending.result() is Reason.BAD_UPSTREAM_RESPONSE


async def test_a_sink_that_breaks_ends_the_exchange_with_its_error() -> None:
    class Broken(Kept):
        def take(self, *args: object) -> None:
            raise ZeroDivisionError

    ending: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
    reader = ResponseReader(Broken(), False, False, ending)
    reader.feed(WHOLE[0][0])
    assert isinstance(ending.exception(), ZeroDivisionError)
    assert not reader.is_clean


async def test_it_can_be_ended_from_our_side() -> None:
    _, reader, ending = await read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 1 << 20)
    reader.fail(Reason.IDLE_TIMEOUT)
    reader.feed(b"cde")
    assert ending.result() is Reason.IDLE_TIMEOUT
    assert reader.is_broken
    assert not reader.is_clean


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
)
def test_any_chunks_cut_anywhere_give_the_same_body(pieces: list[bytes], cuts: list[int]) -> None:
    async def scenario() -> None:
        chunks = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        kept = Kept()
        ending: asyncio.Future[Reason | None] = asyncio.get_running_loop().create_future()
        reader = ResponseReader(kept, False, False, ending)
        at, turn = 0, 0
        while at < len(data):
            step = cuts[turn % len(cuts)]
            reader.feed(data[at : at + step])
            at, turn = at + step, turn + 1
        assert ending.result() is None
        assert kept.body == b"".join(pieces)
        assert reader.is_clean

    asyncio.run(scenario())


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"


@STEPS
async def test_interim_answers_that_callers_know_are_told_in_order(step: int) -> None:
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    )
    kept, _, ending = await read(data, step)
    assert kept.interim_status == [102, 103]
    assert (kept.body, ending.result()) == (b"x", None)


@STEPS
async def test_after_101_every_byte_is_passed_until_the_end(step: int) -> None:
    data = b"\x81\x05hello HTTP/1.1 200 OK\r\n\r\n\x00"
    kept, reader, ending = await read(SWITCH + data, step, may_switch=True)
    assert (kept.heads[0].status, kept.body) == (101, data)
    assert not ending.done()
    reader.lost(None)
    assert ending.result() is None
    assert kept.is_whole
    assert not reader.is_clean


async def test_a_tunnel_that_breaks_is_cut() -> None:
    _, reader, ending = await read(SWITCH, 1 << 20, may_switch=True)
    reader.lost(ConnectionResetError())
    assert ending.result() is Reason.UPSTREAM_CUT


@STEPS
@pytest.mark.parametrize(
    ("data", "may_switch"), [(SWITCH, False), (SWITCH.replace(b"WebSocket", b"h2c"), True)]
)
async def test_101_that_nobody_asked_for_is_no_answer(
    step: int, data: bytes, may_switch: bool
) -> None:
    kept, _, ending = await read(data, step, may_switch=may_switch)
    assert kept.heads == []
    assert ending.result() is Reason.BAD_UPSTREAM_RESPONSE


@STEPS
@pytest.mark.parametrize("status", [b"100", b"103", b"129"])
@pytest.mark.parametrize("framing", [b"Content-Length: 2", b"Transfer-Encoding: chunked"])
async def test_an_interim_answer_with_a_body_is_no_answer(
    step: int, status: bytes, framing: bytes
) -> None:
    head = b"HTTP/1.1 %b X\r\n%b\r\n\r\n" % (status, framing)
    kept, _, ending = await read(head + b"ok", step)
    assert (kept.heads, kept.body) == ([], b"")
    assert ending.result() is Reason.BAD_UPSTREAM_RESPONSE
