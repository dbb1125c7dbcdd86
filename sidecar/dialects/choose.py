"""Which reader an answer needs.

Knows: the interpreter of each family, and how a content type, a status and a coding choose the
framing around it.
Must not know: requests or upstreams; `operations` has told the family.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from sidecar.core.facts import Facts, Interpreter
from sidecar.dialects.anthropic import Anthropic
from sidecar.dialects.bedrock_converse import BedrockConverse
from sidecar.dialects.bedrock_invoke import BedrockInvoke
from sidecar.dialects.cohere import Cohere
from sidecar.dialects.event_stream import EventStreamReader
from sidecar.dialects.gemini import Gemini
from sidecar.dialects.json_array import JsonArrayReader
from sidecar.dialects.ndjson import NdjsonReader
from sidecar.dialects.ollama import Ollama
from sidecar.dialects.openai_chat import OpenAiChat
from sidecar.dialects.openai_completions import OpenAiCompletions
from sidecar.dialects.openai_other import OpenAiOther
from sidecar.dialects.openai_responses import OpenAiResponses
from sidecar.dialects.sse import SseReader
from sidecar.dialects.unpack import TooDenseError, Unpacker, unpacker
from sidecar.dialects.whole import WholeReader


class Reader(Protocol):
    """Bytes in, kinds of generated pieces out."""

    def feed(self, data: bytes) -> list[int]: ...

    def end(self) -> list[int]: ...


class Recipe(NamedTuple):
    """How to make the reader of all answers that look alike. `is_stream`: events come one by
    one."""

    interpret: Callable[[], Interpreter]
    frame: Callable[[Interpreter], Reader]
    coding: bytes | None
    is_stream: bool

    def make(self) -> tuple[Reader, Facts]:
        """A new reader, and what it fills."""
        interpreter = self.interpret()
        facts = interpreter.facts
        reader = self.frame(interpreter)
        if self.coding is not None and (unpack := unpacker(self.coding)) is not None:
            reader = _Unpacked(unpack, reader, facts)
        return reader, facts


_INTERPRETERS: Final[dict[str, Callable[[], Interpreter]]] = {
    "openai-chat": OpenAiChat,
    "openai-completions": OpenAiCompletions,
    "openai-responses": OpenAiResponses,
    "openai-embeddings": OpenAiOther,
    "openai-audio": OpenAiOther,
    "openai-images": OpenAiOther,
    "anthropic": Anthropic,
    "gemini": Gemini,
    "gemini-stream": Gemini,
    "bedrock-converse": BedrockConverse,
    "bedrock-invoke": BedrockInvoke,
    "cohere": Cohere,
    "ollama": Ollama,
}
_STREAMS: Final[tuple[tuple[bytes, Callable[[Interpreter], Reader]], ...]] = (
    (b"text/event-stream", SseReader),
    (b"application/x-ndjson", NdjsonReader),
    (b"application/stream+json", NdjsonReader),
    (b"application/vnd.amazon.eventstream", EventStreamReader),
)
_GEMINI_STREAM: Final = "gemini-stream"
"""Without `alt=sse` it looks like a body: only the path tells that it is none."""


@lru_cache(maxsize=256)  # a provider sends few different ones; whoever sends many pays for it
def recipe_for(
    family: str, is_good: bool, content_type: bytes | None, coding: bytes | None
) -> Recipe | None:
    """None where nothing here reads such an answer: a family that is not known yet, or an encoding.

    An error is a plain body, whatever its content type says: Gemini calls it an event stream.
    """
    interpret = _INTERPRETERS.get(family)
    if interpret is None:
        return None
    try:
        unpacker(coding)
    except LookupError:
        return None
    kind = (content_type or b"").lower()
    if is_good:
        if family == _GEMINI_STREAM and kind.startswith(b"application/json"):
            return Recipe(interpret, JsonArrayReader, coding, is_stream=True)
        for prefix, frame in _STREAMS:
            if kind.startswith(prefix):
                return Recipe(interpret, frame, coding, is_stream=True)
    return Recipe(interpret, WholeReader, coding, is_stream=False)


class Both:
    """Two readers of one answer; what the first finds is told. Should the second fail, it is read
    no further, and the first goes on."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Reader, second: Reader) -> None:
        self._first = first
        self._second: Reader | None = second

    def feed(self, data: bytes) -> list[int]:
        if self._second is not None:
            try:
                self._second.feed(data)
            except Exception:
                self._second = None
        return self._first.feed(data)

    def end(self) -> list[int]:
        if self._second is not None:
            try:
                self._second.end()
            except Exception:
                self._second = None
        return self._first.end()


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
