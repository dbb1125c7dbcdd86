"""Anthropic's Messages, models and errors, as they look on the wire.

Knows: the bytes: events in their order, padding, where usage stands, headers.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of api.anthropic.com, 2025-03 to 2026-07. The spaces before the
last brace of an event are theirs: they hide how long a text is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
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

_TYPES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "The request was refused."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low."),
    403: ("permission_error", "Your API key may not use this resource."),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
_SIGNATURE: Final = "RXJVQkNrWUlBUmdDSWtCU2ltdWxhdGVk"


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    """Those that identify, meter and limit; content type and framing are the server's."""
    reset = _rfc3339(stamp.at_s)
    found = {}
    for what, limit in (
        ("input-tokens", 2000000),
        ("output-tokens", 400000),
        ("requests", 4000),
        ("tokens", 2400000),
    ):
        left = 0 if status == 429 else limit - (what == "requests")
        found[f"anthropic-ratelimit-{what}-limit"] = str(limit)
        found[f"anthropic-ratelimit-{what}-remaining"] = str(left)
        found[f"anthropic-ratelimit-{what}-reset"] = reset
    found["request-id"] = request_id(stamp)
    found["server-timing"] = f"x-originResponse;dur={processing_ms}"
    if 400 <= status < 500 and status != 429:
        found["x-should-retry"] = "false"
    return found


def request_id(stamp: Stamp) -> str:
    return f"req_011{stamp.token[:21]}"


