"""OpenAI's Responses API, as it looks on the wire.

Knows: the order of its events, and that every text comes twice more after its deltas.
Must not know: sockets, clocks, faults.
Shapes read from recorded answers of api.openai.com, 2025-09 to 2026-06. There is no `[DONE]`.
One piece is one event, so that a piece's place is its `sequence_number`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sidecar.lab.openai import pretty
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


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of /v1/responses asks for."""
    items = items_of(body.get("input"))
    tools = [tool for tool in items_of(body.get("tools")) if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    must_call = "" if choice == "required" else None
    if isinstance(choice, dict):
        must_call = str(choice.get("name", ""))
    return Wish(
        input_chars=chars_of(body.get("input")) + chars_of(body.get("instructions")),
        max_tokens=count_of(body.get("max_output_tokens")),
        tools=tuple((str(tool.get("name")), tool.get("parameters")) for tool in tools),
        must_call=must_call,
        has_tool_result=bool(items) and items[-1].get("type") == "function_call_output",
    )


def stream(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> Iterator[Piece]:
    """All events, from `response.created` to `response.completed` (or `.incomplete`)."""
    for number, (kind, event) in enumerate(_events(reply, body, model, stamp)):
        yield Piece(kind, _framed({**event, "sequence_number": number}))


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun: two events."""
    code = "server_error"
    message = "The server had an error while processing your request. Sorry about that!"
    failed = _response(reply, body, model, stamp, "failed")
    failed["error"] = {"code": code, "message": message}
    error = {"type": code, "code": code, "message": message, "param": None}
    return _framed({"type": "error", "error": error, "sequence_number": events}) + _framed(
        {"type": "response.failed", "response": failed, "sequence_number": events + 1}
    )


def whole(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    """The buffered answer."""
    return pretty(_response(reply, body, model, stamp, _final_status(reply)))


def _framed(event: Mapping[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), as_json(event))


def _events(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[tuple[Kind, dict[str, object]]]:
    started = _response(reply, body, model, stamp, "in_progress")
    yield Kind.OPENING, {"type": "response.created", "response": started}
    yield Kind.OPENING, {"type": "response.in_progress", "response": started}
    items = _items(reply, stamp)
    for index, item in enumerate(items):
        structure = Kind.OPENING if index == 0 else Kind.BETWEEN
        ending = Kind.CLOSING if index == len(items) - 1 else Kind.BETWEEN
        opened = dict(item)
        if item["type"] == "message":
            opened |= {"status": "in_progress", "content": []}
        elif item["type"] == "reasoning":
            opened["summary"] = []
        else:
            opened |= {"status": "in_progress", "arguments": ""}
        yield structure, _item_event("response.output_item.added", opened, index)
        for kind, event in _inside(reply, item, structure, ending):
            yield kind, {**event, "item_id": item["id"], "output_index": index}
        yield ending, _item_event("response.output_item.done", item, index)
    status = _final_status(reply)
    yield (
        Kind.CLOSING,
        {
            "type": f"response.{status}",
            "response": _response(reply, body, model, stamp, status),
        },
    )


def _item_event(type_: str, item: Mapping[str, object], index: int) -> dict[str, object]:
    return {"type": type_, "item": item, "output_index": index}


def _inside(
    reply: Reply, item: Mapping[str, object], structure: Kind, ending: Kind
) -> Iterator[tuple[Kind, dict[str, object]]]:
    """The events between an item's `added` and its `done`."""
    if item["type"] == "function_call":
        assert reply.call is not None
        for text in reply.call.arguments:
            yield (
                Kind.GENERATED,
                {
                    "type": "response.function_call_arguments.delta",
                    "delta": text,
                    "obfuscation": fill(text),
                },
            )
        yield (
            ending,
            {
                "type": "response.function_call_arguments.done",
                "arguments": item["arguments"],
            },
        )
        return
    if item["type"] == "reasoning":
        part, text_event, pieces = (
            "reasoning_summary_part",
            "reasoning_summary_text",
            reply.reasoning,
        )
        place: dict[str, object] = {"summary_index": 0}
        extra: dict[str, object] = {}
        whole_part: dict[str, object] = {"type": "summary_text", "text": reply.reasoning_text}
    else:
        part, text_event, pieces = "content_part", "output_text", reply.text
        place, extra = {"content_index": 0}, {"logprobs": []}
        whole_part = _text_part(reply.whole_text)
    yield (
        structure,
        {
            "type": f"response.{part}.added",
            **place,
            "part": {**whole_part, "text": ""},
        },
    )
    for text in pieces:
        yield (
            Kind.GENERATED,
            {
                "type": f"response.{text_event}.delta",
                **place,
                "delta": text,
                **extra,
                "obfuscation": fill(text),
            },
        )
    yield (
        ending,
        {
            "type": f"response.{text_event}.done",
            **place,
            **extra,
            "text": whole_part["text"],
        },
    )
    yield ending, {"type": f"response.{part}.done", **place, "part": whole_part}


def _text_part(text: str) -> dict[str, object]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _items(reply: Reply, stamp: Stamp) -> list[dict[str, object]]:
    """The output as it is when all is done."""
    items: list[dict[str, object]] = []
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": reply.reasoning_text}]
        items.append({"id": f"rs_{stamp.token}", "type": "reasoning", "summary": summary})
    if reply.call is not None:
        items.append(
            {
                "id": f"fc_{stamp.token}",
                "type": "function_call",
                "status": "completed",
                "arguments": "".join(reply.call.arguments),
                "call_id": f"call_{stamp.token[:24]}",
                "name": reply.call.name,
            }
        )
    else:
        items.append(
            {
                "id": f"msg_{stamp.token}",
                "type": "message",
                "status": "incomplete" if reply.is_cut_short else "completed",
                "content": [_text_part(reply.whole_text)],
                "role": "assistant",
            }
        )
    return items


def _final_status(reply: Reply) -> str:
    return "incomplete" if reply.is_cut_short else "completed"


def _response(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, status: str
) -> dict[str, object]:
    """The response object: it repeats most of the request."""
    is_whole = status in ("completed", "incomplete")
    reasoning = object_of(body.get("reasoning"))
    usage = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
    return {
        "id": f"resp_{stamp.token}",
        "object": "response",
        "created_at": stamp.at_s,
        "status": status,
        "background": False,
        "completed_at": stamp.at_s if status == "completed" else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": model,
        "output": _items(reply, stamp) if is_whole else [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {
            "effort": reasoning.get("effort"),
            "summary": reasoning.get("summary"),
        },
        "safety_identifier": None,
        "service_tier": "default" if is_whole else "auto",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_logprobs": 0,
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": usage if is_whole else None,
        "user": None,
        "metadata": body.get("metadata", {}),
    }
