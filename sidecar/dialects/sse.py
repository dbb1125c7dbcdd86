"""Server-sent events, however their bytes are cut.

Knows: the framing of the WHATWG standard (HTML §9.2.6): lines that end with CRLF, LF or CR, fields,
comments, and the blank line that ends an event.
Must not know: what an event says; an interpreter is asked, once per event.
Two ways through: bytes that hold whole events in their plainest form (almost every read of almost
every provider) are cut by `split` alone; all else goes line by line. At most 64 KiB of an event are
kept: a longer one is passed over, and said to be. An interpreter that has a method `ends` is given
its first and last bytes: its kind stands in front of what is long, the usage behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sidecar.core.facts import UNREADABLE, Interpreter

MAX_EVENT_BYTES: Final = 64 * 1024
END_BYTES: Final = 16_000
_FIELD_BYTES: Final = 16
_DATA: Final = b"data: "
_EVENT: Final = b"event: "
_BOM: Final = b"\xef\xbb\xbf"


class SseReader:
    """Feed every byte of the body; each call tells the kinds of the events that it completed."""

    __slots__ = (
        "_cut",
        "_data",
        "_ends",
        "_event",
        "_facts",
        "_is_first",
        "_is_plain",
        "_is_too_long",
        "_line",
        "_name",
        "_size",
        "_skips_lf",
        "interpreter",
    )

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._facts = interpreter.facts
        self._event = interpreter.event
        self._ends: Callable[[bytes, bytes, bytes], int] | None = getattr(interpreter, "ends", None)
        self._line = bytearray()
        """The beginning of a line whose end has not come."""
        self._data: list[bytes] = []
        self._cut = bytearray()
        """Of an event that is too long: its two ends."""
        self._name = b""
        self._size = 0
        self._is_too_long = False
        self._skips_lf = False
        """The last byte was a CR: a LF that follows belongs to it."""
        self._is_first = True
        self._is_plain = False
        """Nothing is kept of what was read: the next byte begins an event."""

    def feed(self, data: bytes) -> list[int]:
        """Kinds of the generated pieces, one number for each event that brought some."""
        if self._is_plain and data[-2:] == b"\n\n" and b"\r" not in data:
            if data[:6] == _DATA and data.find(b"\n") == len(data) - 2:
                # One event of one line: almost every read of almost every provider.
                kinds: list[int] = []
                self._tell(b"", data[6:-2], kinds)
                return kinds
            kinds = self._whole_events(data)
        else:
            kinds = self._by_lines(data)
        self._is_plain = not (
            self._line
            or self._data
            or self._name
            or self._is_too_long
            or self._skips_lf
            or self._is_first
        )
        return kinds

    def end(self) -> list[int]:
        """The body is over. An event that only lacks its blank line is taken, if it is whole."""
        kinds: list[int] = []
        if self._line:
            line = bytes(self._line)
            self._line.clear()
            self._take(line, kinds)
        if self._data and not self._is_too_long:
            # Cut in the middle it says nothing; whole it is as good as any other.
            self._tell(self._name, b"\n".join(self._data), kinds, is_cut=True)
            self._forget()
        return kinds

    def _whole_events(self, data: bytes) -> list[int]:
        kinds: list[int] = []
        for block in data[:-2].split(b"\n\n") if data.count(b"\n\n") > 1 else (data[:-2],):
            if block[:6] == _DATA and b"\n" not in block:
                self._tell(b"", block[6:], kinds)
                continue
            if block[:7] == _EVENT:
                name, _, rest = block.partition(b"\n")
                if rest[:6] == _DATA and b"\n" not in rest:
                    self._tell(name[7:], rest[6:], kinds)
                    continue
            for line in block.split(b"\n"):
                self._take(line, kinds)
            self._take(b"", kinds)
        return kinds

    def _by_lines(self, data: bytes) -> list[int]:
        kinds: list[int] = []
        if self._skips_lf and data:
            self._skips_lf = False
            if data[:1] == b"\n":
                data = data[1:]
        if b"\n" not in data and b"\r" not in data:
            self._keep(data)
            return kinds
        if self._line:
            data = bytes(self._line) + data
            self._line.clear()
        lines = data.splitlines(keepends=True)
        tail = b""
        if lines and lines[-1][-1:] not in (b"\n", b"\r"):
            tail = lines.pop()
        self._skips_lf = data[-1:] == b"\r"
        for line in lines:
            if self._is_first:
                line = line.removeprefix(_BOM)
                self._is_first = False
            self._take(line.rstrip(b"\r\n"), kinds)
        self._keep(tail)
        return kinds

    def _keep(self, piece: bytes) -> None:
        self._line += piece
        if not self._is_too_long and len(self._line) + self._size > MAX_EVENT_BYTES:
            self._pass_over()
        if self._is_too_long:
            # In front stands the name of the field, too.
            del self._line[END_BYTES + _FIELD_BYTES : -END_BYTES]

    def _take(self, line: bytes, kinds: list[int]) -> None:
        if not line:
            self._dispatch(kinds)
            return
        if line[:1] == b":":
            self._facts.comments += 1
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            self._size += len(value) + 1  # and the line break between two of them
            if self._is_too_long:
                self._cut_out(value)
                return
            self._data.append(value)
            if self._size > MAX_EVENT_BYTES:
                self._pass_over()
        elif field == b"event":
            self._name = value

    def _pass_over(self) -> None:
        self._is_too_long = True
        for value in self._data:
            self._cut_out(value)
        self._data.clear()

    def _cut_out(self, value: bytes) -> None:
        if self._cut:
            self._cut += b"\n"
        self._cut += value
        del self._cut[END_BYTES:-END_BYTES]

    def _dispatch(self, kinds: list[int]) -> None:
        if self._is_too_long:
            facts = self._facts
            facts.events += 1
            facts.skip("event_too_large")
            if self._ends is not None and len(self._cut) == 2 * END_BYTES:
                head, tail = bytes(self._cut[:END_BYTES]), bytes(self._cut[END_BYTES:])
                if (found := self._ends(self._name, head, tail)) > 0:
                    kinds.append(found)
        elif self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._tell(self._name, data, kinds)
        self._forget()

    def _tell(self, name: bytes, data: bytes, kinds: list[int], is_cut: bool = False) -> None:
        facts = self._facts
        if data[:1] != b"{" and data.strip() == b"[DONE]":
            facts.is_over = facts.is_complete = True
            return
        found = self._event(name, data)
        if found > 0:
            kinds.append(found)
        elif found == UNREADABLE:
            if is_cut:
                return
            facts.skip("unreadable")
        facts.events += 1

    def _forget(self) -> None:
        self._data.clear()
        self._cut.clear()
        self._name = b""
        self._size = 0
        self._is_too_long = False