def error(status: int, message: str, stamp: Stamp) -> bytes:
    """The body of an answer with an error status."""
    kind = _TYPES.get(status, _TYPES[400 if status < 500 else 500])[0]
    return as_json(
        {
            "type": "error",
            "error": {"type": kind, "message": message},
            "request_id": request_id(stamp),
        }
    )


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What api.anthropic.com says with this status."""
    return error(status, _TYPES.get(status, _TYPES[400 if status < 500 else 500])[1], stamp)


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of /v1/messages asks for."""
    choice = object_of(body.get("tool_choice"))
    must_call = {"any": "", "tool": str(choice.get("name", ""))}.get(str(choice.get("type")))
    messages = items_of(body.get("messages"))
    last = items_of(messages[-1].get("content")) if messages else []
    # Tools that run at the provider have a type of their own and no schema.
    tools = [tool for tool in items_of(body.get("tools")) if "input_schema" in tool]
    return Wish(
        input_chars=sum(chars_of(body.get(key)) for key in ("messages", "system", "tools")),
        max_tokens=count_of(body.get("max_tokens")),
        thinks=object_of(body.get("thinking")).get("type") in ("enabled", "adaptive"),
        tools=tuple((str(tool.get("name")), tool["input_schema"]) for tool in tools),
        must_call=must_call,
        has_tool_result=any(part.get("type") == "tool_result" for part in last),
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """All events, from `message_start` to `message_stop`; a ping after the first block's start."""
    number = 0

    def event(kind: Kind, type_: str, **rest: object) -> Piece:
        nonlocal number
        number += 1
        data = as_json({"type": type_, **rest})
        padding = b" " * (number * 7 % 16)
        return Piece(kind, b"event: %b\ndata: %b%b}\n\n" % (type_.encode(), data[:-1], padding))

    def block(index: int, content: Mapping[str, object], kind: Kind) -> Iterator[Piece]:
        yield event(kind, "content_block_start", index=index, content_block=content)
        if index == 0:
            yield Piece(Kind.OPENING if kind is Kind.OPENING else Kind.BETWEEN, _PING)

    def delta(index: int, kind: Kind = Kind.GENERATED, **rest: object) -> Piece:
        return event(kind, "content_block_delta", index=index, delta=rest)

    message = _message(reply, model, stamp)
    message |= {"content": [], "stop_reason": None, "usage": _usage(reply, is_start=True)}
    yield event(Kind.OPENING, "message_start", message=message)
    index = 0
    if reply.reasoning:
        thinking = {"type": "thinking", "thinking": "", "signature": ""}
        yield from block(index, thinking, Kind.OPENING)
        for text in reply.reasoning:
            yield delta(index, type="thinking_delta", thinking=text)
        signed = {"type": "signature_delta", "signature": _SIGNATURE}
        yield delta(index, Kind.BETWEEN, **signed)
        yield event(Kind.BETWEEN, "content_block_stop", index=index)
        index = 1
    if reply.call is not None:
        # Its name is the model's own choice, so the start of a call is generated.
        yield from block(index, _call(reply.call.name, {}, stamp), Kind.GENERATED)
        yield delta(index, Kind.BETWEEN, type="input_json_delta", partial_json="")
        for text in reply.call.arguments:
            yield delta(index, type="input_json_delta", partial_json=text)
    else:
        structure = Kind.BETWEEN if index else Kind.OPENING
        yield from block(index, {"type": "text", "text": ""}, structure)
        for text in reply.text:
            yield delta(index, type="text_delta", text=text)
    yield event(Kind.CLOSING, "content_block_stop", index=index)
    end = {"stop_reason": _stop_reason(reply), "stop_sequence": None, "stop_details": None}
    yield event(Kind.CLOSING, "message_delta", delta=end, usage=_usage(reply, is_start=False))
    yield event(Kind.CLOSING, "message_stop")


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun. No `message_stop` follows."""
    error = {"details": None, "type": "overloaded_error", "message": "Overloaded"}
    return b"event: error\ndata: %b\n\n" % as_json(
        {"type": "error", "error": error, "request_id": request_id(stamp)}
    )


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    content: list[dict[str, object]] = []
    if reply.reasoning:
        content.append(
            {"type": "thinking", "thinking": reply.reasoning_text, "signature": _SIGNATURE}
        )
    if reply.call is not None:
        arguments = json.loads("".join(reply.call.arguments))
        content.append(_call(reply.call.name, arguments, stamp))
    else:
        content.append({"type": "text", "text": reply.whole_text})
    usage = {
        **_usage(reply, is_start=True),
        "output_tokens": reply.output_tokens,
    }
    return as_json({**_message(reply, model, stamp), "content": content, "usage": usage})


def count_tokens_json(body: Mapping[str, object]) -> bytes:
    """The answer of /v1/messages/count_tokens: what the same body would cost."""
    return as_json({"input_tokens": tokens_of(wish(body).input_chars)})


def _message(reply: Reply, model: str, stamp: Stamp) -> dict[str, object]:
    return {
        "model": model,
        "id": f"msg_01{stamp.token[:22]}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "stop_details": None,
        "usage": None,
    }


def _call(name: str, arguments: object, stamp: Stamp) -> dict[str, object]:
    return {
        "type": "tool_use",
        "id": f"toolu_01{stamp.token[:22]}",
        "name": name,
        "input": arguments,
    }


def _stop_reason(reply: Reply) -> str:
    if reply.call is not None:
        return "tool_use"
    return "max_tokens" if reply.is_cut_short else "end_turn"


def _usage(reply: Reply, is_start: bool) -> dict[str, object]:
    """At the start the output's count is a placeholder; the last `message_delta` has the truth."""
    usage: dict[str, object] = {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    if is_start:
        return usage | {
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1,
            "service_tier": "standard",
            "inference_geo": "not_available",
        }
    usage["output_tokens"] = reply.output_tokens
    if reply.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": len(reply.reasoning)}
    return usage


# --- models --------------------------------------------------------------------------------------

_MODELS: Final = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "mock",
    "mock,ttft=200ms,gap=20ms,tokens=100,reasoning=20",
)


def models_json() -> bytes:
    """The list of models, as one page."""
    return as_json(
        {
            "data": [_model(name) for name in _MODELS],
            "has_more": False,
            "first_id": _MODELS[0],
            "last_id": _MODELS[-1],
        }
    )


def model_json(name: str) -> bytes:
    """One model; every name that can be played exists."""
    return as_json(_model(name))


def _model(name: str) -> dict[str, object]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-09-29T00:00:00Z",
    }


def _rfc3339(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
