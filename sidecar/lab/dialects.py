"""Which functions make the answers of which provider.

Knows: one row for each kind of answer: who asks for what, how it streams, how it looks whole.
Must not know: sockets, routes or faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.lab import anthropic, bedrock, cohere, gemini, ollama, openai, openai_other, responses
from sidecar.lab.performance import EVENTS, JSON, Provider
from sidecar.lab.reply import Piece, Reply, Stamp, Wish

Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of answer."""

    provider: Provider
    wish: Callable[[Body], Wish]
    stream: Callable[[Reply, Body, str, Stamp], Iterator[Piece]]
    whole: Callable[[Reply, Body, str, Stamp], bytes]
    failure: Callable[[Reply, Body, str, Stamp, int], bytes]
    stream_type: str = EVENTS
    whole_type: str = JSON


OPENAI: Final = Provider(
    openai.headers,
    openai.scripted_error,
    lambda status, message, param, stamp: openai.error(status, message, param),
)
ANTHROPIC: Final = Provider(
    anthropic.headers,
    anthropic.scripted_error,
    lambda status, message, param, stamp: anthropic.error(status, _blamed(message, param), stamp),
)
GEMINI: Final = Provider(
    gemini.headers,
    gemini.scripted_error,
    lambda status, message, param, stamp: gemini.error(status, _blamed(message, param)),
)
OLLAMA: Final = Provider(
    ollama.headers,
    ollama.scripted_error,
    lambda status, message, param, stamp: ollama.error(status, _blamed(message, param)),
)
COHERE: Final = Provider(
    cohere.headers,
    cohere.scripted_error,
    lambda status, message, param, stamp: cohere.error(status, _blamed(message, param), stamp),
)
BEDROCK: Final = Provider(
    bedrock.headers,
    bedrock.scripted_error,
    lambda status, message, param, stamp: bedrock.error(status, _blamed(message, param)),
)

CHAT: Final = Dialect(
    OPENAI, openai.chat_wish, openai.chat_stream, openai.chat_json, openai.chat_failure
)
RESPONSES: Final = Dialect(
    OPENAI, responses.wish, responses.stream, responses.whole, responses.failure
)
COMPLETIONS: Final = Dialect(
    OPENAI,
    openai_other.wish,
    openai_other.completion_stream,
    openai_other.completion_json,
    openai_other.failure,
)
SPEECH: Final = Dialect(
    OPENAI,
    openai_other.wish,
    openai_other.speech_stream,
    openai_other.speech_bytes,
    openai_other.failure,
    whole_type="audio/mpeg",
)
TRANSCRIPTS: Final = Dialect(
    OPENAI,
    openai_other.wish,
    openai_other.transcript_stream,
    openai_other.transcript_json,
    openai_other.failure,
)
PICTURES: Final = Dialect(
    OPENAI,
    openai_other.wish,
    openai_other.picture_stream,
    openai_other.picture_json,
    openai_other.failure,
)
MESSAGES: Final = Dialect(
    ANTHROPIC, anthropic.wish, anthropic.stream, anthropic.whole, anthropic.failure
)
GENERATE: Final = Dialect(GEMINI, gemini.wish, gemini.stream, gemini.whole, gemini.failure)
GENERATE_ARRAY: Final = Dialect(
    GEMINI,
    gemini.wish,
    gemini.array,
    gemini.whole,
    gemini.array_failure,
    stream_type="application/json; charset=UTF-8",
)
OLLAMA_CHAT: Final = Dialect(
    OLLAMA,
    ollama.wish,
    ollama.stream,
    ollama.whole,
    ollama.failure,
    stream_type="application/x-ndjson",
)
COHERE_CHAT: Final = Dialect(COHERE, cohere.wish, cohere.stream, cohere.whole, cohere.failure)
CONVERSE: Final = Dialect(
    BEDROCK,
    bedrock.wish,
    bedrock.stream,
    bedrock.whole,
    bedrock.failure,
    stream_type=bedrock.EVENT_STREAM,
)


def _blamed(message: str, param: str | None) -> str:
    return f"{param}: {message}" if param else message
