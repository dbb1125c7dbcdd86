"""The binary event stream of AWS (`application/vnd.amazon.eventstream`), however its bytes are cut.

Knows: messages (length, headers, payload), their two checksums, and how an exception is told.
Must not know: what a payload says; an interpreter is asked, once per message.
A checksum that is wrong ends the reading: where the next message begins is then anybody's guess.
At most 64 KiB of a message are kept: a longer one is passed over (its checksum is still looked at),
and said to be. Source: the event stream specification of the AWS SDKs, read 2026-11.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from zlib import crc32

import msgspec

from sidecar.core.facts import UNREADABLE, Interpreter, ProviderError

MAX_MESSAGE_BYTES: Final = 64 * 1024
_PRELUDE_BYTES: Final = 12
_OVERHEAD_BYTES: Final = 16
"""The prelude, and the checksum at the end."""
_FIXED_BYTES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Of header values, by type; the types 6 and 7 state their length."""
_BYTES, _STRING = 6, 7
_NAMES: Final = (b":event-type", b":exception-type", b":error-code")


class _Told(msgspec.Struct):
    message: str | None = None


class _BrokenError(Exception):
    """Not what a sender of this format sends."""


class EventStreamReader:
    """Feed every byte of the body; each call tells the kinds of the messages that it completed."""

    __slots__ = ("_buffer", "_check", "_facts", "_is_lost", "_left", "_read", "interpreter")

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._facts = interpreter.facts
        self._read = interpreter.event
        self._buffer = bytearray()
        """The beginning of a message whose end has not come."""
        self._left = 0
        """Bytes still to come of a message that is too long."""
        self._check = 0
        """Its checksum so far."""
        self._is_lost = False

    def feed(self, data: bytes) -> list[int]:
        """Kinds of the generated pieces, one number for each message that brought some."""
        kinds: list[int] = []
        if self._is_lost:
            return kinds
        try:
            if self._left:
                data = self._pass_over(data)
            self._buffer += data
            self._cut(kinds)
        except _BrokenError:
            self._is_lost = self._facts.is_lost = True
            self._facts.skip("bad_checksum")
            self._buffer.clear()
        return kinds

    def end(self) -> list[int]:
        """The body is over. What is left is part of a message, and says nothing."""
        self._buffer.clear()
        return []

    def _cut(self, kinds: list[int]) -> None:
        buffer = self._buffer
        at = 0
        while len(buffer) - at >= _PRELUDE_BYTES:
            size = int.from_bytes(buffer[at : at + 4], "big")
            headers_size = int.from_bytes(buffer[at + 4 : at + 8], "big")
            prelude_check = int.from_bytes(buffer[at + 8 : at + 12], "big")
            if crc32(buffer[at : at + 8]) != prelude_check or size < headers_size + _OVERHEAD_BYTES:
                raise _BrokenError
            if size > MAX_MESSAGE_BYTES:
                rest = bytes(buffer[at:])
                buffer.clear()
                self._left, self._check = size, 0
                buffer += self._pass_over(rest)
                at = 0
                continue
            if len(buffer) - at < size:
                break
            message = bytes(buffer[at : at + size])
            at += size
            if crc32(message[:-4]) != int.from_bytes(message[-4:], "big"):
                raise _BrokenError
            headers_end = _PRELUDE_BYTES + headers_size
            self._tell(message[_PRELUDE_BYTES:headers_end], message[headers_end:-4], kinds)
        del buffer[:at]

    def _pass_over(self, data: bytes) -> bytes:
        """Take the rest of a message that is too long; what follows it is given back."""
        taken, rest = data[: self._left], data[self._left :]
        body_left = self._left - 4
        if body_left > 0:
            self._check = crc32(taken[:body_left], self._check)
        tail = taken[max(body_left, 0) :]
        self._left -= len(taken)
        # The last four bytes may come one by one: they wait in the buffer until all are there.
        self._buffer += tail
        if self._left == 0:
            stated = int.from_bytes(self._buffer[:4], "big")
            self._buffer.clear()
            if stated != self._check:
                raise _BrokenError
            self._facts.events += 1
            self._facts.skip("event_too_large")
        return rest

    def _tell(self, headers: bytes, payload: bytes, kinds: list[int]) -> None:
        facts = self._facts
        facts.events += 1
        kind, name, said = _names(headers)
        if kind != b"event":
            kind_of_error = name.decode("latin-1") or None
            facts.error = ProviderError(True, kind_of_error, None, _why(payload, said))
            return
        found = self._read(name, payload)
        if found == UNREADABLE:
            facts.skip("unreadable")
        elif found:
            kinds.append(found)


@lru_cache(maxsize=64)  # a stream has a handful of different ones
def _names(headers: bytes) -> tuple[bytes, bytes, bytes]:
    """(kind of message, name of event, exception or error, what an error says)"""
    told: dict[bytes, bytes] = {}
    at = 0
    while at < len(headers):
        name_end = at + 1 + headers[at]
        name = headers[at + 1 : name_end]
        if name_end >= len(headers):
            raise _BrokenError
        value_type = headers[name_end]
        at = name_end + 1
        if value_type in (_BYTES, _STRING):
            size = int.from_bytes(headers[at : at + 2], "big")
            at += 2
        elif value_type in _FIXED_BYTES:
            size = _FIXED_BYTES[value_type]
        else:
            raise _BrokenError
        told[name] = headers[at : at + size]
        at += size
    if at > len(headers):
        raise _BrokenError
    kind = told.get(b":message-type", b"event")
    name = next((told[one] for one in _NAMES if one in told), b"")
    return kind, name, told.get(b":error-message", b"")


def _why(payload: bytes, said: bytes) -> str | None:
    try:
        message = msgspec.json.decode(payload, type=_Told).message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = None
    return message or said.decode("utf-8", "replace") or None
