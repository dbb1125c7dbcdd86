"""Encoded bodies, undone piece by piece, and bombs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from sidecar.dialects.unpack import MAX_PIECE_BYTES, TooDenseError, unpacker

CODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstd.compress,
}
TEXT = b"".join(b"data: {%d}\n\n" % (n * 7919 % 1000) for n in range(3000))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_it_is_undone_however_it_is_cut(coding: bytes, step: int) -> None:
    packed = CODINGS[coding](TEXT)
    undo = unpacker(coding.upper())
    assert undo is not None
    assert b"".join(undo.feed(packed[at : at + step]) for at in range(0, len(packed), step)) == TEXT


def test_each_flushed_piece_can_be_read_at_once() -> None:
    machine, undo = zlib.compressobj(wbits=31), unpacker(b"gzip")
    assert undo is not None
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        assert undo.feed(machine.compress(event) + machine.flush(zlib.Z_SYNC_FLUSH)) == event


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_given_up(coding: bytes) -> None:
    packed = CODINGS[coding](bytes(MAX_PIECE_BYTES * 200))
    undo = unpacker(coding)
    assert undo is not None
    pieces = [packed[at : at + 50] for at in range(0, len(packed), 50)]
    with pytest.raises(TooDenseError):
        assert max(len(undo.feed(piece)) for piece in pieces) <= MAX_PIECE_BYTES


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_something_else_is_an_error_of_one_kind(coding: bytes) -> None:
    undo = unpacker(coding)
    assert undo is not None
    with pytest.raises(ValueError, match=r"."):
        undo.feed(b"\x00\xffthis is nothing of the sort" * 5000)


def test_several_members_are_one_body() -> None:
    """RFC 1952 §2.2. Some pad with zeros."""
    undo = unpacker(b"gzip")
    assert undo is not None
    assert undo.feed(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert undo.feed(gzip.compress(b"c")) == b"c"
    assert undo.feed(b"\0\0" + gzip.compress(b"d")[:8]) == b""
    assert undo.feed(gzip.compress(b"d")[8:] + b"\0") == b"d"


def test_plain_bodies_need_none_and_unknown_codings_are_said() -> None:
    assert unpacker(None) is None
    assert unpacker(b"identity") is None
    for coding in (b"gzip, br", b"compress", b"x"):
        with pytest.raises(LookupError):
            unpacker(coding)
