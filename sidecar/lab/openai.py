"""OpenAI's Chat Completions, embeddings, models and errors, as they look on the wire.

Knows: the bytes: fields, their order, which event carries what, headers.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of api.openai.com, 2024-06 to 2026-06. One thing is not OpenAI's
own: reasoning that a script asks for is shown as `reasoning_content`, the field that most other
providers of this dialect use (OpenAI hides it and shows only its count).
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from sidecar.core.errors import SidecarError
from sidecar.lab.reply import (
    Kind,
    Piece,
    Reply,
    Stamp,
    Wish,
    as_json,
    chars_of,
    count_of,
    fill,
    items_of,
    object_of,
    tokens_of,
)

DONE: Final = b"data: [DONE]\n\n"
FINGERPRINT: Final = "fp_5107b1c0de"
_SERVER_ERROR: Final = "The server had an error while processing your request. Sorry about that!"
# status -> (message, type, code)
_ERRORS: Final[Mapping[int, tuple[str, str, str | None]]] = {
    401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    404: (
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    429: (
        "Rate limit reached for requests. Please try again later.",
        "requests",
        "rate_limit_exceeded",
    ),
    503: ("The engine is currently overloaded, please try again later.", "server_error", None),
}


class BadBodyError(SidecarError):
    """The request's body asks for what cannot be; `param` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    """Those that identify, meter and limit; content type and framing are the server's."""
    left = "0" if status == 429 else "9999"
    return {
        "openai-organization": "simulated",
        "openai-processing-ms": str(processing_ms),
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "30000000",
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-remaining-tokens": "29999984",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "0s",
        "x-request-id": f"req_{stamp.token[:32]}",
    }


def error(status: int, message: str, param: str | None = None, code: str | None = None) -> bytes:
    """The body of an answer with an error status."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return pretty({"error": {"message": message, "type": kind, "param": param, "code": code}})


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What api.openai.com says with this status."""
    message, kind, code = _ERRORS.get(
        status,
        ("The request was refused.", "invalid_request_error", None)
        if status < 500
        else (_SERVER_ERROR, "server_error", None),
    )
    return pretty({"error": {"message": message, "type": kind, "param": None, "code": code}})


def pretty(value: object) -> bytes:
    """Buffered answers are indented by two."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


# --- chat ----------------------------------------------------------------------------------------


def chat_wish(body: Mapping[str, object]) -> Wish:
    """What a body of /v1/chat/completions asks for."""
    messages = items_of(body.get("messages"))
    limit = count_of(body.get("max_completion_tokens"))
    functions = [object_of(tool.get("function")) for tool in items_of(body.get("tools"))]
    choice = body.get("tool_choice")
    must_call = "" if choice == "required" else None
    if isinstance(choice, dict):
        must_call = str(object_of(choice.get("function")).get("name", ""))
    return Wish(
        input_chars=chars_of(body.get("messages")),
        max_tokens=count_of(body.get("max_tokens")) if limit is None else limit,
        tools=tuple((str(f.get("name")), f.get("parameters")) for f in functions),
        must_call=must_call,
        has_tool_result=bool(messages) and messages[-1].get("role") == "tool",
    )


