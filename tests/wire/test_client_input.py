"""What a caller may not send: refused with one answer of ours, told in the record, and never seen
by the provider.

The keys planted in each request turn up in no answer, no page and no line of the log. Framing in
all its disguises is the smuggling grid's; slow and vanishing callers have files of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .caller import Caller, chunk, request
from .conftest import Side
from .origin import answer
from .relay import LOOPS, Relay
from .wall import KEYS, MARK, OK, QUERY, Wall

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module", params=LOOPS)
def _wall(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Wall]:
    origin = sides["plain"].origin
    upstream = f'  plain: {{url: "http://127.0.0.1:{origin.port}"}}\n'
    folder = tmp_path_factory.mktemp("wall")
    wall = Wall(Relay(folder, upstream, request.param, log_level="debug"), origin)
    yield wall
    assert wall.relay.stop() == 0
    assert MARK not in wall.relay.text
    assert "Traceback" not in wall.relay.text


@pytest.fixture
def wall(_wall: Wall) -> Iterator[Wall]:
    """The relay; after each test its books balance and no key has shown."""
    yield _wall
    _wall.relay.assert_settled()
    _wall.assert_no_key_shows()


def head(line: bytes, *lines: bytes, host: bytes | None = b"localhost") -> bytes:
    """A request head with keys in every place, and whatever else."""
    host_line = b"" if host is None else b"Host: " + host + b"\r\n"
    return line + b"\r\n" + host_line + KEYS + b"".join(more + b"\r\n" for more in lines) + b"\r\n"


GET = b"GET /s/x" + QUERY + b" HTTP/1.1"
POST = b"POST /s/x" + QUERY + b" HTTP/1.1"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b'{"model": "gpt-4o", "key": "PLANTEDbody"}\r\n\r\n',
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        KEYS + b"\r\n",
        b" " + head(GET),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["tls", "ssh", "json", "nul", "high", "smtp", "redis", "no line", "space", "response"],
)
def test_t1_bytes_that_are_no_request(wall: Wall, data: bytes) -> None:
    wall.refuses(data, 400, "bad_request")


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil.example/x",
        b"HTTPS://evil.example/x",
        b"http://user:PLANTEDpassword@evil.example/x",
        b"http://localhost/s/x",
        b"ftp://evil.example/x",
        b"evil.example/x",
        b"*",
    ],
)
def test_t2_a_target_that_is_no_path(wall: Wall, target: bytes) -> None:
    wall.refuses(head(b"GET " + target + b" HTTP/1.1"), 400, "bad_request")


@pytest.mark.parametrize("target", [b"evil.example:443", b"localhost:80", b"[::1]:443"])
def test_t3_connect(wall: Wall, target: bytes) -> None:
    wall.refuses(head(b"CONNECT " + target + b" HTTP/1.1"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    ["//evil.example/x", "/\\evil.example", "/@evil.example/x", "/%2e%2e/x", "/..;/x", "/:80/x"],
)
def test_t4_a_path_never_chooses_the_host(wall: Wall, plain: Side, path: str) -> None:
    wall.origin.at(path, answer(OK))
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(path)).body == b"ok"
    [seen] = wall.origin.seen(path)
    assert seen.head == f"GET {path} HTTP/1.1\r\nHost: ".encode() + plain.host + b"\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"Host: localhost", b"Host: localhost"),
        (b"Host: localhost", b"host: evil.example"),
        (b"Host: a@localhost",),
        (b"Host: localhost@evil.example",),
        (b"Host: localhost:1:2",),
        (b"Host: localhost:99999",),
        (b"Host: localhost:0",),
        (b"Host: localhost:+80",),
        (b"Host: localhost:x",),
        (b"Host: localhost\x02",),
        (b"Host: localhost\x00",),
        (b"Host: local\x7fhost",),
        (b"Host: localhost/x",),
        (b"Host: localhost\\x",),
        (b"Host: localhost?x",),
        (b"Host: localhost#x",),
        (b"Host: local host",),
        (b"Host: localhost, evil.example",),
        (b"Host: http://localhost",),
        (b"Host: [::1",),
        (b"Host: [::1]x",),
        (b"Host: ::1",),
        (b"Host:",),
        (b"Host: localh\xf6st",),
    ],
    ids=lambda lines: b" ".join(lines).decode("latin-1") or "none",
)
def test_t5_a_host_that_is_none(wall: Wall, lines: tuple[bytes, ...]) -> None:
    wall.answers_itself(head(GET, *lines, host=None), 400, "bad_request")


@pytest.mark.parametrize(
    "host", [b"attacker.test", b"attacker.test:8484", b"localhost.attacker.test", b"10.0.0.1"]
)
def test_t6_a_name_that_somebody_made_resolve_to_us(wall: Wall, host: bytes) -> None:
    got = wall.answers_itself(head(GET, host=host), 421, "misdirected_host")
    assert b"access-control" not in got.head.lower()


@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS"])
@pytest.mark.parametrize("origin", [b"http://attacker.test", b"null", b"https://localhost.evil"])
def test_t6_a_page_of_another_origin(wall: Wall, method: bytes, origin: bytes) -> None:
    line = method + b" /s/x" + QUERY + b" HTTP/1.1"
    got = wall.answers_itself(head(line, b"Origin: " + origin), 403, "origin_forbidden")
    assert b"access-control" not in got.head.lower()


@pytest.mark.parametrize(
    "line",
    [
        b"GET /x",
        b"GET /x HTTP/0.9",
        b"GET /x HTTP/1.2",
        b"GET /x HTTP/1.2x",
        b"GET /x HTTP/2.0",
        b"GET /x HTTP/3.0",
        b"PRI * HTTP/2.0",
    ],
)
def test_t7_versions_that_are_not_spoken(wall: Wall, line: bytes) -> None:
    wall.refuses(head(line), 505, "bad_version")


@pytest.mark.parametrize(
    "data",
    [
        head(b"GET /x HTTP/1.1x"),
        head(b"GET /x HTTP/1"),
        head(b"GET /x HTTP/11"),
        head(b"GET /x HTTP/1.10"),
        head(b"GET /x http/1.1"),
        head(b"GET /x ICE/1.0"),
        head(b"GET /x FTP/1.1"),
        head(b"GET /x "),
    ],
)
def test_t7_what_is_no_version_at_all(wall: Wall, data: bytes) -> None:
    wall.refuses(data, 400, "bad_request")


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: chunked, chunked",),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Connection: transfer-encoding", b"Transfer-Encoding: chunked"),
    ],
)
def test_t9_t10_two_ways_to_frame_a_body(wall: Wall, lines: tuple[bytes, ...]) -> None:
    data = head(POST, *lines) + b"0\r\n\r\n" + SMUGGLED
    wall.refuses(data, 400, "bad_request")
    assert wall.origin.seen("/smuggled") == []


def test_t10_a_chunked_body_in_http_1_0(wall: Wall) -> None:
    line = POST.replace(b"/1.1", b"/1.0")
    data = head(line, b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED
    wall.refuses(data, 400, "bad_request")
    assert wall.origin.seen("/smuggled") == []


@pytest.mark.parametrize(
    "value",
    [b"+5", b"-1", b"5,5", b"5, 5", b"05x", b"0x5", b"5.0", b"", b"5 5", b"18446744073709551616"],
)
def test_t11_a_length_that_is_no_number(wall: Wall, value: bytes) -> None:
    data = head(POST, b"Content-Length: " + value) + b"hello" + SMUGGLED
    wall.refuses(data, 400, "bad_request")


@pytest.mark.parametrize("second", [b"5", b"6", b"05"])
def test_t11_a_length_that_comes_twice(wall: Wall, second: bytes) -> None:
    lines = (b"Content-Length: 5", b"Content-Length: " + second)
    wall.refuses(head(POST, *lines) + b"hello" + SMUGGLED, 400, "bad_request")


@pytest.mark.parametrize(
    "framed",
    [
        b"5;\nxx\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff1\r\nhello\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\n",
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"5;" + b"a" * (1 << 20) + b"\r\nhello\r\n0\r\n\r\n",
        b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    ],
    ids=lambda framed: repr(framed[:24]),
)
def test_t12_chunks_that_are_none(wall: Wall, framed: bytes) -> None:
    wall.refuses(head(POST, b"Transfer-Encoding: chunked") + framed, 400, "bad_request")


def test_t12_in_an_upload_that_has_begun_the_provider_sees_no_end(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    line = b"POST " + path.encode() + QUERY + b" HTTP/1.1"
    with Caller(wall.relay.data) as caller:
        caller.send(head(line, b"Transfer-Encoding: chunked", b"X-Request-ID: t12"))
        for _ in range(100):
            caller.send(chunk(b"a" * 65536))
        caller.send(b"oops\r\n")
        got = caller.answer()
    assert (got.status, got.header(b"x-sidecar-error")) == (400, b"bad_request")
    assert wall.relay.record("t12")["reason"] == "bad_request"
    assert [seen.is_whole for seen in wall.origin.seen(path)] in ([], [False])


@pytest.mark.parametrize(
    "line",
    [
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X : a",
        b"X\t: a",
        b"X y: a",
        b"X",
        b": a",
        b"X: a\x00b",
        b"X: a\x01b",
        b"X: a\x7fb",
        b"X: a\rb",
        b"X: a\nY: b",
        b"X\x80: a",
        b"X\x00: a",
        b"X(y): a",
        b'"X": a',
    ],
)
def test_t13_a_header_that_is_none(wall: Wall, line: bytes) -> None:
    wall.refuses(head(GET, line), 400, "bad_request")


@pytest.mark.parametrize(
    "lines",
    [
        tuple(b"X-%d: y" % n for n in range(126)),
        (b"X: " + b"y" * (17 << 10),),
        (b"X" * (17 << 10) + b": y",),
        tuple(b"X-%d: " % n + b"y" * (13 << 10) for n in range(5)),
        (b"X: " + b"y" * (1 << 20),),
    ],
    ids=["129 headers", "17 KiB value", "17 KiB name", "65 KiB", "1 MiB"],
)
def test_t14_a_head_that_is_too_large(wall: Wall, lines: tuple[bytes, ...]) -> None:
    wall.refuses(head(GET, *lines), 431, "header_too_large")


def test_t14_a_head_that_is_just_not_too_large(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    lines = [b"X-%d: y" % n for n in range(123)]
    lines.extend((b"Large: " + b"y" * ((16 << 10) - 5), b"L: " + b"y" * ((16 << 10) - 1)))
    data = head(b"GET " + path.encode() + b" HTTP/1.1", *lines)
    assert data.count(b"\r\n") == 128 + 2
    with Caller(wall.relay.data) as caller:
        assert caller.ask(data).body == b"ok"
    assert wall.origin.seen(path)[0].head.count(b"\r\n") == 128 + 2


def test_t15_a_target_that_is_too_long(wall: Wall) -> None:
    long = b"GET /s/x" + QUERY + b"&x=" + b"a" * (9 << 10) + b" HTTP/1.1"
    wall.refuses(head(long), 414, "uri_too_long")


def test_t15_a_target_that_is_just_not_too_long(wall: Wall) -> None:
    path = wall.origin.script(answer(OK))
    target = path + "?" + "a" * ((8 << 10) - len(path) - 1)
    with Caller(wall.relay.data) as caller:
        assert caller.ask(request(target)).body == b"ok"
    assert wall.origin.seen(path)[0].target == target


@pytest.mark.parametrize(
    "named", [b"authorization", b"Content-Length", b"HOST", b"x-api-key", b"transfer-encoding"]
)
@pytest.mark.parametrize("before", [b"close, ", b"", b"keep-alive,,\t"])
def test_t16_a_connection_header_that_names_what_it_must_not(
    wall: Wall, before: bytes, named: bytes
) -> None:
    wall.refuses(head(GET, b"Connection: " + before + named), 400, "bad_request")


@pytest.mark.parametrize("value", [b"200-ok", b"100-continue, x", b"", b"100-continue;q=1"])
def test_t17_an_expectation_that_nobody_can_meet(wall: Wall, value: bytes) -> None:
    data = head(POST, b"Expect: " + value, b"Content-Length: 5")
    got = wall.answers_itself(data, 417, "expectation_failed")
    assert got.header(b"connection") == b"close", "the body may come, or not"


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"TRACE /s/x HTTP/1.1", 405, "method_not_allowed"),
        (b"FROB /s/x HTTP/1.1", 501, "not_implemented"),
        (b"get /s/x HTTP/1.1", 501, "not_implemented"),
        (b"Get /s/x HTTP/1.1", 501, "not_implemented"),
        (b"G\x00T /s/x HTTP/1.1", 400, "bad_request"),
        (b"GE:T /s/x HTTP/1.1", 400, "bad_request"),
    ],
)
def test_t28_methods_by_the_rule(wall: Wall, line: bytes, status: int, reason: str) -> None:
    wall.refuses(head(line), status, reason)
