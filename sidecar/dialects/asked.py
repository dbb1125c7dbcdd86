"""What a request asks of its model: the parameters, as each dialect names them.

Knows: where they stand in a body, and what they are called alike (the attributes
`gen_ai.request.…` of the semantic conventions).
Must not know: who wants them. What is not of the type that it should be is left out; a body that
cannot be read has none.
Why one struct for all dialects: no name means different things in two of them, and a decoder that
skips what it does not know runs at memory speed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

MAX_BODY_BYTES: Final = 256 * 1024
"""Of a larger body nothing is read: it would hold up streams for more than half a millisecond."""
_MAX_STOPS: Final = 16
_MAX_CHARACTERS: Final = 256

Value = str | int | float | bool | tuple[str, ...]


class _Nested(msgspec.Struct):
    """`generationConfig` (Gemini), `inferenceConfig` (Converse), `options` (Ollama)."""

    candidateCount: Any = None  # noqa: N815  # the names of the wire, here and below
    seed: Any = None
    maxOutputTokens: Any = None  # noqa: N815
    maxTokens: Any = None  # noqa: N815
    num_predict: Any = None
    temperature: Any = None
    topK: Any = None  # noqa: N815
    top_k: Any = None
    topP: Any = None  # noqa: N815
    top_p: Any = None
    frequencyPenalty: Any = None  # noqa: N815
    frequency_penalty: Any = None
    presencePenalty: Any = None  # noqa: N815
    presence_penalty: Any = None
    stopSequences: Any = None  # noqa: N815
    stop: Any = None
    responseMimeType: Any = None  # noqa: N815


class _Body(msgspec.Struct):
    n: Any = None
    seed: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    temperature: Any = None
    top_k: Any = None
    k: Any = None
    top_p: Any = None
    p: Any = None
    frequency_penalty: Any = None
    presence_penalty: Any = None
    stop: Any = None
    stop_sequences: Any = None
    response_format: Any = None
    text: Any = None
    format: Any = None
    conversation: Any = None
    service_tier: Any = None
    dimensions: Any = None
    outputDimensionality: Any = None  # noqa: N815
    encoding_format: Any = None
    generationConfig: Any = None  # noqa: N815
    inferenceConfig: Any = None  # noqa: N815
    options: Any = None


_decode: Final = msgspec.json.Decoder(_Body).decode
_JSON: Final = frozenset({"json", "json_object", "json_schema", "application/json"})
_OUTPUT_BY_OPERATION: Final = {"speech": "speech", "image_generation": "image"}


def parameters(body: bytes, operation: str, provider: str | None) -> dict[str, Value]:
    """Attribute -> value, for what the body says. `operation`: its gen_ai name."""
    if not body or len(body) > MAX_BODY_BYTES:
        return {}
    try:
        asked = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    inner = asked.generationConfig or asked.inferenceConfig or asked.options
    nested = _nested(inner)
    found: dict[str, Value | None] = {
        "gen_ai.request.choice.count": _count(asked.n, nested.candidateCount),
        "gen_ai.request.seed": _count(asked.seed, nested.seed),
        "gen_ai.request.max_tokens": _count(
            asked.max_completion_tokens,
            asked.max_tokens,
            asked.max_output_tokens,
            nested.maxOutputTokens,
            nested.maxTokens,
            nested.num_predict,
        ),
        "gen_ai.request.temperature": _real(asked.temperature, nested.temperature),
        "gen_ai.request.top_k": _count(asked.top_k, asked.k, nested.topK, nested.top_k),
        "gen_ai.request.top_p": _real(asked.top_p, asked.p, nested.topP, nested.top_p),
        "gen_ai.request.frequency_penalty": _real(
            asked.frequency_penalty, nested.frequencyPenalty, nested.frequency_penalty
        ),
        "gen_ai.request.presence_penalty": _real(
            asked.presence_penalty, nested.presencePenalty, nested.presence_penalty
        ),
        "gen_ai.request.stop_sequences": _stops(
            asked.stop, asked.stop_sequences, nested.stopSequences, nested.stop
        ),
        "gen_ai.output.type": _output(asked, nested, operation),
        "gen_ai.conversation.id": _conversation(asked.conversation),
    }
    if found["gen_ai.request.choice.count"] == 1:
        found["gen_ai.request.choice.count"] = None
    if operation == "embeddings":
        found["gen_ai.embeddings.dimension.count"] = _count(
            asked.dimensions, asked.outputDimensionality
        )
        formats = _text(asked.encoding_format)
        found["gen_ai.request.encoding_formats"] = None if formats is None else (formats,)
    if provider == "openai" and asked.service_tier != "auto":
        found["openai.request.service_tier"] = _text(asked.service_tier)
    return {key: value for key, value in found.items() if value is not None}


def _nested(value: Any) -> _Nested:
    try:
        return msgspec.convert(value, _Nested) if isinstance(value, dict) else _Nested()
    except msgspec.ValidationError:
        return _Nested()


def _count(*values: Any) -> int | None:
    """The first whole number."""
    for value in values:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and -(1 << 63) <= value < 1 << 63:
            return value
    return None


def _real(*values: Any) -> float | None:
    for value in values:
        if type(value) in (int, float) and abs(value) < 1e15:
            return float(value)
    return None


def _text(value: Any) -> str | None:
    return value[:_MAX_CHARACTERS] if isinstance(value, str) and value else None


def _stops(*values: Any) -> tuple[str, ...] | None:
    for value in values:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list):
            words = [word[:_MAX_CHARACTERS] for word in value if isinstance(word, str)]
            if words:
                return tuple(words[:_MAX_STOPS])
    return None


def _output(asked: _Body, nested: _Nested, operation: str) -> str | None:
    if operation in _OUTPUT_BY_OPERATION:
        return _OUTPUT_BY_OPERATION[operation]
    wanted = asked.response_format or asked.format or nested.responseMimeType
    if wanted is None and isinstance(asked.text, dict):
        wanted = asked.text.get("format")
    if isinstance(wanted, dict):
        # A schema in its place (Ollama) asks for JSON, too.
        wanted = wanted.get("type", "json")
        wanted = "json" if wanted == "object" else wanted
    if not isinstance(wanted, str):
        return None
    if wanted in _JSON:
        return "json"
    return "text" if wanted in ("text", "text/plain") else None


def _conversation(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    return _text(value)
