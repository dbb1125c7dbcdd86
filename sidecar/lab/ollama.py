"""Ollama's chat and generate, a line at a time and whole.

Knows: the bytes: lines, the last line's counts, errors. Streaming is the default.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of Ollama, 2024-05 to 2025-08.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

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


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    """It sends none of its own."""
    return {}


def error(status: int, message: str) -> bytes:
    """The body of an answer with an error status."""
    return as_json({"error": message})


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What it says with this status."""
    return error(status, f"the simulated model answers with status {status}")


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of /api/chat or /api/generate asks for."""
    functions = [object_of(tool.get("function")) for tool in items_of(body.get("tools"))]
    messages = items_of(body.get("messages"))
    return Wish(
        input_chars=sum(chars_of(body.get(key)) for key in ("messages", "prompt", "system")),
        max_tokens=count_of(object_of(body.get("options")).get("num_predict")),
        thinks=bool(body.get("think")),
        tools=tuple((str(one.get("name")), one.get("parameters")) for one in functions),
        has_tool_result=bool(messages) and messages[-1].get("role") == "tool",
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """A line for each piece, and one with the counts."""
    said = _said if "messages" in body else _generated

    def line(what: dict[str, object]) -> Piece:
        told = {**_head(model, stamp), **what, "done": False}
        return Piece(Kind.GENERATED, as_json(told) + b"\n")

    for text in reply.reasoning:
        yield line(said(thinking=text))
    if reply.call is not None:
        yield line(said(calls=_calls(reply)))
    for text in reply.text:
        yield line(said(content=text))
    last = {**_head(model, stamp), **said(), **_counts(reply)}
    yield Piece(Kind.CLOSING, as_json(last) + b"\n")


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun."""
    return error(500, "an error was encountered while running the model: unexpected EOF") + b"\n"


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    said = _said if "messages" in body else _generated
    calls = None if reply.call is None else _calls(reply)
    what = said(content=reply.whole_text, thinking=reply.reasoning_text, calls=calls)
    return as_json({**_head(model, stamp), **what, **_counts(reply)})


def embed_json(body: Mapping[str, object], model: str) -> bytes:
    """The answer of /api/embed: for each input the same short vector."""
    given = body.get("input")
    inputs = given if isinstance(given, list) else [given]
    return as_json(
        {
            "model": model,
            "embeddings": [[0.6, 0.8, 0.0] for _ in inputs],
            "prompt_eval_count": tokens_of(chars_of(given)),
        }
    )


def tags_json() -> bytes:
    """The models that are there."""
    return as_json({"models": [{"name": "mock:latest", "model": "mock:latest", "size": 0}]})


def _head(model: str, stamp: Stamp) -> dict[str, object]:
    at = datetime.fromtimestamp(stamp.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return {"model": model, "created_at": at}


def _said(content: str = "", thinking: str = "", calls: object = None) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": content}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def _generated(content: str = "", thinking: str = "", calls: object = None) -> dict[str, object]:
    told: dict[str, object] = {"response": content}
    return told | {"thinking": thinking} if thinking else told


def _calls(reply: Reply) -> list[object]:
    assert reply.call is not None
    arguments = json.loads("".join(reply.call.arguments))
    return [{"function": {"name": reply.call.name, "arguments": arguments}}]


def _counts(reply: Reply) -> dict[str, object]:
    return {
        "done": True,
        "done_reason": "length" if reply.is_cut_short else "stop",
        "total_duration": 1_000_000,
        "load_duration": 1_000,
        "prompt_eval_count": reply.input_tokens,
        "prompt_eval_duration": 1_000,
        "eval_count": reply.output_tokens,
        "eval_duration": 1_000_000,
    }