def chat_stream(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[Piece]:
    """One event a piece: a role, the generated deltas, the reason for the end, usage where
    `stream_options` asks for it, `[DONE]`."""
    options = object_of(body.get("stream_options"))
    has_usage = options.get("include_usage") is True
    is_padded = options.get("include_obfuscation") is not False
    head = (
        b"data: "
        + as_json(
            {
                "id": _chat_id(stamp),
                "object": "chat.completion.chunk",
                "created": stamp.at_s,
                "model": model,
                "service_tier": "default",
                "system_fingerprint": FINGERPRINT,
            }
        )[:-1]
    )

    def chunk(delta: Mapping[str, object], text: str = "", finish: str | None = None) -> bytes:
        return b"".join(
            (
                head,
                b',"choices":[{"index":0,"delta":',
                as_json(delta),
                b',"logprobs":null,"finish_reason":',
                as_json(finish),
                b'}],"usage":null' if has_usage else b"}]",
                b',"obfuscation":"%b"}\n\n' % fill(text).encode() if is_padded else b"}\n\n",
            )
        )

    content = None if reply.call else ""
    yield Piece(Kind.OPENING, chunk({"role": "assistant", "content": content, "refusal": None}))
    for text in reply.reasoning:
        yield Piece(Kind.GENERATED, chunk({"reasoning_content": text}, text))
    for text in reply.text:
        yield Piece(Kind.GENERATED, chunk({"content": text}, text))
    if reply.call is not None:
        start = {"index": 0, **_call_json(reply.call.name, "", stamp)}
        yield Piece(Kind.GENERATED, chunk({"tool_calls": [start]}))
        for text in reply.call.arguments:
            part = {"index": 0, "function": {"arguments": text}}
            yield Piece(Kind.GENERATED, chunk({"tool_calls": [part]}, text))
    yield Piece(Kind.CLOSING, chunk({}, finish=_finish(reply)))
    if has_usage:
        tail = b',"choices":[],"usage":' + as_json(_usage(reply))
        tail += b',"obfuscation":"%b"}\n\n' % fill("").encode() if is_padded else b"}\n\n"
        yield Piece(Kind.CLOSING, head + tail)
    yield Piece(Kind.CLOSING, DONE)


def chat_failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun."""
    return (
        b"data: "
        + as_json(
            {
                "error": {
                    "message": _SERVER_ERROR,
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            }
        )
        + b"\n\n"
    )


def chat_json(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": None if reply.call else reply.whole_text,
    }
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning_text
    if reply.call is not None:
        arguments = "".join(reply.call.arguments)
        message["tool_calls"] = [_call_json(reply.call.name, arguments, stamp)]
    message |= {"refusal": None, "annotations": []}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish(reply),
    }
    return pretty(
        {
            "id": _chat_id(stamp),
            "object": "chat.completion",
            "created": stamp.at_s,
            "model": model,
            "choices": [choice],
            "usage": _usage(reply),
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
    )


def _chat_id(stamp: Stamp) -> str:
    return f"chatcmpl-{stamp.token[:29]}"


def _call_json(name: str, arguments: str, stamp: Stamp) -> dict[str, object]:
    return {
        "id": f"call_{stamp.token[:24]}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _finish(reply: Reply) -> str:
    if reply.call is not None:
        return "tool_calls"
    return "length" if reply.is_cut_short else "stop"


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": len(reply.reasoning),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# --- embeddings ----------------------------------------------------------------------------------

_MAX_INPUTS: Final = 2048
_MAX_DIMENSIONS: Final = 3072


def embeddings_json(body: Mapping[str, object], model: str) -> bytes:
    """Vectors of length one, the same for the same input. Raises BadBodyError."""
    given = body.get("input")
    is_one = isinstance(given, str) or (
        isinstance(given, list) and bool(given) and isinstance(given[0], int)
    )
    inputs = given if isinstance(given, list) and not is_one else [given]
    if given is None or given in ("", []):
        raise BadBodyError("input cannot be an empty string or list.", "input")
    if len(inputs) > _MAX_INPUTS:
        raise BadBodyError(f"'input' has more than {_MAX_INPUTS} items.", "input")
    dimensions = body.get("dimensions", 3072 if model == "text-embedding-3-large" else 1536)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise BadBodyError(
            f"'dimensions' is a whole number from 1 to {_MAX_DIMENSIONS}.", "dimensions"
        )
    encoding = body.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise BadBodyError("'encoding_format' is 'float' or 'base64'.", "encoding_format")
    tokens = sum(
        len(part) if isinstance(part, list) else tokens_of(chars_of(part)) for part in inputs
    )
    return pretty(
        {
            "object": "list",
            "data": [
                {
                    "object": "embedding",
                    "index": index,
                    "embedding": _vector(as_json(part), dimensions, encoding == "base64"),
                }
                for index, part in enumerate(inputs)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _vector(seed: bytes, dimensions: int, is_base64: bool) -> object:
    # A linear congruential generator (constants: Numerical Recipes): speed and sameness matter
    # here, randomness does not.
    state = int.from_bytes(seed[-64:], "little") & 0xFFFFFFFF
    raw = []
    for _ in range(dimensions):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        raw.append(state / 0x80000000 - 1.0)
    length = sum(number * number for number in raw) ** 0.5 or 1.0
    packed = struct.pack(f"<{dimensions}f", *(number / length for number in raw))
    if is_base64:
        return base64.b64encode(packed).decode()
    return list(struct.unpack(f"<{dimensions}f", packed))


# --- models --------------------------------------------------------------------------------------

_MODELS: Final = (
    "gpt-4o",
    "gpt-4o-mini",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "mock",
    "mock,ttft=200ms,gap=20ms,tokens=100",
    "mock,tokens=100,fault=cut@50x3",
)
_CREATED_S: Final = 1715367049


def models_json() -> bytes:
    """The list of models: some names that SDK examples use, and samples of scripts."""
    return pretty({"object": "list", "data": [_model(name) for name in _MODELS]})


def model_json(name: str) -> bytes:
    """One model; every name that can be played exists."""
    return pretty(_model(name))


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "system"}
