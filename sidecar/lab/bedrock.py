"""AWS Bedrock's Converse, as a binary event stream and whole.

Knows: the bytes: messages with their two checksums, events in their order, exceptions, errors.
Must not know: sockets, clocks, faults, or how `dialects` reads all this: what writes and what reads
must not share a mistake.
Shapes read from recorded answers of bedrock-runtime, 2025-02 to 2026-04. `p` is their padding: it
hides how long a text is.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Final
from zlib import crc32

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
)

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
SIGNED: Final = "AWS4-HMAC-SHA256"
WHY_NOT_SIGNED: Final = (
    "a SigV4 signature holds for the host that it was made for, so a signed request cannot be "
    "forwarded; use a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK)"
)
_TYPES: Final[Mapping[int, str]] = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    t = stamp.token
    told = {"x-amzn-requestid": f"{t[:8]}-{t[8:12]}-4{t[12:15]}-a{t[15:18]}-{t[18:30]}"}
    if status >= 400:
        told["x-amzn-errortype"] = f"{_type(status)}:http://internal.amazon.com/coral/"
    return told


def error(status: int, message: str) -> bytes:
    """The body of an answer with an error status."""
    return as_json({"message": message})


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What the provider says with this status."""
    return error(status, f"The simulated model answers with {_type(status)}.")


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of /model/…/converse asks for."""
    config = object_of(body.get("toolConfig"))
    specs = [object_of(tool.get("toolSpec")) for tool in items_of(config.get("tools"))]
    messages = items_of(body.get("messages"))
    last = items_of(messages[-1].get("content")) if messages else []
    choice = object_of(config.get("toolChoice"))
    thinking = object_of(object_of(body.get("additionalModelRequestFields")).get("thinking"))
    return Wish(
        input_chars=sum(chars_of(body.get(key)) for key in ("messages", "system")),
        max_tokens=count_of(object_of(body.get("inferenceConfig")).get("maxTokens")),
        thinks=thinking.get("type") == "enabled",
        tools=tuple(
            (str(one.get("name")), object_of(one.get("inputSchema")).get("json")) for one in specs
        ),
        must_call="" if "any" in choice else None,
        has_tool_result=any("toolResult" in part for part in last),
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """All messages, from `messageStart` to `metadata`."""

    def event(kind: Kind, name: str, **told: object) -> Piece:
        padded = {**told, "p": fill(json.dumps(told), 24)}
        return Piece(kind, message({":event-type": name}, padded))

    def delta(index: int, **told: object) -> Piece:
        return event(Kind.GENERATED, "contentBlockDelta", contentBlockIndex=index, delta=told)

    yield event(Kind.OPENING, "messageStart", role="assistant")
    index = 0
    if reply.reasoning:
        for text in reply.reasoning:
            yield delta(index, reasoningContent={"text": text})
        yield event(Kind.BETWEEN, "contentBlockStop", contentBlockIndex=index)
        index = 1
    if reply.call is not None:
        start = {"toolUse": {"toolUseId": _call_id(stamp), "name": reply.call.name}}
        yield event(Kind.GENERATED, "contentBlockStart", contentBlockIndex=index, start=start)
        for text in reply.call.arguments:
            yield delta(index, toolUse={"input": text})
    for text in reply.text:
        yield delta(index, text=text)
    yield event(Kind.CLOSING, "contentBlockStop", contentBlockIndex=index)
    yield event(Kind.CLOSING, "messageStop", stopReason=_stop_reason(reply))
    yield event(Kind.CLOSING, "metadata", usage=_usage(reply), metrics={"latencyMs": 1})


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An exception in a stream that has already begun."""
    told = {"message": "Too many requests, please wait before trying again."}
    return message({":exception-type": "throttlingException"}, told, kind="exception")


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    content: list[object] = []
    if reply.reasoning:
        content.append({"reasoningContent": {"reasoningText": {"text": reply.reasoning_text}}})
    if reply.call is not None:
        arguments = json.loads("".join(reply.call.arguments))
        call = {"toolUseId": _call_id(stamp), "name": reply.call.name, "input": arguments}
        content.append({"toolUse": call})
    else:
        content.append({"text": reply.whole_text})
    return as_json(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": _stop_reason(reply),
            "usage": _usage(reply),
            "metrics": {"latencyMs": 1},
        }
    )


def message(names: Mapping[str, str], told: object, kind: str = "event") -> bytes:
    """One message of the event stream; all its headers are strings."""
    given = {**names, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value))
        + value.encode()
        for name, value in given.items()
    )  # fmt: skip
    payload = as_json(told)
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    checked = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return checked + struct.pack(">I", crc32(checked))


def _type(status: int) -> str:
    return _TYPES.get(status, _TYPES[400 if status < 500 else 500])


def _call_id(stamp: Stamp) -> str:
    return f"tooluse_{stamp.token[:22]}"


def _stop_reason(reply: Reply) -> str:
    if reply.call is not None:
        return "tool_use"
    return "max_tokens" if reply.is_cut_short else "end_turn"


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "inputTokens": reply.input_tokens,
        "outputTokens": reply.output_tokens,
        "totalTokens": reply.input_tokens + reply.output_tokens,
    }
