"""A body that is not a stream: kept, and read when it is over.

Knows: that no more than 1 MiB of it is kept; a longer one is passed over, and said to be.
Must not know: what it says.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sidecar.core.facts import NOTHING, UNREADABLE, Interpreter
from sidecar.core.response_heads import ResponseHead

MAX_BODY_BYTES: Final = 1 << 20
_NONE: Final[list[int]] = []
_skip: Final = msgspec.json.Decoder(msgspec.Raw).decode
"""Reads all of it, and keeps nothing."""


class WholeReader:
    """Feed every byte; `end` tells the kinds of what was generated."""

    __slots__ = ("_interpreter", "_pieces", "_size")

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[int]:
        """Nothing yet."""
        self._size += len(data)
        if self._size <= MAX_BODY_BYTES:
            self._pieces.append(data)
        else:
            self._pieces.clear()
        return _NONE

    def end(self) -> list[int]:
        """The body is over."""
        if self._size > MAX_BODY_BYTES:
            self._interpreter.facts.skip("body_too_large")
            return _NONE
        body = b"".join(self._pieces)
        self._pieces.clear()
        found = read_whole(self._interpreter, body)
        return [found] if found else _NONE


def read_whole(interpreter: Interpreter, body: bytes) -> int:
    """The kinds of what a whole body brought."""
    if not body or body.isspace():
        return NOTHING
    found = interpreter.whole(body)
    if found == UNREADABLE:
        interpreter.facts.skip("unreadable")
        return NOTHING
    interpreter.facts.events = 1
    return found


def is_cut_json(head: ResponseHead | None, pieces: list[bytes]) -> bool:
    """True if a body that is kept whole, and says that it is plain JSON, ends before its end."""
    if head is None or head.content_encoding is not None or not pieces:
        return False
    if not (head.content_type or b"").lower().startswith(b"application/json"):
        return False
    try:
        _skip(b"".join(pieces))
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except UnicodeDecodeError:
        pass
    return False
