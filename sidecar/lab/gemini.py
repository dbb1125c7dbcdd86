"""Gemini's generateContent, as a stream of events, as a streamed array and whole.

Knows: the bytes: chunks, where usage and the reason for the end stand, errors.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of generativelanguage.googleapis.com, 2025-03 to 2026-07. Usage
stands in every chunk and grows; there is no last event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from sidecar.lab.reply import (
    Kind,
    Piece,
    Reply,
    Stamp,
    Wish,
    as_json,
    chars_of,
    count_of,
    items_of,
    object_of,
    tokens_of,
)

_STATUS: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    """No limits, no id: the answer's body has one."""
    return {"server-timing": f"gfet4t7; dur={processing_ms}", "vary": "Origin"}


def error(status: int, message: str) -> bytes:
    """The body of an answer with an error status."""
    name = _STATUS.get(status, "UNKNOWN")
    told = {"error": {"code": status, "message": message, "status": name}}
    return json.dumps(told, indent=2).encode() + b"\n"


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What the provider says with this status."""
    return error(status, f"The simulated model answers with {_STATUS.get(status, status)}.")


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of :generateContent asks for."""
    config = object_of(body.get("generationConfig"))
    thinking = object_of(config.get("thinkingConfig"))
    calling = object_of(object_of(body.get("toolConfig")).get("functionCallingConfig"))
    declared = [
        function
        for tool in items_of(body.get("tools"))
        for function in items_of(tool.get("functionDeclarations"))
    ]
    contents = items_of(body.get("contents"))
    last = items_of(contents[-1].get("parts")) if contents else []
    return Wish(
        input_chars=sum(chars_of(body.get(key)) for key in ("contents", "systemInstruction")),
        max_tokens=count_of(config.get("maxOutputTokens")),
        thinks=thinking.get("includeThoughts") is True,
        tools=tuple((str(one.get("name")), _schema(one)) for one in declared),
        must_call="" if calling.get("mode") == "ANY" else None,
        has_tool_result=any("functionResponse" in part for part in last),
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """As events (`alt=sse`)."""
    for kind, chunk in _chunks(reply, model, stamp):
        yield Piece(kind, b"data: %b\r\n\r\n" % as_json(chunk))


def array(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """As one JSON array, an element at a time."""
    opening = b"["
    for kind, chunk in _chunks(reply, model, stamp):
        yield Piece(kind, opening + as_json(chunk))
        opening = b"\n,\r\n"
    yield Piece(Kind.CLOSING, b"\n]\n")


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun."""
    return b"data: %b\r\n\r\n" % as_json(json.loads(scripted_error(503, stamp)))


def array_failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """The same, as the last element."""
    return (b"\n,\r\n" if events else b"[") + scripted_error(503, stamp) + b"]\n"


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    parts: list[Mapping[str, object]] = []
    if reply.reasoning:
        parts.append({"text": reply.reasoning_text, "thought": True})
    parts.append(_call(reply) if reply.call else {"text": reply.whole_text})
    told = _chunk(parts, model, stamp, _usage(reply, reply.output_tokens), _finish(reply))
    return json.dumps(told, ensure_ascii=False, indent=2).encode() + b"\n"


def count_tokens_json(body: Mapping[str, object]) -> bytes:
    """The answer of :countTokens."""
    return as_json({"totalTokens": tokens_of(wish(body).input_chars)})


def _chunks(reply: Reply, model: str, stamp: Stamp) -> Iterator[tuple[Kind, Mapping[str, object]]]:
    made = 0

    def one(part: Mapping[str, object], tokens: int = 1) -> Mapping[str, object]:
        nonlocal made
        made += tokens
        return _chunk([part], model, stamp, _usage(reply, made))

    for text in reply.reasoning:
        yield Kind.GENERATED, one({"text": text, "thought": True})
    if reply.call is not None:
        yield Kind.GENERATED, one(_call(reply), reply.output_tokens - made)
    for text in reply.text:
        yield Kind.GENERATED, one({"text": text})
    usage = _usage(reply, reply.output_tokens)
    yield Kind.CLOSING, _chunk([{"text": ""}], model, stamp, usage, _finish(reply))


def _chunk(
    parts: list[Mapping[str, object]],
    model: str,
    stamp: Stamp,
    usage: Mapping[str, object],
    finish: str | None = None,
) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate | {"index": 0}],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": stamp.token[:24],
    }


def _call(reply: Reply) -> dict[str, object]:
    assert reply.call is not None
    return {"functionCall": {"name": reply.call.name, "args": json.loads(_arguments(reply))}}


def _arguments(reply: Reply) -> str:
    return "".join(reply.call.arguments) if reply.call else ""


def _finish(reply: Reply) -> str:
    return "MAX_TOKENS" if reply.is_cut_short else "STOP"


def _usage(reply: Reply, made: int) -> dict[str, object]:
    """After so many tokens. Thoughts stand beside the candidates' tokens; a count of 0 is left
    out."""
    thoughts = min(made, len(reply.reasoning))
    usage: dict[str, object] = {"promptTokenCount": reply.input_tokens}
    if made > thoughts:
        usage["candidatesTokenCount"] = made - thoughts
    usage["totalTokenCount"] = reply.input_tokens + made
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage


def _schema(function: Mapping[str, object]) -> object:
    """JSON Schema as it is; Google's own has its types in capitals."""
    given = function.get("parametersJsonSchema", function.get("parameters"))
    return json.loads(json.dumps(given), object_hook=_small)


def _small(given: dict[str, object]) -> dict[str, object]:
    kind = given.get("type")
    return given | {"type": kind.lower()} if isinstance(kind, str) else given
