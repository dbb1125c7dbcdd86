"""One JSON object a line, however the bytes are cut.

Knows: that lines end with LF, or CR LF, and that the last one may lack its end.
Must not know: what a line says; an interpreter is asked, once per line.
At most 64 KiB of a line are kept: a longer one is passed over, and said to be.
"""

from __future__ import annotations

from typing import Final

from sidecar.core.facts import UNREADABLE, Interpreter

MAX_LINE_BYTES: Final = 64 * 1024


class NdjsonReader:
    """Feed every byte of the body; each call tells the kinds of the lines that it completed."""

    __slots__ = ("_facts", "_is_too_long", "_line", "_read", "interpreter")

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._facts = interpreter.facts
        self._read = interpreter.event
        self._line = b""
        """The beginning of a line whose end has not come."""
        self._is_too_long = False

    def feed(self, data: bytes) -> list[int]:
        """Kinds of the generated pieces, one number for each line that brought some."""
        kinds: list[int] = []
        if b"\n" not in data:
            self._keep(data)
            return kinds
        lines = data.split(b"\n")
        lines[0] = self._line + lines[0]
        self._line = b""
        tail = lines.pop()
        for line in lines:
            if self._is_too_long or len(line) > MAX_LINE_BYTES:
                self._is_too_long = False
                self._facts.events += 1
                self._facts.skip("event_too_large")
            else:
                self._tell(line, kinds)
        self._keep(tail)
        return kinds

    def end(self) -> list[int]:
        """The body is over. A line that only lacks its end is taken, if it is whole."""
        kinds: list[int] = []
        if not self._is_too_long:
            self._tell(self._line, kinds, is_cut=True)
        self._line = b""
        return kinds

    def _keep(self, piece: bytes) -> None:
        if self._is_too_long:
            return
        self._line += piece
        if len(self._line) > MAX_LINE_BYTES:
            self._is_too_long = True
            self._line = b""

    def _tell(self, line: bytes, kinds: list[int], is_cut: bool = False) -> None:
        if not line or line.isspace():
            return
        found = self._read(b"", line)
        if found == UNREADABLE:
            if is_cut:
                return
            self._facts.skip("unreadable")
        self._facts.events += 1
        if found > 0:
            kinds.append(found)
