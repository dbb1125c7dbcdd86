"""A JSON array that is streamed element by element, as Gemini does unless it is asked for events.

Knows: where an element begins and ends, however the bytes are cut.
Must not know: what an element says; an interpreter is asked, once per element.
Only brackets, quotes and backslashes are looked at: whether an element is JSON is not asked here.
Some errors come bare, without an array around them: an object at the top is an element, too.
"""

from __future__ import annotations

import re
from typing import Final

from sidecar.core.facts import UNREADABLE, Interpreter

MAX_ELEMENT_BYTES: Final = 64 * 1024
_TOKENS: Final = re.compile(rb'["\\{}\[\]]')
_QUOTE, _BACKSLASH = b'"\\'
_OPENING: Final = frozenset(b"{[")


class JsonArrayReader:
    """Feed every byte of the body; each call tells the kinds of the elements that it completed."""

    __slots__ = (
        "_base",
        "_depth",
        "_element",
        "_is_escaped",
        "_is_in_string",
        "_is_too_long",
        "interpreter",
    )

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._element = bytearray()
        """The beginning of an element whose end has not come."""
        self._base = 0
        """How deep the elements stand: 1 within an array."""
        self._depth = 0
        self._is_in_string = False
        self._is_escaped = False
        """The last byte was a backslash in a string."""
        self._is_too_long = False

    def feed(self, data: bytes) -> list[int]:
        """Kinds of the generated pieces, one number for each element that brought some."""
        kinds: list[int] = []
        start = 0 if self._depth > self._base else None
        passed = 1 if self._is_escaped and data else 0
        if data:
            self._is_escaped = False
        for token in _TOKENS.finditer(data, passed):
            at = token.start()
            if at < passed:
                continue
            byte = data[at]
            if self._is_in_string:
                if byte == _BACKSLASH:
                    passed = at + 2
                    self._is_escaped = passed > len(data)
                elif byte == _QUOTE:
                    self._is_in_string = False
            elif byte == _QUOTE:
                self._is_in_string = True
            elif byte in _OPENING:
                if self._depth == 0 and byte == b"["[0]:
                    self._base = 1
                elif self._depth == self._base:
                    start = at
                self._depth += 1
            elif byte != _BACKSLASH:
                self._depth = max(self._depth - 1, 0)
                if self._depth == self._base and start is not None:
                    self._keep(data[start : at + 1])
                    self._tell(kinds)
                    start = None
                if self._depth == 0:
                    self._base = 0
        if start is not None:
            self._keep(data[start:])
        return kinds

    def end(self) -> list[int]:
        """The body is over. What is cut counts nowhere."""
        self._element.clear()
        return []

    def _keep(self, piece: bytes) -> None:
        if not self._is_too_long:
            self._element += piece
            if len(self._element) > MAX_ELEMENT_BYTES:
                self._is_too_long = True
                self._element.clear()

    def _tell(self, kinds: list[int]) -> None:
        facts = self.interpreter.facts
        facts.events += 1
        if self._is_too_long:
            self._is_too_long = False
            facts.skip("event_too_large")
            return
        found = self.interpreter.event(b"", bytes(self._element))
        self._element.clear()
        if found == UNREADABLE:
            facts.skip("unreadable")
        elif found:
            kinds.append(found)
