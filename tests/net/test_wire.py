"""One upstream connection for one attempt: ended once, in the right way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from sidecar.core.outcome import Reason
from sidecar.core.response_heads import ResponseHead
from sidecar.net.reader import ResponseReader
from sidecar.net.upstream import HttpUpstream
from sidecar.net.wire import PooledWire

from .peers import OK, Opened, Serve, configured, listening

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


class Kept:
    """A sink that keeps the body."""

    def __init__(self) -> None:
        self.body = b""

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        self.body += body

    def more(self, body: bytes, read_at: float) -> None:
        self.body += body


def sends(*pieces: bytes, gap_s: float = 0.02) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(gap_s)
        await reader.read()

    return serve


async def with_wire(
    serve: Serve,
    story: Callable[
        [HttpUpstream, PooledWire, asyncio.Future[Reason | None], Kept], Awaitable[None]
    ],
) -> None:
    async with listening(serve) as port:
        upstream = HttpUpstream(configured(f"http://127.0.0.1:{port}"), None, Opened())
        try:
            wire = await upstream.connect(must_be_new=False)
            assert isinstance(wire, PooledWire)
            kept = Kept()
            ending = wire.receive(kept, is_head=False)
            wire.send(GET)
            wire.mark_sent()
            await story(upstream, wire, ending, kept)
        finally:
            await upstream.close()


async def test_a_whole_answer_puts_the_connection_back() -> None:
    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        assert await ending is None
        wire.give_back()
        wire.drop()  # too late: it has been ended
        assert (upstream.idle, upstream.active) == (1, 0)
        assert wire.bytes_received == len(OK)
        assert wire.read_at is not None
        assert wire.sent_at is not None

    await with_wire(sends(OK), story)


async def test_a_dropped_connection_is_closed_at_once() -> None:
    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        wire.drop()
        wire.give_back()
        assert (upstream.idle, upstream.active) == (0, 0)

    await with_wire(sends(STREAM), story)


async def test_an_attempt_that_was_given_up_leaves_nothing_to_the_garbage_collector() -> None:
    """Its sink holds the exchange, and that the caller's connection."""

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        while not kept.body:
            await asyncio.sleep(0.001)
        wire.drop()

    gc.collect()
    gc.disable()
    try:
        await with_wire(sends(STREAM), story)
        assert [o for o in gc.get_objects() if isinstance(o, ResponseReader)] == []
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("rest", "idle"), [((b"0\r\n\r\n",), 1), ((), 0), ((b"12345678" * 12_000,), 0)]
)
async def test_a_content_callers_connection_is_read_on_for_a_moment(
    rest: tuple[bytes, ...], idle: int
) -> None:
    framed = tuple(p if p.startswith(b"0\r") else b"%x\r\n%b\r\n" % (len(p), p) for p in rest)

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        while not kept.body:
            await asyncio.sleep(0.001)
        ending.cancel()
        wire.linger()
        await asyncio.sleep(0.4)
        assert (upstream.idle, upstream.active) == (idle, 0)

    await with_wire(sends(STREAM, *framed), story)


@pytest.mark.parametrize(
    ("rest", "idle"),
    [
        ((b"0\r\n\r\n",), 1),
        # The future was cancelled with its task, so only the reader knows.
        ((b"zz\r\n",), 0),
    ],
)
async def test_one_that_has_nothing_more_to_say_is_not_waited_for(
    rest: tuple[bytes, ...], idle: int
) -> None:
    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        await ending
        wire.linger()
        assert (upstream.idle, upstream.active) == (idle, 0)

    await with_wire(sends(STREAM, *rest), story)


async def test_one_that_goes_on_for_too_long_is_closed_before_its_time() -> None:
    flood = b"%x\r\n%b\r\n" % (32 * 1024, b"a" * 32 * 1024)

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        while not kept.body:
            await asyncio.sleep(0.001)
        wire.linger()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while upstream.active:
            await asyncio.sleep(0.001)
        assert loop.time() - began < 0.2
        assert upstream.idle == 0

    await with_wire(sends(STREAM, flood * 3, gap_s=0.02), story)


async def test_one_that_was_held_at_its_end_is_read_from_again() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        assert await ending is None
        wire.pause()
        wire.give_back()
        again = await upstream.connect(must_be_new=False)
        assert isinstance(again, PooledWire)
        assert again.is_reused
        second = again.receive(Kept(), is_head=False)
        again.send(GET)
        assert await asyncio.wait_for(second, 2) is None
        again.drop()

    await with_wire(twice, story)


LARGE = 32 << 20


async def test_an_end_is_told_though_an_upload_still_waits_to_be_sent() -> None:
    """The peer has stopped reading: what waits for it would never be flushed."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM)
        writer.write_eof()
        await asyncio.get_running_loop().create_future()

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        wire.send(b"a" * LARGE)
        assert await asyncio.wait_for(ending, 2) is Reason.UPSTREAM_CUT
        assert kept.body == b"abc"
        wire.drop()

    await with_wire(deaf, story)


async def test_a_dropped_upload_is_thrown_away() -> None:
    took: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    dropped = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await dropped.wait()
        size = 0
        try:
            while data := await reader.read(1 << 20):
                size += len(data)
        except ConnectionResetError:
            pass
        took.set_result(size)

    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        wire.send(b"a" * LARGE)
        wire.drop()
        dropped.set()
        assert await asyncio.wait_for(took, 5) < LARGE

    await with_wire(slow, story)


async def test_a_held_connection_reads_nothing_more_until_it_is_released() -> None:
    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        while not kept.body:
            await asyncio.sleep(0.001)
        wire.pause()
        await asyncio.sleep(0.06)
        assert kept.body == b"abc"
        wire.resume()
        assert await ending is None
        assert kept.body == b"abcd"
        wire.give_back()

    await with_wire(sends(STREAM, b"1\r\nd\r\n0\r\n\r\n"), story)


async def test_a_timer_can_end_it() -> None:
    async def story(
        upstream: HttpUpstream, wire: PooledWire, ending: asyncio.Future[Reason | None], kept: Kept
    ) -> None:
        wire.fail(Reason.IDLE_TIMEOUT)
        assert await ending is Reason.IDLE_TIMEOUT
        wire.give_back()
        assert upstream.idle == 0, "its answer may still come"

    await with_wire(sends(STREAM), story)


async def test_a_connection_that_died_meanwhile_says_so() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accepts, and closes at once."""

    async with listening(hang_up) as port:
        upstream = HttpUpstream(configured(f"http://127.0.0.1:{port}"), None, Opened())
        wire = await upstream.connect(must_be_new=False)
        assert isinstance(wire, PooledWire)
        await asyncio.sleep(0.05)
        ending = wire.receive(Kept(), is_head=False)
        wire.send(GET)
        assert await ending is Reason.UPSTREAM_RESET
        await wire.writable()
        wire.drop()
        await upstream.close()
