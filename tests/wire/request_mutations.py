"""Requests that two parsers may read in two ways: the grid of the smuggling tests.

Knows: how to spell such requests, and which single reading of each is harmless, if any. Must not
know: sockets, or how the relay decides. `{n}` in a target is the vector's own number, so that what
a provider sees can be told apart.
The ideas are those of public work on request smuggling (defparam's `smuggler`, HTTP Garden, the
parser tests of HAProxy, nginx and llhttp); the vectors are our own spelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Message = tuple[str, str, bytes]
"""(method, target, body) as a provider reads it."""

TARGET = "/main/{n}"
SMUGGLED = b"GET /smuggled/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Vector:
    """`readings`: the sequences of messages that may reach the provider. A refusal is always
    right, except where `must_pass`."""

    name: str
    data: bytes
    readings: tuple[tuple[Message, ...], ...] = ()
    must_pass: bool = False

    def numbered(self, n: int) -> Vector:
        def fill(text: str) -> str:
            return text.replace("{n}", str(n))

        readings = tuple(
            tuple(
                (method, fill(target), body.replace(b"{n}", b"%d" % n))
                for method, target, body in r
            )
            for r in self.readings
        )
        data = self.data
        if b"Content-Length: {len}" in data:
            body = data.partition(b"\r\n\r\n")[2].replace(b"{n}", b"%d" % n)
            data = data.replace(b"{len}", b"%d" % len(body))
        return Vector(self.name, data.replace(b"{n}", b"%d" % n), readings, self.must_pass)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    head = [b"POST /main/{n} HTTP/1.1", b"Host: localhost", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


# --- Transfer-Encoding, spelled in every way that somebody once took for it -----------------------

_TE_LINES: dict[str, bytes] = {
    "plain": b"Transfer-Encoding: chunked",
    "upper": b"TRANSFER-ENCODING: CHUNKED",
    "no space": b"Transfer-Encoding:chunked",
    "tab": b"Transfer-Encoding:\tchunked",
    "two spaces": b"Transfer-Encoding:  chunked",
    "trailing space": b"Transfer-Encoding: chunked ",
    "trailing tab": b"Transfer-Encoding: chunked\t",
    "space before colon": b"Transfer-Encoding : chunked",
    "tab before colon": b"Transfer-Encoding\t: chunked",
    "leading space": b" Transfer-Encoding: chunked",
    "leading tab": b"\tTransfer-Encoding: chunked",
    "vertical tab": b"Transfer-Encoding:\x0bchunked",
    "form feed": b"Transfer-Encoding:\x0cchunked",
    "vertical tab in name": b"Transfer-Encoding\x0b: chunked",
    "nul before": b"Transfer-Encoding:\x00chunked",
    "nul after": b"Transfer-Encoding: chunked\x00",
    "nul in name": b"Transfer-Encoding\x00: chunked",
    "delete": b"Transfer-Encoding: \x7fchunked",
    "high byte": b"Transfer-Encoding: \xffchunked",
    "high space": b"Transfer-Encoding:\xa0chunked",
    "high byte in name": b"Transfer\xad-Encoding: chunked",
    "bare cr": b"Transfer-Encoding: \rchunked",
    "bare cr after": b"Transfer-Encoding: chunked\r",
    "bare cr in name": b"Transfer-Encoding\r: chunked",
    "bare lf": b"Transfer-Encoding: \nchunked",
    "bare lf before": b"X: y\nTransfer-Encoding: chunked",
    "bare cr before": b"X: y\rTransfer-Encoding: chunked",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded by tab": b"Transfer-Encoding:\r\n\tchunked",
    "folded in two": b"Transfer-Encoding: chun\r\n ked",
    "underscore": b"Transfer_Encoding: chunked",
    "space in name": b"Transfer Encoding: chunked",
    "no hyphen": b"TransferEncoding: chunked",
    "prefixed": b"X-Transfer-Encoding: chunked",
    "content": b"Content-Encoding: chunked",
    "quoted": b'Transfer-Encoding: "chunked"',
    "single quoted": b"Transfer-Encoding: 'chunked'",
    "comma before": b"Transfer-Encoding: ,chunked",
    "comma after": b"Transfer-Encoding: chunked,",
    "semicolon": b"Transfer-Encoding: chunked;",
    "parameter": b"Transfer-Encoding: chunked;x=y",
    "twice in one": b"Transfer-Encoding: chunked, chunked",
    "gzip first": b"Transfer-Encoding: gzip, chunked",
    "gzip last": b"Transfer-Encoding: chunked, gzip",
    "identity": b"Transfer-Encoding: identity",
    "identity first": b"Transfer-Encoding: identity, chunked",
    "identity last": b"Transfer-Encoding: chunked, identity",
    "cow": b"Transfer-Encoding: cow",
    "empty": b"Transfer-Encoding:",
    "xchunked": b"Transfer-Encoding: xchunked",
    "chunkedx": b"Transfer-Encoding: chunkedx",
    "chunk": b"Transfer-Encoding: chunk",
    "brackets": b"Transfer-Encoding: [chunked]",
    "colon": b"Transfer-Encoding: : chunked",
    "backslash": b"Transfer-Encoding: chun\\ked",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice, cow": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "cow, twice": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "twice, identity": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "named by connection": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
}
_LENGTH_LINES: dict[str, tuple[bytes, ...]] = {
    "plus": (b"Content-Length: +5",),
    "minus": (b"Content-Length: -5",),
    "list": (b"Content-Length: 5,5",),
    "list of two": (b"Content-Length: 5, 6",),
    "hex": (b"Content-Length: 0x5",),
    "octal": (b"Content-Length: 0o5",),
    "letter": (b"Content-Length: 5x",),
    "letter before": (b"Content-Length: x5",),
    "point": (b"Content-Length: 5.0",),
    "exponent": (b"Content-Length: 5e0",),
    "underscore": (b"Content-Length: 0_5",),
    "quotes": (b'Content-Length: "5"',),
    "two words": (b"Content-Length: 5 5",),
    "empty": (b"Content-Length:",),
    "2^64": (b"Content-Length: 18446744073709551616",),
    "2^64+5": (b"Content-Length: 18446744073709551621",),
    "two that differ": (b"Content-Length: 5", b"Content-Length: 6"),
    "two that agree": (b"Content-Length: 5", b"Content-Length: 5"),
    "space before colon": (b"Content-Length : 5",),
    "folded": (b"Content-Length:\r\n 5",),
    "nul": (b"Content-Length: 5\x00",),
    "high digit": (b"Content-Length: \xb2",),
    "bare lf before": (b"X: y\nContent-Length: 5",),
}
_CHUNKED_BODIES: dict[str, bytes] = {
    "bare lf after size": b"5\nhello\r\n0\r\n\r\n",
    "bare lf after data": b"5\r\nhello\n0\r\n\r\n",
    "bare cr after size": b"5\rhello\r\n0\r\n\r\n",
    "lf in extension": b"5;\nxx\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "space after": b"5 \r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no hex": b"g\r\nhello\r\n0\r\n\r\n",
    "seventeen digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "overflow": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "too short": b"4\r\nhello\r\n0\r\n\r\n",
    "too long": b"6\r\nhello\r\n0\r\n\r\n",
    "no end of data": b"5\r\nhello0\r\n\r\n",
    "nul in extension": b"5;\x00\r\nhello\r\n0\r\n\r\n",
    "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "huge extension": b"5;" + b"a" * (1 << 20) + b"\r\nhello\r\n0\r\n\r\n",
    "trailer": b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
    "trailer that frames": b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n",
    "trailer of a host": b"5\r\nhello\r\n0\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\n",
    "upper hex": b"A\r\nhellohello\r\n0\r\n\r\n",
    "leading zeros": b"005\r\nhello\r\n000\r\n\r\n",
}
_HEADS: dict[str, bytes] = {
    "folded header": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "name with space": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX y: a\r\n\r\n",
    "no colon": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
    "empty name": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n",
    "nul in value": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "bare cr in value": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    "high byte in name": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nX\x80: a\r\n\r\n",
    "lf only": b"GET /main/{n} HTTP/1.1\nHost: localhost\n\n",
    "no host": b"GET /main/{n} HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "host with user": b"GET /main/{n} HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "host with two ports": b"GET /main/{n} HTTP/1.1\r\nHost: localhost:1:2\r\n\r\n",
    "host with control": b"GET /main/{n} HTTP/1.1\r\nHost: localhost\x02\r\n\r\n",
    "host with path": b"GET /main/{n} HTTP/1.1\r\nHost: localhost/x\r\n\r\n",
    "absolute": b"GET http://evil/main/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "authority": b"CONNECT evil:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no slash": b"GET main/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space in target": b"GET /main/{n} x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nul in target": b"GET /main/{n}\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "fragment": b"GET /main/{n}#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /main/{n}\r\nHost: localhost\r\n\r\n",
    "0.9": b"GET /main/{n} HTTP/0.9\r\nHost: localhost\r\n\r\n",
    "1.2": b"GET /main/{n} HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "1.1x": b"GET /main/{n} HTTP/1.1x\r\nHost: localhost\r\n\r\n",
    "2.0": b"GET /main/{n} HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "ice": b"GET /main/{n} ICE/1.0\r\nHost: localhost\r\n\r\n",
    "lower version": b"GET /main/{n} http/1.1\r\nHost: localhost\r\n\r\n",
    "trace": b"TRACE /main/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "unknown method": b"FROB /main/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "lower method": b"get /main/{n} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "connection names a key": (
        b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nConnection: close, authorization\r\n\r\n"
    ),
    "connection names the host": (
        b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nConnection: host\r\n\r\n"
    ),
    "unknown expectation": (
        b"POST /main/{n} HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n"
        b"Content-Length: 1\r\n\r\nx"
    ),
}


def vectors() -> Iterator[Vector]:
    """All of them, not numbered yet."""
    smuggle = b"0\r\n\r\n" + SMUGGLED
    for name, line in _TE_LINES.items():
        # One reader sees a body of that length, another an empty one and a second request.
        as_length = ("POST", TARGET, smuggle)
        for order, lines in (
            ("length first", (b"Content-Length: {len}", line)),
            ("length last", (line, b"Content-Length: {len}")),
        ):
            yield Vector(f"coding and {order}: {name}", post(*lines, body=smuggle), ((as_length,),))
        body = b"5\r\nhello\r\n0\r\n\r\n"
        yield Vector(
            f"coding alone: {name}",
            post(line, body=body),
            ((("POST", TARGET, b"hello"),), (("POST", TARGET, b""),)),
            must_pass=name in ("plain", "upper", "no space", "tab", "two spaces", "trailing space"),
        )
    yield Vector(
        "coding in 1.0",
        post(b"Transfer-Encoding: chunked", body=smuggle).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    )
    for name, length_lines in _LENGTH_LINES.items():
        yield Vector(f"length: {name}", post(*length_lines, body=b"hello" + SMUGGLED))
    for name, body in _CHUNKED_BODIES.items():
        data = b"hellohello" if name == "upper hex" else b"hello"
        yield Vector(
            f"chunks: {name}",
            post(b"Transfer-Encoding: chunked", body=body),
            ((("POST", TARGET, data),),),
            must_pass=name in ("upper hex", "leading zeros", "trailer", "extension"),
        )
    for name, head in _HEADS.items():
        yield Vector(f"head: {name}", head)
    spaces = b"GET  /main/{n}  HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield Vector("head: several spaces", spaces, ((("GET", TARGET, b""),),), must_pass=True)
    two = post(b"Content-Length: 5", body=b"hello") + SMUGGLED
    second = ("GET", "/smuggled/{n}", b"")
    yield Vector("two in order", two, ((("POST", TARGET, b"hello"), second),), must_pass=True)
    upgrade = (b"Connection: Upgrade", b"Upgrade: websocket")
    yield Vector(
        "an upgrade with a body",
        post(*upgrade, b"Content-Length: {len}", body=SMUGGLED),
        ((("POST", TARGET, SMUGGLED),),),
        must_pass=True,
    )
    h2c = b"GET /main/{n} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    yield Vector(
        "h2c",
        h2c + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        ((("GET", TARGET, b""),),),
        must_pass=True,
    )
