"""Message heads as bytes: read once, kept in order, written with the least change.

Knows: how the headers of a request or response are sorted into what goes on as it came and what
belongs to one hop, and how the next head is put together from them.
Must not know: sockets, parsers or policies. Names and values are bytes throughout, because header
values are latin-1 at best and a decode-encode round trip is where other relays lose them.
Why flat lists of byte strings: a head is joined once, and nothing of it is copied before that.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from sidecar.core import headers as h

_CRLF: Final = b"\r\n"
_COLON: Final = b": "
SWITCHING: Final = 101
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_HARMLESS_CONNECTION: Final = frozenset({b"keep-alive", b"close"})


class Framing(Enum):
    """How the end of a body is known."""

    NONE = "none"
    """There is no body."""
    LENGTH = "length"
    CHUNKED = "chunked"
    EOF = "eof"
    """Up to the end of the connection (responses only)."""


class RequestHead:
    """A caller's request head, sorted. `parts` is the flat list (name, ": ", value, CRLF, …) of
    all that goes on; the Host line's place in it is `host_at`."""

    __slots__ = (
        "content_length",
        "content_type",
        "credentials",
        "expect",
        "framing",
        "has_anthropic_version",
        "host",
        "host_at",
        "host_count",
        "method",
        "minor_version",
        "must_close",
        "origin",
        "parts",
        "path",
        "query",
        "read_timeout",
        "removed",
        "request_id",
        "sidecar_token",
        "target",
        "timeout_ms",
        "transfer_encodings",
        "upgrade",
        "wants_websocket",
    )

    def __init__(
        self,
        method: str,
        target: str,
        minor_version: int,
        raw_headers: Iterable[tuple[bytes, bytes]],
    ) -> None:
        self.method = method
        self.target = target
        """Raw: path and query as they came."""
        self.path, _, self.query = target.partition("?")
        self.minor_version = minor_version
        self.host: bytes | None = None
        self.host_at: int | None = None
        self.host_count = 0
        self.must_close = False
        """The caller's connection ends after this request, by its own words or its version."""
        self.origin: bytes | None = None
        self.expect: bytes | None = None
        self.request_id: bytes | None = None
        self.content_type: bytes | None = None
        self.content_length: int | None = None
        self.transfer_encodings: list[bytes] = []
        self.has_anthropic_version = False
        self.credentials: list[tuple[bytes, bytes]] = []
        """(name in lower case, value) of each header that carries a provider key."""
        self.removed: frozenset[bytes] = frozenset()
        """Names that the Connection header listed."""
        self.upgrade: bytes | None = None
        self.wants_websocket = False
        """It asks for a tunnel, and may have one: the two headers that say so then go on, too."""
        self.read_timeout: bytes | None = None
        """How long the caller's SDK waits between two reads, in seconds, as it came."""
        self.timeout_ms: bytes | None = None
        """The hint `x-sidecar-timeout-ms`, as it came."""
        self.sidecar_token: bytes | None = None
        """The hint `x-sidecar-token`."""
        parts: list[bytes] = []
        cached, kind_of = h.cached, h.kind_of
        for name, value in raw_headers:
            kind = cached(name)
            if kind is None:
                kind = kind_of(name)
            if kind == 0 or self._goes_on(kind, name, value, len(parts)):  # 0: PASS
                parts += (name, _COLON, value, _CRLF)
        self.parts = parts
        self.framing = (
            Framing.CHUNKED
            if self.transfer_encodings
            else Framing.LENGTH
            if self.content_length is not None
            else Framing.NONE
        )
        if self.removed or self.upgrade is not None:
            self.wants_websocket = self._wants_websocket()
            names = self.removed - h.UNREMOVABLE
            if self.wants_websocket:
                self._drop(names - h.UPGRADING)
            else:
                self._drop(names | h.UPGRADING)

    def _goes_on(self, kind: int, name: bytes, value: bytes, at: int) -> bool:
        """Note what one header says; False if it belongs to this hop."""
        if kind == h.CONTENT_TYPE:
            self.content_type = value
        elif kind == h.HOST:
            self.host, self.host_at = value, at
            self.host_count += 1
        elif kind == h.CREDENTIAL:
            self.credentials.append((name.lower(), value))
        elif kind == h.CONTENT_LENGTH:
            self.content_length = int(value)
        elif kind == h.TRANSFER_ENCODING:
            self.transfer_encodings.append(value.lower())
        elif kind == h.ORIGIN:
            self.origin = value
        elif kind == h.REQUEST_ID:
            self.request_id = value
        elif kind == h.ANTHROPIC_VERSION:
            self.has_anthropic_version = True
        elif kind == h.EXPECT:
            self.expect = value
            return False
        elif kind == h.READ_TIMEOUT:
            self.read_timeout = value
        elif kind == h.UPGRADE:
            self.upgrade = value
        elif kind >= h.CONTENT_ENCODING:
            return True  # these speak in answers only
        elif kind == h.CONNECTION:
            if value.lower() in _HARMLESS_CONNECTION:
                return False
            named = h.connection_tokens(value)
            self.removed |= named
            # Kept for now: only the whole head tells whether it may go on.
            return b"upgrade" in named
        else:
            if kind == h.HINT:
                self._take_hint(name.lower(), value)
            return False
        return True

    def _take_hint(self, name: bytes, value: bytes) -> None:
        if name == b"x-sidecar-token":
            self.sidecar_token = value
        elif name == b"x-sidecar-timeout-ms":
            self.timeout_ms = value

    def _wants_websocket(self) -> bool:
        """RFC 6455 §4.1. A body beside it would be two readings of the bytes that follow."""
        return (
            self.method == "GET"
            and self.minor_version == 1
            and (self.upgrade or b"").lower() == b"websocket"
            and b"upgrade" in self.removed
            and self.framing is Framing.NONE
        )

    def _drop(self, names: frozenset[bytes]) -> None:
        self._keep(_without(self.parts, names))

    def _keep(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.host_at = next(
            (at for at in range(0, len(parts), 4) if parts[at].lower() == b"host"), None
        )

    def spend(self, name: bytes, value: bytes) -> None:
        """Take out the credential `name` (in lower case) with this value: it was meant for us."""
        self.credentials.remove((name, value))
        parts = self.parts
        kept: list[bytes] = []
        for at in range(0, len(parts), 4):
            if parts[at].lower() != name or parts[at + 2] != value:
                kept += parts[at : at + 4]
        self._keep(kept)

    def lower_case(self) -> dict[str, str]:
        """Headers by lower-cased name, for rules that match on one; of duplicates the last."""
        parts = self.parts
        return {
            parts[at].lower().decode("latin-1"): parts[at + 2].decode("latin-1")
            for at in range(0, len(parts), 4)
        }

    def resize(self, length: int) -> None:
        """State another Content-Length, where one is stated."""
        for at in range(0, len(self.parts), 4):
            if self.parts[at].lower() == b"content-length":
                self.parts[at + 2] = b"%d" % length

    def for_upstream(
        self, target: str, authority: bytes, key_header: tuple[bytes, bytes] | None = None
    ) -> bytes:
        """The head to send: the Host line replaced in its place, all else as it came.

        With `key_header` (the upstream's own credential) every credential of the caller is left
        out and that header stands at the end.
        """
        parts = self.parts
        if key_header is not None:
            parts = _without(parts, frozenset(name for name, _ in self.credentials))
            parts += (key_header[0], _COLON, key_header[1], _CRLF)
        else:
            parts = parts.copy()
        line = f"{self.method} {target} HTTP/1.1\r\n".encode("latin-1")
        if self.host_at is None:
            line += b"Host: " + authority + _CRLF
        elif key_header is None:
            parts[self.host_at + 2] = authority
        else:
            at = next(at for at in range(0, len(parts), 4) if parts[at].lower() == b"host")
            parts[at + 2] = authority
        return line + b"".join(parts) + _CRLF


UNREADABLE: Final = RequestHead("", "", 1, ())
"""Stands for bytes that were no request head."""


class ResponseHead:
    """An upstream's response head, sorted while it is parsed: `add` each header, then `finish`."""

    __slots__ = (
        "_removed",
        "_te_at",
        "content_encoding",
        "content_length",
        "content_type",
        "framing",
        "is_ambiguous",
        "parts",
        "processing_ms",
        "reason",
        "request_id",
        "status",
        "upgrade",
    )

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.parts: list[bytes] = []
        self.content_length: int | None = None
        self.content_type: bytes | None = None
        self.framing = Framing.EOF
        self.is_ambiguous = False
        """Its end could be read in two ways."""
        self._te_at: int | None = None
        self._removed: frozenset[bytes] = frozenset()
        self.upgrade: bytes | None = None
        self.content_encoding: bytes | None = None
        self.processing_ms: bytes | None = None
        """How long the provider says that it took, as it came."""
        self.request_id: bytes | None = None
        """What the provider calls the request."""

    def add(self, name: bytes, value: bytes) -> None:
        """One header line, value without surrounding white space."""
        kind = h.cached(name)
        if kind is None:
            kind = h.kind_of(name)
        if kind == 0 or self._goes_on(kind, value):  # 0: PASS
            self.parts += (name, _COLON, value, _CRLF)

    def _goes_on(self, kind: int, value: bytes) -> bool:
        if kind == h.CONTENT_TYPE:
            self.content_type = value
        elif kind == h.CONTENT_LENGTH:
            self.content_length = int(value)
        elif kind == h.TRANSFER_ENCODING:
            # Another coding, or a second one, may be undone by the next reader, or not.
            self.is_ambiguous |= self._te_at is not None or value.lower() != b"chunked"
            self._te_at = len(self.parts)
        elif kind == h.CONNECTION:
            if value.lower() in _HARMLESS_CONNECTION:
                return False
            named = h.connection_tokens(value)
            self._removed |= named
            return b"upgrade" in named
        elif kind == h.UPGRADE:
            self.upgrade = value
        elif kind == h.DROP:
            return False
        elif kind in (h.REQUEST_ID, h.UPSTREAM_ID):
            self.request_id = self.request_id or value
        elif kind == h.PROCESSING_MS:
            self.processing_ms = value
        elif kind == h.CONTENT_ENCODING:
            self.content_encoding = value
        return True

    @property
    def announces_body(self) -> bool:
        """Some bytes of a body are said to follow."""
        return bool(self.content_length) or self._te_at is not None

    def finish(self, status: int, has_body: bool) -> None:
        """All headers are in: settle the framing. `has_body` False: HEAD, 1xx, 204, 304."""
        self.status = status
        if self._removed or self.upgrade is not None or status < 200:
            names = self._removed - h.UNREMOVABLE
            names = names - h.UPGRADING if status == SWITCHING else names | h.UPGRADING
            if status < 200:
                # There is no body, so that these could only confuse.
                names |= _FRAMING
            self.parts = _without(self.parts, names)
            self._te_at = next(
                (
                    at
                    for at in range(0, len(self.parts), 4)
                    if self.parts[at].lower() == b"transfer-encoding"
                ),
                None,
            )
        if not has_body:
            self.framing = Framing.NONE
        elif self._te_at is not None:
            self.framing = Framing.CHUNKED
        elif self.content_length is not None:
            self.framing = Framing.LENGTH

    def for_client(self, speaks_chunked: bool, closes: bool) -> bytes:
        """The head to send down. A body of unknown length is chunked where the client can read
        that, else it ends with the connection."""
        parts = self.parts
        extra = b""
        if self._te_at is not None and not speaks_chunked and self.framing is not Framing.NONE:
            parts = _without(parts, frozenset({b"transfer-encoding"}))
        if self.framing is Framing.EOF and speaks_chunked:
            extra = b"transfer-encoding: chunked\r\n"
        if closes:
            extra += b"connection: close\r\n"
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (self.status, self.reason, b"".join(parts), extra)


def _without(parts: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """A copy of a flat list of headers that leaves out those named (in lower case)."""
    kept: list[bytes] = []
    for at in range(0, len(parts), 4):
        if parts[at].lower() not in names:
            kept += parts[at : at + 4]
    return kept
