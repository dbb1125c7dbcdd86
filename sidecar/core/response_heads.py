"""An upstream's response head as bytes: read once, kept in order, written with the least change.

Knows: how the headers of a response are sorted, and how the head for the caller is put together.
Must not know: sockets, parsers or policies. See `heads` for why bytes, and why flat lists.
"""

from __future__ import annotations

from typing import Final

from sidecar.core import headers as h
from sidecar.core.framing import COLON, CRLF, HARMLESS_CONNECTION, Framing, without

SWITCHING: Final = 101
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


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
        "requests_left",
        "status",
        "tokens_left",
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
        self.requests_left: bytes | None = None
        """What the provider still allows, as it came; so, too:"""
        self.tokens_left: bytes | None = None

    def add(self, name: bytes, value: bytes) -> None:
        """One header line, value without surrounding white space."""
        kind = h.cached(name)
        if kind is None:
            kind = h.kind_of(name)
        if kind == 0 or self._goes_on(kind, value):  # 0: PASS
            self.parts += (name, COLON, value, CRLF)

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
            if value.lower() in HARMLESS_CONNECTION:
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
        elif kind == h.REQUESTS_LEFT:
            self.requests_left = value
        elif kind == h.TOKENS_LEFT:
            self.tokens_left = value
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
            self.parts = without(self.parts, names)
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

    def for_client(self, speaks_chunked: bool, closes: bool, extra: bytes = b"") -> bytes:
        """The head to send down. A body of unknown length is chunked where the client can read
        that, else it ends with the connection. `extra`: whole lines of ours."""
        parts = self.parts
        if self._te_at is not None and not speaks_chunked and self.framing is not Framing.NONE:
            parts = without(parts, frozenset({b"transfer-encoding"}))
        if self.framing is Framing.EOF and speaks_chunked:
            extra += b"transfer-encoding: chunked\r\n"
        if closes:
            extra += b"connection: close\r\n"
        return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (self.status, self.reason, b"".join(parts), extra)
