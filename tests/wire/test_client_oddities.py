"""What is odd and allowed: it goes up as it came, and costs nobody else anything.

Bodies that are no JSON, encoded or absurd; pipelining; paths of ours that are not ours here; line
breaks in disguise. One rule looks for a model, so that bodies are read along.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from .caller import Caller, chunk, request
from .conftest import Side
from .origin import answer, read_body, wait_for
from .relay import LOOPS, Relay
from .wall import OK, Wall

CHAT = "/v1/chat/completions"
_LAG_S = 0.05
_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=LOOPS)
def _wall(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Wall]:
    origin = sides["plain"].origin
    relay = Relay(
        tmp_path_factory.mktemp("odd"),
        f'  plain: {{url: "http://127.0.0.1:{origin.port}"}}\n',
        request.param,
        more='routes: [{match: {model: "none-such-*"}, to: plain}]\n',
    )
    yield Wall(relay, origin)
    assert relay.stop() == 0
    assert "Traceback" not in relay.text


@pytest.fixture
def wall(_wall: Wall) -> Iterator[Wall]:
    """The relay; after each test its books balance and the next caller is served."""
    yield _wall
    _wall.relay.assert_settled()
    _wall.serves()


def new_id() -> tuple[str, bytes]:
    request_id = f"odd-{next(_numbers)}"
    return request_id, b"X-Request-ID: " + request_id.encode()


@pytest.mark.parametrize("more", [b"", b"Connection: keep-alive\r\n"])
def test_t8_a_caller_of_http_1_0_is_served_once(wall: Wall, plain: Side, more: bytes) -> None:
    path = wall.origin.script(answer(OK))
    data = b"POST %b HTTP/1.0\r\n%bContent-Length: 5\r\n\r\nhello" % (path.encode(), more)
    with Caller(wall.relay.data) as caller:
        got = caller.ask(data + b"GET /never HTTP/1.0\r\n\r\n")
        assert got.body == b"ok"
        assert got.header(b"connection") == b"close"
        assert caller.is_closed_within(3)
    [seen] = wall.origin.seen(path)
    assert seen.head.startswith(b"POST %b HTTP/1.1\r\n" % path.encode())
    assert seen.header(b"host") == plain.host
    assert bytes(seen.body) == b"hello"
    assert wall.origin.seen("/never") == []


def test_t16_headers_of_the_hop_stay_on_it(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    lines = (
        b"Connection: X-Foo, keep-alive",
        b"connection: x-bar",
        b"X-Foo: 1",
        b"X-Bar: 2",
        b"X-Bar: 3",
        b"Keep-Alive: timeout=5",
        b"TE: trailers",
        b"Proxy-Authorization: Basic x",
        b"X-Other: 4",
    )
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(path, None, *lines)).body == b"ok"
    [seen] = wall.origin.seen(path)
    assert [name for name, _ in seen.headers] == [b"host", b"x-other"]


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue"])
@pytest.mark.parametrize("size", [5, 5 << 20])
def test_t17_the_body_is_asked_for_once(wall: Wall, value: bytes, size: int) -> None:
    path = wall.origin.script(answer(OK))
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nExpect: %b\r\nContent-Length: %d\r\n\r\n"
    asked = b"HTTP/1.1 100 Continue\r\n\r\n"
    with Caller(wall.relay.data) as caller:
        caller.send(head % (path.encode(), value, size))
        assert caller.read_until(b"\r\n\r\n") == asked
        caller.send(b"x" * size)
        assert caller.read_until(b"ok") == asked + OK
    [seen] = wall.origin.seen(path)
    assert seen.header(b"expect") is None
    assert len(seen.body) == size


def test_t17_who_does_not_wait_is_not_asked(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    with Caller(wall.relay.data) as caller:
        caller.send(request(path, b"hello", b"Expect: 100-continue"))
        assert caller.read_until(b"ok") == OK


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 10\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"hello"),
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"hello") + b"0\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"a" * (5 << 20)),
    ],
    ids=["length", "no chunk", "one chunk", "half a chunk", "no last line", "5 MiB"],
)
@pytest.mark.parametrize("how", ["fin", "rst", "half-close"])
def test_t19_a_body_that_does_not_end_is_no_request(wall: Wall, sent: bytes, how: str) -> None:
    path = wall.origin.script(answer(OK))
    request_id, line = new_id()
    with Caller(wall.relay.data) as caller:
        caller.send(b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % (path.encode(), line) + sent)
        time.sleep(0.05)  # or its end would come with it
        if how == "half-close":
            caller.half_close()
            assert caller.is_closed_within(3)
        elif how == "rst":
            caller.reset()
    record = wall.relay.record(request_id)
    assert (record["outcome"], record["reason"]) == ("client_cancelled", "client_left")
    assert all(not seen.is_whole for seen in wall.origin.seen(path))


def test_t20_a_hundred_requests_at_once_are_answered_in_order(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    data = b"".join(request(f"{path}?{n}", b"%d" % n) for n in range(100))
    with Caller(wall.relay.data) as caller:
        caller.send(data)
        assert [caller.answer().body for _ in range(100)] == [b"ok"] * 100
    seen = wall.origin.seen(path)
    assert [one.target for one in seen] == [f"{path}?{n}" for n in range(100)]
    assert [bytes(one.body) for one in seen] == [b"%d" % n for n in range(100)]


def test_t20_who_asks_faster_than_it_is_answered_is_held(wall: Wall) -> None:
    """What waits here is bounded; it is answered once the provider goes on."""
    goes_on = threading.Event()
    path = wall.origin.script((read_body, wait_for(goes_on), *answer(OK)[1:]), answer(OK))
    one = request(path, b"a" * 60_000)
    data = one * 400
    with wall.relay.peak_rss() as memory, Caller(wall.relay.data) as caller:
        sent = pour(caller, data, until_held_s=0.2)
        assert sent < len(data), "it takes them all"
        goes_on.set()
        answers = [caller.answer().body for _ in range(sent // len(one))]
    assert answers == [b"ok"] * (sent // len(one))
    assert max(memory) - memory[0] < 8 << 20


def pour(caller: Caller, data: bytes, until_held_s: float) -> int:
    """How many of the bytes were taken."""
    caller.socket.settimeout(until_held_s)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < len(data):
            sent += caller.socket.send(data[sent : sent + 65536])
    caller.socket.settimeout(20)
    return sent


_DEEP = b'{"model": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
_ODD_BODIES = {
    "empty": b"",
    "no json": b"model=gpt-4o&stream=true",
    "half": b'{"model": "gpt-4o", "mess',
    "deep": _DEEP,
    "twice": b'{"model": "a", "model": "b", "model": 3}',
    "nul": b'{"model": "a\x00b"}\x00',
    "not utf-8": b'{"model": "\xff\xfe\xed\xa0\x80"}',
    "surrogate": b'{"model": "\\ud800"}',
    "utf-16": '{"model": "gpt"}'.encode("utf-16"),
    "bom": b'\xef\xbb\xbf{"model": "gpt"}',
    "number": b"1e999999",
    "huge number": b'{"model": ' + b"9" * 20_000 + b"}",
    "nan": b'{"model": NaN}',
    "list": b'[{"model": "a"}]',
    "lines": b'{"model":\r\n\r\n"gpt"}\r\n0\r\n\r\n',
    "10 kB name": b'{"model": "' + b"m" * 10_000 + b'"}',
    "emoji": '{"model": "🤖\u2028\u2029\x85"}'.encode(),
    "newline": b'{"model": "a\\nlevel=error event=forged\\r\\nx"}',
}


@pytest.mark.parametrize("kind", _ODD_BODIES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_t21_t24_a_body_is_the_callers_own(wall: Wall, kind: str, framing: str) -> None:
    body = _ODD_BODIES[kind]
    path = wall.origin.script(answer(OK), end=CHAT)
    request_id, line = new_id()
    data = request(path, body, line)
    if framing == "chunked":
        head = request(path, None, line, b"Transfer-Encoding: chunked", method="POST")
        data = head + (chunk(body) if body else b"") + b"0\r\n\r\n"
    with Caller(wall.relay.data) as caller:
        assert caller.ask(data).body == b"ok"
    assert bytes(wall.origin.seen(path)[0].body) == body
    record = wall.relay.record(request_id)
    assert (record["outcome"], record["reason"]) == ("ok", None)
    [logged] = wall.log_lines(request_id)
    assert json.loads(logged)["request_id"] == request_id


def _members(count: int) -> bytes:
    return gzip.compress(b'{"model": "m"}') * count


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b'{"model": "gpt-4o"}')),
        (b"gzip", gzip.compress(b" " * (64 << 20), 9)),
        (b"gzip", _members(10_000)),
        (b"deflate", zlib.compress(b" " * (64 << 20), 9)),
        (b"gzip", b"\x1f\x8b\x08\x00 this is no gzip"),
        (b"br", b"\x00\xff\x00\xff"),
        (b"gzip, gzip, gzip", gzip.compress(gzip.compress(gzip.compress(b"{}")))),
    ],
    ids=["small", "bomb", "10k members", "deflate bomb", "none", "br", "thrice"],
)
def test_t22_encoded_bodies_are_not_opened(wall: Wall, coding: bytes, body: bytes) -> None:
    lags: list[float] = []
    # Best of three: the machine may be busy with something else.
    while len(lags) < 3 and (not lags or min(lags) >= _LAG_S):
        path = wall.origin.script(answer(OK), end=CHAT)
        wall.relay.samples()
        with wall.relay.peak_rss() as memory, Caller(wall.relay.data) as caller:
            assert caller.ask(request(path, body, b"Content-Encoding: " + coding)).body == b"ok"
        lags.append(wall.relay.total("event_loop_lag_seconds"))
        assert bytes(wall.origin.seen(path)[0].body) == body
        assert max(memory) - memory[0] < 8 << 20
    assert min(lags) < _LAG_S


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        (b"Connection: upgrade", b"Upgrade: TLS/1.0"),
        (b"Upgrade: h2c",),
        (b"Connection: Upgrade",),
        (b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
    ],
)
def test_t23_other_upgrades_are_taken_out(wall: Wall, lines: tuple[bytes, ...]) -> None:
    path = wall.origin.script(answer(OK))
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(path, None, *lines)).body == b"ok"
    [seen] = wall.origin.seen(path)
    assert [name for name, _ in seen.headers] == [b"host"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_t23_an_upgrade_with_a_body_hides_no_request(wall: Wall, framing: str) -> None:
    path = wall.origin.script(answer(OK))
    hidden = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    lines = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    data = request(path, hidden, *lines, method="GET")
    if framing == "chunked":
        head = request(path, None, *lines, b"Transfer-Encoding: chunked", method="GET")
        data = head + chunk(hidden) + b"0\r\n\r\n"
    with Caller(wall.relay.data) as caller:
        assert caller.ask(data + hidden).body == b"ok"
        assert caller.is_closed_within(3)
    [seen] = wall.origin.seen(path)
    assert bytes(seen.body) == hidden
    assert seen.header(b"upgrade") is None
    assert wall.origin.seen("/hidden") == []


def test_t24_any_number_of_models_makes_few_series(wall: Wall) -> None:
    path = wall.origin.script(answer(OK), end=CHAT)
    with Caller(wall.relay.data) as caller:
        for n in range(300):
            assert caller.ask(request(path, b'{"model": "m-%d"}' % n)).body == b"ok"
    wall.relay.assert_settled()
    models = {
        dict(labels)["model"] for _, labels in wall.relay.samples() if "model" in dict(labels)
    }
    assert len(models) <= 52, "50, those beyond them, and those without"


@pytest.mark.parametrize(
    "target", ["/metrics", "/admin", "/livez", "/readyz", "/-/reload", "/config", "/no/such"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_t25_nothing_of_ours_is_on_the_data_port(relay: Relay, method: str, target: str) -> None:
    """The built-in table does not know these paths."""
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, method=method))
    assert (got.status, got.header(b"x-sidecar-error")) == (404, b"no_route")
    assert b"llm_sidecar_" not in got.body


@pytest.mark.parametrize("target", ["/metrics", "/livez", "/-/reload?x", "/", "/config"])
def test_t25_who_takes_every_path_takes_these_too(wall: Wall, plain: Side, target: str) -> None:
    path = target.partition("?")[0]
    wall.origin.at(path, answer(OK))
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(target)).body == b"ok"
    [seen] = wall.origin.seen(path)
    assert seen.head == f"GET {target} HTTP/1.1\r\nHost: ".encode() + plain.host + b"\r\n\r\n"


@pytest.mark.parametrize(
    "value",
    [
        b"%0d%0aX-Injected: 1",
        b"\\r\\nX-Injected: 1",
        "\u2028X-Injected: 1\u2029".encode(),
        b"\x85X-Injected: 1",
        b"\xc2\x85X-Injected: 1",
        "\u560d\u560aX-Injected: 1".encode(),
        b"=?utf-8?q?=0D=0AX-Injected:_1?=",
    ],
)
def test_t26_a_line_break_in_disguise_is_none(wall: Wall, plain: Side, value: bytes) -> None:
    path = wall.origin.script(answer(OK))
    request_id, line = new_id()
    target = path + "?q=%0d%0aX-Injected:%201"
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(target, None, b"X: " + value, line)).body == b"ok"
    [seen] = wall.origin.seen(path)
    first = f"GET {target} HTTP/1.1\r\nHost: ".encode() + plain.host
    assert seen.head == first + b"\r\nX: " + value + b"\r\n" + line + b"\r\n\r\n"
    assert len(wall.log_lines(request_id)) == 1
