"""One HTTP/1.1 message at the beginning of some bytes, read without any mercy.

Knows: RFC 9112 as a relay must keep to it: one framing, CRLF, no folded lines, plain chunk sizes.
Must not know: the program's parser. It is another reading of the same bytes, or nothing would be
proved by comparing them.
Messages are read anew from their beginning with each read: they are short, and a reader without
state has nothing that could go wrong between two messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

NO_BODY: Final = frozenset({204, 304})
_FIELDS: Final = rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
_REQUEST: Final = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.1\r\n" + _FIELDS
)
_ANSWER: Final = re.compile(
    rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n" + _FIELDS
)
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_SIZE_WITH_EXTENSION: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n"
)
_TRAILERS: Final = re.compile(_FIELDS)

Fields = list[tuple[bytes, bytes]]


class State(Enum):
    """How far a message has come."""

    WHOLE = "whole"
    PART = "part"
    BROKEN = "broken"


@dataclass(slots=True)
class Message:
    """What was read. `start` is (method, target) or (status,)."""

    state: State
    start: tuple[bytes, ...] = ()
    fields: Fields = field(default_factory=list)
    """(name in lower case, value) in order."""
    body: bytes = b""
    end: int = 0
    """Where the next message begins."""
    why: str = ""
    """What is broken."""

    @property
    def has_head(self) -> bool:
        return bool(self.start)

    @property
    def status(self) -> int:
        return int(self.start[0])

    def value(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


def read_request(data: bytes | bytearray, at: int = 0) -> Message:
    """What a relay may send: no extensions, no trailers."""
    message = _head(_REQUEST, data, at)
    if message.state is not State.PART or not message.start:
        return message
    if len(message.values(b"host")) != 1:
        return _broken(message, "not exactly one Host")
    return _body(message, data, has_ended=False, is_plain=True, is_open_ended=False)


def read_answer(
    data: bytes | bytearray,
    at: int = 0,
    *,
    is_head: bool = False,
    has_ended: bool = False,
    is_plain: bool = True,
) -> Message:
    """The first final answer. `has_ended`: a FIN follows the bytes. `is_plain`: as a relay may
    send it, without chunk extensions, trailers, and empty lines in front."""
    while True:
        while not is_plain and data[at : at + 1] in (b"\r", b"\n"):
            at += 1
        message = _head(_ANSWER, data, at)
        if not message.start:
            return message
        if message.status >= 200:
            break
        if message.status == 101:
            return _broken(message, "101 was not asked for")
        at = message.end
    if is_head or message.status in NO_BODY:
        message.state = State.WHOLE
        return message
    return _body(message, data, has_ended=has_ended, is_plain=is_plain, is_open_ended=True)


def _head(kind: re.Pattern[bytes], data: bytes | bytearray, at: int) -> Message:
    """PART with `start` if the head is there; `end` is where the body begins."""
    found = kind.match(data, at)
    if found is None:
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            return Message(State.PART, end=at)
        return Message(State.BROKEN, end=at, why=f"head: {bytes(data[at : end + 4])[:300]!r}")
    lines = found[0].split(b"\r\n")
    fields: Fields = []
    for line in lines[1:-2]:
        name, _, value = line.partition(b":")
        fields.append((name.lower(), value.strip(b" \t")))
    return Message(State.PART, found.groups(), fields, end=found.end())


def _body(
    message: Message,
    data: bytes | bytearray,
    *,
    has_ended: bool,
    is_plain: bool,
    is_open_ended: bool,
) -> Message:
    lengths = message.values(b"content-length")
    encodings = message.values(b"transfer-encoding")
    if len(lengths) + len(encodings) > 1:
        return _broken(message, "more than one framing")
    if encodings:
        if encodings[0].lower() != b"chunked":
            return _broken(message, "another transfer coding")
        return _chunks(message, data, is_plain)
    at = message.end
    if lengths:
        if not lengths[0].isdigit():
            return _broken(message, "no length")
        size = int(lengths[0])
        message.body = bytes(data[at : at + size])
        message.end = at + len(message.body)
        message.state = State.WHOLE if len(message.body) == size else State.PART
    elif is_open_ended:
        message.body = bytes(data[at:])
        message.end = len(data)
        message.state = State.WHOLE if has_ended else State.PART
    else:
        message.state = State.WHOLE
    return message


def _chunks(message: Message, data: bytes | bytearray, is_plain: bool) -> Message:
    """The body as far as it came, even if it does not come to its end."""
    size_line = _SIZE if is_plain else _SIZE_WITH_EXTENSION
    pieces: list[bytes] = []
    at = message.end
    while True:
        found = size_line.match(data, at)
        if found is None:
            is_part = data.find(b"\r\n", at) < 0
            break
        at, size = found.end(), int(found[1], 16)
        if not size:
            return _last_chunk(message, data, at, pieces, is_plain)
        pieces.append(bytes(data[at : at + size]))
        at += size
        tail = bytes(data[at : at + 2])
        if tail != b"\r\n":
            is_part = b"\r\n".startswith(tail)
            break
        at += 2
    message.body = b"".join(pieces)
    message.end = min(at, len(data))
    return message if is_part else _broken(message, f"chunk: {bytes(data[at : at + 40])!r}")


def _last_chunk(
    message: Message, data: bytes | bytearray, at: int, pieces: list[bytes], is_plain: bool
) -> Message:
    message.body = b"".join(pieces)
    message.end = at
    if data[at : at + 2] == b"\r\n":
        message.end = at + 2
        message.state = State.WHOLE
        return message
    end = data.find(b"\r\n\r\n", at)
    if is_plain and len(data) > at + 1:
        return _broken(message, "a trailer")
    if end < 0:
        return message
    found = _TRAILERS.match(data, at)
    if found is None:
        return _broken(message, "trailers")
    message.end = found.end()
    message.state = State.WHOLE
    return message


def _broken(message: Message, why: str) -> Message:
    message.state = State.BROKEN
    message.why = why
    return message
