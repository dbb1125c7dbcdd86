"""Cohere's chat, version 2, as a stream of events and whole; and its embeddings.

Knows: the bytes: events in their order, where usage stands, errors.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of api.cohere.com, 2025-03 to 2026-01. What is billed is less than
what is counted; no answer names its model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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

_TEMPLATE_TOKENS = 60
"""Counted with every prompt, and not billed."""


def headers(stamp: Stamp, processing_ms: int, status: int) -> dict[str, str]:
    return {"x-debug-trace-id": stamp.token[:32], "num_chars": "0", "num_tokens": "0"}


def error(status: int, message: str, stamp: Stamp) -> bytes:
    """The body of an answer with an error status."""
    return as_json({"id": _id(stamp), "message": message})


def scripted_error(status: int, stamp: Stamp) -> bytes:
    """What the provider says with this status."""
    return error(status, f"the simulated model answers with status {status}", stamp)


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of /v2/chat asks for."""
    functions = [object_of(tool.get("function")) for tool in items_of(body.get("tools"))]
    messages = items_of(body.get("messages"))
    return Wish(
        input_chars=chars_of(body.get("messages")),
        max_tokens=count_of(body.get("max_tokens")),
        thinks=object_of(body.get("thinking")).get("type") == "enabled",
        tools=tuple((str(one.get("name")), one.get("parameters")) for one in functions),
        must_call="" if body.get("tool_choice") == "REQUIRED" else None,
        has_tool_result=bool(messages) and messages[-1].get("role") == "tool",
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """All events, from `message-start` to `message-end`, and the mark that the SDKs skip."""
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield _event(Kind.OPENING, "message-start", {"message": empty}, id=_id(stamp))
    index = 0
    for name, texts in (("thinking", reply.reasoning), ("text", reply.text)):
        if not texts:
            continue
        kind = Kind.BETWEEN if index else Kind.OPENING
        yield _event(kind, "content-start", _content({"type": name, name: ""}), index=index)
        for text in texts:
            yield _event(Kind.GENERATED, "content-delta", _content({name: text}), index=index)
        yield _event(Kind.BETWEEN, "content-end", None, index=index)
        index += 1
    if reply.call is not None:
        function = {"name": reply.call.name, "arguments": ""}
        call = {"id": f"{reply.call.name}_{stamp.token[:12]}", "type": "function"}
        yield _event(
            Kind.GENERATED, "tool-call-start", _calls({**call, "function": function}), index=0
        )
        for text in reply.call.arguments:
            delta = _calls({"function": {"arguments": text}})
            yield _event(Kind.GENERATED, "tool-call-delta", delta, index=0)
        yield _event(Kind.BETWEEN, "tool-call-end", None, index=0)
    end = {"finish_reason": _finish(reply), "usage": _usage(reply)}
    yield _event(Kind.CLOSING, "message-end", end)
    yield Piece(Kind.CLOSING, b"data: [DONE]\n\n")


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """A stream that ends with an error."""
    end = {"finish_reason": "ERROR", "error": "the simulated model broke off"}
    return _event(Kind.CLOSING, "message-end", end).data


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    message: dict[str, object] = {"role": "assistant"}
    content: list[object] = []
    if reply.reasoning:
        content.append({"type": "thinking", "thinking": reply.reasoning_text})
    if reply.call is not None:
        function = {"name": reply.call.name, "arguments": "".join(reply.call.arguments)}
        call = {"id": f"{reply.call.name}_{stamp.token[:12]}", "type": "function"}
        message |= {"tool_plan": "", "tool_calls": [{**call, "function": function}]}
    else:
        content.append({"type": "text", "text": reply.whole_text})
    if content:
        message["content"] = content
    told = {"id": _id(stamp), "message": message, "finish_reason": _finish(reply)}
    return as_json({**told, "usage": _usage(reply)})


def embed_json(body: Mapping[str, object], stamp: Stamp) -> bytes:
    """The answer of /v2/embed: for each text the same short vector."""
    given = body.get("texts")
    texts = given if isinstance(given, list) else []
    billed = {"input_tokens": tokens_of(chars_of(texts))}
    return as_json(
        {
            "id": _id(stamp),
            "embeddings": {"float": [[0.6, 0.8, 0.0] for _ in texts]},
            "texts": texts,
            "meta": {"api_version": {"version": "2"}, "billed_units": billed},
        }
    )


def _event(kind: Kind, type_: str, delta: object, **more: object) -> Piece:
    told = {**more, "type": type_} if "id" in more else {"type": type_, **more}
    if delta is not None:
        told["delta"] = delta
    return Piece(kind, b"event: %b\ndata: %b\n\n" % (type_.encode(), as_json(told)))


def _content(content: object) -> object:
    return {"message": {"content": content}}


def _calls(calls: object) -> object:
    return {"message": {"tool_calls": calls}}


def _id(stamp: Stamp) -> str:
    t = stamp.token
    return f"{t[:8]}-{t[8:12]}-4{t[12:15]}-a{t[15:18]}-{t[18:30]}"


def _finish(reply: Reply) -> str:
    if reply.call is not None:
        return "TOOL_CALL"
    return "MAX_TOKENS" if reply.is_cut_short else "COMPLETE"


def _usage(reply: Reply) -> dict[str, object]:
    billed = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    tokens = {**billed, "input_tokens": reply.input_tokens + _TEMPLATE_TOKENS}
    return {"billed_units": billed, "tokens": tokens, "cached_tokens": 0}
