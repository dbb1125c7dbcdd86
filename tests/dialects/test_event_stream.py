"""The binary event stream of AWS."""

from __future__ import annotations

import struct
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, Facts, ProviderError
from sidecar.dialects.event_stream import MAX_MESSAGE_BYTES, EventStreamReader


class Keeping:
    """Keeps names and payloads; all are content."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.events: list[tuple[bytes, bytes]] = []

    def event(self, name: bytes, data: bytes) -> int:
        self.events.append((name, data))
        return CONTENT

    def whole(self, body: bytes) -> int:
        raise AssertionError


def text_header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value


def message(payload: bytes, **headers: bytes) -> bytes:
    """`kind=b"event", type=b"chunk"` and so on, as headers of strings."""
    names = {"kind": b":message-type", "type": b":event-type", "exception": b":exception-type"}
    names |= {"code": b":error-code", "said": b":error-message"}
    given = b"".join(text_header(names[name], value) for name, value in headers.items())
    return framed(given, payload)


def framed(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return head + struct.pack(">I", crc32(head))


def read(body: bytes, *edges: int) -> tuple[Keeping, list[int]]:
    kept = Keeping()
    reader = EventStreamReader(kept)
    cuts = sorted({0, len(body), *(min(edge, len(body)) for edge in edges)})
    kinds = [kind for a, b in pairwise(cuts) for kind in reader.feed(body[a:b])]
    return kept, kinds + reader.end()


EVENT = message(b'{"a":1}', kind=b"event", type=b"chunk")
LONG = message(b"x" * MAX_MESSAGE_BYTES, kind=b"event", type=b"chunk")


@given(st.sets(st.integers(0, 300), max_size=6))
def test_messages_are_the_same_however_they_are_cut(edges: set[int]) -> None:
    kept, kinds = read(EVENT * 3, *edges)
    assert kept.events == [(b"chunk", b'{"a":1}')] * 3
    assert (kinds, kept.facts.events) == ([CONTENT] * 3, 3)


def test_byte_by_byte_is_no_different() -> None:
    body = EVENT + LONG + EVENT
    kept, kinds = read(body, *range(400), *range(len(body) - 400, len(body)))
    assert (len(kept.events), kinds) == (2, [CONTENT] * 2)
    assert (kept.facts.events, kept.facts.skipped) == (3, {"event_too_large": 1})


@pytest.mark.parametrize("size", [1, 3, 4, 5, 9, 1000, 70_000])
def test_a_message_that_is_too_long_is_passed_over(size: int) -> None:
    body = EVENT + LONG + LONG + EVENT
    kept, _ = read(body, *range(0, len(body), size))
    assert len(kept.events) == 2
    assert kept.facts.skipped == {"event_too_large": 2}


@pytest.mark.parametrize("at", [0, 5, 9, 20, len(EVENT) - 1])
def test_a_wrong_checksum_ends_the_reading(at: int) -> None:
    broken = bytearray(EVENT)
    broken[at] ^= 1
    kept, kinds = read(EVENT + bytes(broken) + EVENT)
    assert kinds == [CONTENT]
    assert (kept.facts.is_lost, kept.facts.skipped) == (True, {"bad_checksum": 1})


def test_the_checksum_of_a_long_message_is_looked_at_too() -> None:
    broken = bytearray(LONG)
    broken[40_000] ^= 1
    kept, kinds = read(bytes(broken) + EVENT, *range(0, len(LONG), 999))
    assert (kinds, kept.facts.skipped) == ([], {"bad_checksum": 1})


def test_an_exception_is_an_error_within_the_stream() -> None:
    body = message(b'{"message":"slow"}', kind=b"exception", exception=b"throttlingException")
    kept, kinds = read(EVENT + body)
    assert (kinds, kept.facts.events) == ([CONTENT], 2)
    assert kept.facts.error == ProviderError(True, "throttlingException", None, "slow")


def test_an_error_says_why_in_its_headers() -> None:
    kept, _ = read(message(b"", kind=b"error", code=b"500", said=b"broke"))
    assert kept.facts.error == ProviderError(True, "500", None, "broke")


def test_headers_of_every_type_are_passed() -> None:
    values = [b"\0", b"\1", b"\2a", b"\3ab", b"\4abcd", b"\5" + b"8" * 8, b"\6\0\2ab"]
    values += [b"\7\0\1a", b"\x08" + b"8" * 8, b"\x09" + b"6" * 16]
    odd = b"".join(b"\1n" + value for value in values)
    kept, _ = read(framed(odd + text_header(b":event-type", b"chunk"), b"{}"))
    assert kept.events == [(b"chunk", b"{}")]


@pytest.mark.parametrize("headers", [b"\1n\x0a", b"\5n", b"\1n\7\0\x09a", b"\1"])
def test_headers_that_do_not_fit_end_the_reading(headers: bytes) -> None:
    kept, kinds = read(framed(headers, b"{}"))
    assert (kinds, kept.facts.is_lost) == ([], True)


def test_what_is_cut_in_a_message_says_nothing_of_it() -> None:
    kept, kinds = read(EVENT + EVENT[:-1])
    assert (kinds, kept.facts.events, kept.facts.skipped) == ([CONTENT], 1, {})


@given(st.binary(max_size=200))
def test_nothing_makes_the_reader_raise_or_grow(data: bytes) -> None:
    reader = EventStreamReader(Keeping())
    for _ in range(3):
        reader.feed(data)
    assert len(reader._buffer) <= MAX_MESSAGE_BYTES
    reader.end()
