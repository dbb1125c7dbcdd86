"""How the end of a body is known, and how a head's lines are kept.

Knows: the four framings of HTTP/1.1 (RFC 9112 §6.3), and the flat list that both heads use.
Must not know: requests or responses.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

CRLF: Final = b"\r\n"
COLON: Final = b": "
HARMLESS_CONNECTION: Final = frozenset({b"keep-alive", b"close"})
"""Values of a Connection header that name no other one."""


class Framing(Enum):
    """How the end of a body is known."""

    NONE = "none"
    """There is no body."""
    LENGTH = "length"
    CHUNKED = "chunked"
    EOF = "eof"
    """Up to the end of the connection (responses only)."""


def without(parts: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """A copy of a flat list of headers that leaves out those named (in lower case)."""
    kept: list[bytes] = []
    for at in range(0, len(parts), 4):
        if parts[at].lower() not in names:
            kept += parts[at : at + 4]
    return kept
