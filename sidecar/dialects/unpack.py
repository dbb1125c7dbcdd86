"""A readable copy of an encoded body: gzip, deflate, br, zstd.

Knows: how each is undone piece by piece, and when to stop.
Must not know: what the bytes say. What goes to the caller is never unpacked; this copy is read and
forgotten, and a bomb costs what is set here: one read may unpack to 1 MiB, the whole to a hundred
times its size, and of several members only the first is read.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

MAX_PIECE_BYTES: Final = 1 << 20
MAX_RATIO: Final = 100
_FREE_BYTES: Final = 1 << 20
"""Small bodies may be as dense as they like."""


class TooDenseError(Exception):
    """It unpacks to more than it should."""


class Unpacker:
    """One body. `feed` gives what its bytes unpack to; raises TooDenseError, or ValueError where
    the bytes are not what the header says."""

    __slots__ = ("_is_over", "_packed", "_undo", "_unpacked")

    def __init__(self, undo: Callable[[bytes], tuple[bytes, bool]]) -> None:
        self._undo = undo
        self._packed = self._unpacked = 0
        self._is_over = False

    def feed(self, data: bytes) -> bytes:
        if self._is_over:
            return b""
        plain, self._is_over = self._undo(data)
        self._packed += len(data)
        self._unpacked += len(plain)
        if self._unpacked > max(_FREE_BYTES, MAX_RATIO * self._packed):
            raise TooDenseError
        return plain


def unpacker(coding: bytes | None) -> Unpacker | None:
    """For the value of Content-Encoding; None where the body is plain. Raises LookupError for a
    coding that is not known here, or for several on top of each other."""
    match (coding or b"identity").strip().lower():
        case b"identity" | b"":
            return None
        case b"gzip" | b"x-gzip" | b"deflate":
            return Unpacker(_zlib())
        case b"br":
            return Unpacker(_brotli())
        case b"zstd":
            return Unpacker(_zstd())
        case _:
            raise LookupError


def _zlib() -> Callable[[bytes], tuple[bytes, bool]]:
    # 47: gzip or zlib, whichever its first bytes say.
    machine = zlib.decompressobj(47)

    def undo(data: bytes) -> tuple[bytes, bool]:
        nonlocal machine
        plain = b""
        try:
            while data:
                if machine.eof:
                    # RFC 1952 §2.2: one member may follow another; some pad with zeros.
                    data = data.lstrip(b"\0")
                    machine = zlib.decompressobj(47)
                plain += machine.decompress(data, MAX_PIECE_BYTES - len(plain) + 1)
                if machine.unconsumed_tail or len(plain) > MAX_PIECE_BYTES:
                    raise TooDenseError
                data = machine.unused_data
        except zlib.error as error:
            raise ValueError(str(error)) from None
        return plain, False

    return undo


def _brotli() -> Callable[[bytes], tuple[bytes, bool]]:
    import brotli

    machine = brotli.Decompressor()

    def undo(data: bytes) -> tuple[bytes, bool]:
        try:
            plain: bytes = machine.process(data, output_buffer_limit=MAX_PIECE_BYTES)
        except brotli.error as error:
            raise ValueError(str(error)) from None
        if not machine.can_accept_more_data():
            raise TooDenseError
        return plain, machine.is_finished()

    return undo


def _zstd() -> Callable[[bytes], tuple[bytes, bool]]:
    # In the standard library from Python 3.14 on, before that as its backport.
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd: Any = import_module(name)
    machine = zstd.ZstdDecompressor()

    def undo(data: bytes) -> tuple[bytes, bool]:
        try:
            plain: bytes = machine.decompress(data, MAX_PIECE_BYTES)
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None
        if not machine.needs_input and not machine.eof:
            raise TooDenseError
        return plain, machine.eof

    return undo
