"""Request heads as bytes: read once, kept in order, written with the least change.

Knows: how the headers of a request are sorted into what goes on as it came and what
belongs to one hop, and how the next head is put together from them.
Must not know: sockets, parsers or policies. Names and values are bytes throughout, because header
values are latin-1 at best and a decode-encode round trip is where other relays lose them.
Why flat lists of byte strings: a head is joined once, and nothing of it is copied before that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sidecar.core import headers as h
from sidecar.core.framing import COLON, CRLF, HARMLESS_CONNECTION, Framing, without
from sidecar.core.trace import OwnTrace


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
        "hints",
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
        "traceparent",
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
        self.hints: dict[bytes, bytes] | None = None
        """All other hints (`x-sidecar-…`), by name in lower case."""
        self.traceparent: bytes | None = None
        """The caller's span, as it came."""
        parts: list[bytes] = []
        cached, kind_of = h.cached, h.kind_of
        for name, value in raw_headers:
            kind = cached(name)
            if kind is None:
                kind = kind_of(name)
            if kind == 0 or self._goes_on(kind, name, value, len(parts)):  # 0: PASS
                parts += (name, COLON, value, CRLF)
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
        elif kind == h.TRACEPARENT:
            # Of two, none is to be believed.
            self.traceparent = value if self.traceparent is None else b""
        elif kind >= h.CONTENT_ENCODING:
            return True  # these speak in answers only
        elif kind == h.CONNECTION:
            if value.lower() in HARMLESS_CONNECTION:
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
        else:
            self.hints = {**(self.hints or {}), name: value}

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
        self._keep(without(self.parts, names))

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

    def value_of(self, name: bytes) -> bytes | None:
        """The value of a header, named in lower case; of duplicates the last, None if absent."""
        if self.hints is not None and name in self.hints:
            return self.hints[name]
        parts, found = self.parts, None
        for at in range(0, len(parts), 4):
            if len(parts[at]) == len(name) and parts[at].lower() == name:
                found = parts[at + 2]
        return found

    def resize(self, length: int) -> None:
        """State another Content-Length, where one is stated."""
        for at in range(0, len(self.parts), 4):
            if self.parts[at].lower() == b"content-length":
                self.parts[at + 2] = b"%d" % length

    def for_upstream(
        self,
        target: str,
        authority: bytes,
        key_header: tuple[bytes, bytes] | None = None,
        trace: OwnTrace | None = None,
    ) -> bytes:
        """The head to send: the Host line replaced in its place, all else as it came.

        With `key_header` (the upstream's own credential) every credential of the caller is left
        out and that header stands at the end. `trace`: what stands for the caller's trace headers.
        """
        parts = self.parts
        if key_header is not None:
            parts = without(parts, frozenset(name for name, _ in self.credentials))
            parts += (key_header[0], COLON, key_header[1], CRLF)
        else:
            parts = parts.copy()
        if trace is not None:
            parts = without(parts, trace.instead_of)
            if trace.traceparent is not None:
                parts += (b"traceparent", COLON, trace.traceparent, CRLF)
        line = f"{self.method} {target} HTTP/1.1\r\n".encode("latin-1")
        if self.host_at is None:
            line += b"Host: " + authority + CRLF
        elif key_header is None and trace is None:
            parts[self.host_at + 2] = authority
        else:
            at = next(at for at in range(0, len(parts), 4) if parts[at].lower() == b"host")
            parts[at + 2] = authority
        return line + b"".join(parts) + CRLF


UNREADABLE: Final = RequestHead("", "", 1, ())
"""Stands for bytes that were no request head."""
