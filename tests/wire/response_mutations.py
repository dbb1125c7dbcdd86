"""Responses that two parsers may read in two ways, and what follows them on their connection.

Knows: how to spell them, and the single reading of each that is harmless, if any. Must not know:
sockets, or how the relay decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@dataclass(frozen=True, slots=True)
class Vector:
    """`body`: the one that may arrive as whole; None: none may. A 502 of ours, or a visible cut,
    is always right, except where `must_pass`."""

    name: str
    data: bytes
    body: bytes | None = None
    must_pass: bool = False
    method: bytes = b"GET"


def ok(*lines: bytes, body: bytes = b"", status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((status, *lines)) + b"\r\n\r\n" + body


_STATUS_LINES: dict[str, bytes] = {
    "no http": b"garbage",
    "no number": b"HTTP/1.1 abc OK",
    "two digits": b"HTTP/1.1 20 OK",
    "four digits": b"HTTP/1.1 2000 OK",
    "zero": b"HTTP/1.1 000 OK",
    "minus": b"HTTP/1.1 -200 OK",
    "lower": b"http/1.1 200 OK",
    "0.9": b"HTTP/0.9 200 OK",
    "1.2": b"HTTP/1.2 200 OK",
    "2.0": b"HTTP/2.0 200 OK",
    "ice": b"ICY 200 OK",
    "rtsp": b"RTSP/1.0 200 OK",
    "leading space": b" HTTP/1.1 200 OK",
    "tab": b"HTTP/1.1\t200 OK",
    "nul in reason": b"HTTP/1.1 200 O\x00K",
    "control in reason": b"HTTP/1.1 200 O\x01K",
    "bare cr in reason": b"HTTP/1.1 200 OK\rX: y",
    "bare lf after": b"HTTP/1.1 200 OK\nX: y",
}
_HEADERS: dict[str, tuple[bytes, ...]] = {
    "two lengths that differ": (b"Content-Length: 2", b"Content-Length: 3"),
    "two lengths that agree": (b"Content-Length: 2", b"Content-Length: 2"),
    "length and coding": (b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    "coding and length": (b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    "length plus": (b"Content-Length: +2",),
    "length minus": (b"Content-Length: -2",),
    "length list": (b"Content-Length: 2, 2",),
    "length hex": (b"Content-Length: 0x2",),
    "length letter": (b"Content-Length: 2x",),
    "length 2^64": (b"Content-Length: 18446744073709551618",),
    "length empty": (b"Content-Length:",),
    "gzip, chunked": (b"Transfer-Encoding: gzip, chunked",),
    "chunked, gzip": (b"Transfer-Encoding: chunked, gzip",),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked",),
    "two codings": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "identity": (b"Transfer-Encoding: identity",),
    "cow": (b"Transfer-Encoding: cow",),
    "xchunked": (b"Transfer-Encoding: xchunked",),
    "coding with control": (b"Transfer-Encoding: \x0bchunked",),
    "space before colon": (b"Content-Length : 2",),
    "folded": (b"X: a", b" b"),
    "folded length": (b"Content-Length:", b" 2"),
    "no colon": (b"X",),
    "empty name": (b": x",),
    "nul in value": (b"X: a\x00b",),
    "nul in name": (b"X\x00: a",),
    "bare cr in value": (b"X: a\rSet-Cookie: b",),
    "high byte in name": (b"X\x80: a",),
    "space in name": (b"X y: a",),
    "lf in place of crlf": (b"X: a\nContent-Length: 2",),
    "connection names the coding": (
        b"Connection: transfer-encoding",
        b"Transfer-Encoding: chunked",
    ),
}
_CHUNKED: dict[str, bytes] = {
    "no hex": b"zz\r\nok\r\n0\r\n\r\n",
    "0x": b"0x2\r\nok\r\n0\r\n\r\n",
    "minus": b"-2\r\nok\r\n0\r\n\r\n",
    "space before": b" 2\r\nok\r\n0\r\n\r\n",
    "bare lf": b"2\nok\n0\n\n",
    "too short": b"1\r\nok\r\n0\r\n\r\n",
    "too long": b"3\r\nok\r\n0\r\n\r\n",
    "overflow": b"10000000000000002\r\nok\r\n0\r\n\r\n",
    "no end of data": b"2\r\nok0\r\n\r\n",
    "nul in extension": b"2;\x00\r\nok\r\n0\r\n\r\n",
}


def vectors() -> Iterator[Vector]:
    """All of them. Each ends with what would poison the next exchange on its connection."""
    for name, line in _STATUS_LINES.items():
        yield Vector(
            f"status: {name}", ok(b"Content-Length: 2", body=b"ok", status=line) + POISON, b"ok"
        )
    for name, lines in _HEADERS.items():
        chunked = any(b"hunked" in line for line in lines)
        body = b"2\r\nok\r\n0\r\n\r\n" if chunked else b"ok"
        frames = any(b"ength" in line or b"Transfer" in line for line in lines)
        framed = lines if frames else (*lines, b"Content-Length: 2")
        yield Vector(
            f"header: {name}",
            ok(*framed, body=body) + POISON,
            b"ok",
            must_pass=name == "connection names the coding",
        )
    for name, body in _CHUNKED.items():
        yield Vector(
            f"chunks: {name}", ok(b"Transfer-Encoding: chunked", body=body) + POISON, b"ok"
        )
    last = b"2\r\nok\r\n0\r\n"
    coding = b"Transfer-Encoding: chunked"
    for name, trailer in (
        ("trailer", b"X-Trailer: 1\r\n\r\n"),
        ("trailer that frames", b"Content-Length: 50\r\n\r\n"),
        ("trailer of a cookie", b"Set-Cookie: a=b\r\n\r\n"),
    ):
        yield Vector(
            name, ok(coding, body=last + trailer), b"ok", must_pass=name != "trailer that frames"
        )
    yield Vector("more after the end", ok(b"Content-Length: 2", body=b"ok") + POISON, b"ok", True)
    yield Vector("more after chunks", ok(coding, body=last + b"\r\n") + POISON, b"ok", True)
    for status in (b"204 No Content", b"304 Not Modified"):
        line = b"HTTP/1.1 " + status
        yield Vector(
            f"{status[:3].decode()} with a body",
            ok(b"Content-Length: 2", body=b"ok", status=line),
            b"",
            True,
        )
        yield Vector(
            f"{status[:3].decode()} with chunks",
            ok(coding, body=last + b"\r\n", status=line),
            b"",
            True,
        )
    yield Vector("head with a body", ok(b"Content-Length: 2", body=b"ok"), b"", True, b"HEAD")
    yield Vector("head with chunks", ok(coding, body=last + b"\r\n"), b"", True, b"HEAD")
    yield Vector("101 unasked", ok(b"Upgrade: websocket", status=b"HTTP/1.1 101 S") + POISON)
    yield Vector(
        "100 with a length",
        ok(b"Content-Length: 5", status=b"HTTP/1.1 100 C") + ok(b"Content-Length: 2", body=b"ok"),
        b"ok",
    )
    yield Vector(
        "101 interims", ok(status=b"HTTP/1.1 102 P") * 101 + ok(b"Content-Length: 2", body=b"ok")
    )
    yield Vector(
        "two hints",
        ok(b"Link: a", status=b"HTTP/1.1 103 E") * 2 + ok(b"Content-Length: 2", body=b"ok"),
        b"ok",
        True,
    )
    yield Vector(
        "300 headers",
        ok(*(b"X-%d: y" % n for n in range(300)), b"Content-Length: 2", body=b"ok"),
        b"ok",
        True,
    )
    yield Vector(
        "a head of a megabyte", ok(b"X: " + b"y" * (1 << 20), b"Content-Length: 2", body=b"ok")
    )
    yield Vector("129 with a body", ok(b"Content-Length: 2", body=b"ok", status=b"HTTP/1.1 129 X"))
    yield Vector("short", ok(b"Content-Length: 20", body=b"ok"))
    yield Vector("nothing", b"")
    yield Vector("only a line", b"HTTP/1.1 200 OK\r\n")
