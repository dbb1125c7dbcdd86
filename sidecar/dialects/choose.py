"""Which reader an answer needs.

Knows: the interpreter of each family, and how a content type, a status and a coding choose the
framing around it.
Must not know: requests or upstreams; `operations` has told the family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sidecar.core.facts import Facts, Interpreter
from sidecar.dialects.anthropic import Anthropic
from sidecar.dialects.openai_chat import OpenAiChat
from sidecar.dialects.openai_completions import OpenAiCompletions
from sidecar.dialects.openai_responses import OpenAiResponses
from sidecar.dialects.sse import SseReader
from sidecar.dialects.unpack import TooDenseError, Unpacker, unpacker
from sidecar.dialects.whole import WholeReader


class Reader(Protocol):
    """Bytes in, kinds of generated pieces out."""

    def feed(self, data: bytes) -> list[int]: ...

    def end(self) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A reader and what it fills. `is_stream`: events come one by one."""

    reader: Reader
    facts: Facts
    is_stream: bool


_INTERPRETERS: Final[dict[str, Callable[[], Interpreter]]] = {
    "openai-chat": OpenAiChat,
    "openai-completions": OpenAiCompletions,
    "openai-responses": OpenAiResponses,
    "anthropic": Anthropic,
}
_STREAMS: Final[tuple[tuple[bytes, Callable[[Interpreter], Reader]], ...]] = (
    (b"text/event-stream", SseReader),
)


def reader_for(
    family: str, status: int, content_type: bytes | None, coding: bytes | None
) -> Chosen | None:
    """None where nothing here reads such an answer: a family that is not known yet, or an encoding.

    An error is a plain body, whatever its content type says: Gemini calls it an event stream.
    """
    make = _INTERPRETERS.get(family)
    if make is None:
        return None
    interpreter = make()
    kind = (content_type or b"").lower()
    reader: Reader | None = None
    if status < 400:
        for prefix, frame in _STREAMS:
            if kind.startswith(prefix):
                reader = frame(interpreter)
                break
    is_stream = reader is not None
    if reader is None:
        reader = WholeReader(interpreter)
    if coding is not None:
        try:
            unpack = unpacker(coding)
        except LookupError:
            return None
        if unpack is not None:
            reader = _Unpacked(unpack, reader, interpreter.facts)
    return Chosen(reader, interpreter.facts, is_stream)


class _Unpacked:
    """A reader of an encoded body's copy. What cannot be unpacked is read no further."""

    __slots__ = ("_facts", "_is_lost", "_reader", "_unpack")

    def __init__(self, unpack: Unpacker, reader: Reader, facts: Facts) -> None:
        self._unpack = unpack
        self._reader = reader
        self._facts = facts
        self._is_lost = False

    def feed(self, data: bytes) -> list[int]:
        if self._is_lost:
            return []
        try:
            return self._reader.feed(self._unpack.feed(data))
        except TooDenseError:
            self._lose("too_dense")
        except ValueError:
            self._lose("not_unpackable")
        return []

    def end(self) -> list[int]:
        return [] if self._is_lost else self._reader.end()

    def _lose(self, reason: str) -> None:
        self._is_lost = True
        self._facts.skip(reason)
        # Nobody knows what came after: neither that it is over, nor that it is not.
        self._facts.is_lost = True
