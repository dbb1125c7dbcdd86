"""Messages have the events of the recorded answers, in their order."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from sidecar.lab import anthropic
from sidecar.lab.reply import Kind, Piece, Stamp, reply_to
from sidecar.lab.script import parse_model

_RECORDED = Path(__file__).parents[1] / "transcripts"
_STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)
_ASK: dict[str, object] = {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
_TOOLS: dict[str, object] = {
    "tools": [{"name": "f", "input_schema": {"properties": {"a": {"type": "string"}}}}],
    "tool_choice": {"type": "any"},
}


def _pieces(items: str, **more: object) -> list[Piece]:
    body = {**_ASK, **more}
    script = parse_model(f"mock{items}")
    reply = reply_to(script, anthropic.wish(body))
    return list(anthropic.stream(reply, body, script.model, _STAMP))


def _events(data: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in data.split(b"\n\n"):
        if block.strip():
            name, payload = block.split(b"\n")
            found.append(
                (
                    name.removeprefix(b"event: ").decode(),
                    json.loads(payload.removeprefix(b"data: ")),
                )
            )
    return found


def _streamed(items: str, **more: object) -> list[tuple[str, Any]]:
    return _events(b"".join(piece.data for piece in _pieces(items, **more)))


def _recorded(name: str) -> list[tuple[str, Any]]:
    return _events((_RECORDED / f"anthropic-messages.anthropic.{name}.body").read_bytes())


def _order(events: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in groupby(name for name, _ in events)]


def _fields(event: Any) -> Any:
    """Names in order, two levels deep."""
    return [(k, list(v) if isinstance(v, dict) else None) for k, v in event.items()]


def test_a_stream_has_the_events_and_fields_of_a_recorded_one_in_their_order() -> None:
    theirs, ours = _recorded("stream.05"), _streamed(",tokens=6")
    assert _order(ours) == _order(theirs)
    for index in (0, 1, 2, 3, -3, -2, -1):
        assert _fields(ours[index][1]) == _fields(theirs[index][1])
    assert list(ours[0][1]["message"]["usage"]) == list(theirs[0][1]["message"]["usage"])


def test_events_are_named_by_their_type_and_padded_with_spaces() -> None:
    data = [piece.data for piece in _pieces(",tokens=20")]
    assert all(name == event["type"] for name, event in _events(b"".join(data)))
    assert len({len(one) - len(one.rstrip(b"} \n").rstrip()) for one in data}) > 5
    assert data[2] == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_thinking_is_a_block_of_its_own_with_a_signature() -> None:
    ours = _streamed(",tokens=9,reasoning=4")
    assert _order(ours) == _order(_recorded("stream.reasoning.01"))
    deltas = [event["delta"]["type"] for name, event in ours if name == "content_block_delta"]
    assert [kind for kind, _ in groupby(deltas)] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
    ]
    assert ours[-2][1]["usage"]["output_tokens_details"] == {"thinking_tokens": 4}


def test_thinking_is_shown_when_the_request_asks_for_it() -> None:
    ours = _streamed("", thinking={"type": "enabled", "budget_tokens": 1024})
    assert ours[1][1]["content_block"]["type"] == "thinking"


def test_the_output_count_is_a_placeholder_first_and_the_truth_last() -> None:
    ours = _streamed(",tokens=50")
    assert ours[0][1]["message"]["usage"]["output_tokens"] == 1
    assert ours[-2][1]["usage"]["output_tokens"] == 50


def test_a_tool_call_starts_with_an_empty_piece_of_json() -> None:
    theirs = _recorded("stream.reasoning-tools.02")
    ours = _streamed(",tokens=9,reasoning=3", **_TOOLS)
    assert _order(ours) == _order(theirs)
    parts = [
        event["delta"]["partial_json"]
        for name, event in ours
        if name == "content_block_delta" and event["delta"]["type"] == "input_json_delta"
    ]
    assert parts[0] == ""
    assert json.loads("".join(parts)) == {"a": "Zürich"}
    assert ours[-2][1]["delta"]["stop_reason"] == "tool_use"


def test_a_tools_start_is_generated_and_pings_are_not() -> None:
    kinds = [kind for kind, _ in groupby(piece.kind for piece in _pieces("", **_TOOLS))]
    assert kinds == [Kind.OPENING, Kind.GENERATED, Kind.BETWEEN, Kind.GENERATED, Kind.CLOSING]
    generated = [p.data for p in _pieces(",tokens=6,reasoning=2") if p.kind is Kind.GENERATED]
    assert len(generated) == 6
    assert not any(b"ping" in data or b"signature" in data for data in generated)


def test_a_buffered_answer_says_what_the_stream_says() -> None:
    reply = reply_to(parse_model("mock,tokens=9,reasoning=4"), anthropic.wish(_ASK))
    message = json.loads(anthropic.whole(reply, _ASK, "m", _STAMP))
    theirs = json.loads(
        (_RECORDED / "anthropic-messages.anthropic.json.reasoning.01.body").read_bytes()
    )
    assert set(theirs) <= set(message)
    assert [part["type"] for part in message["content"]] == ["thinking", "text"]
    assert message["content"][1]["text"] == reply.whole_text
    assert message["usage"]["output_tokens"] == 9
    called = reply_to(parse_model("mock"), anthropic.wish({**_ASK, **_TOOLS}))
    (part,) = json.loads(anthropic.whole(called, _ASK, "m", _STAMP))["content"]
    assert (part["type"], part["input"]) == ("tool_use", {"a": "Zürich"})


def test_an_answer_cut_by_the_requests_limit_says_max_tokens() -> None:
    assert _streamed("", max_tokens=2)[-2][1]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_has_the_recorded_shape(status: int, kind: str) -> None:
    theirs = json.loads((_RECORDED / "anthropic-messages.anthropic.error.400.01.body").read_bytes())
    ours = json.loads(anthropic.scripted_error(status, _STAMP))
    assert set(ours) == set(theirs)
    assert set(ours["error"]) == set(theirs["error"])
    assert ours["error"]["type"] == kind
    assert ours["request_id"] == anthropic.headers(_STAMP, 1, status)["request-id"]


def test_an_error_inside_a_stream_has_the_documented_shape() -> None:
    (_, theirs) = _recorded("constructed.overloaded-mid-stream.01")[-1]
    reply = reply_to(parse_model("mock"), anthropic.wish(_ASK))
    ((name, ours),) = _events(anthropic.failure(reply, _ASK, "m", _STAMP, 3))
    assert name == "error"
    assert _fields(ours) == _fields(theirs)


def test_headers_meter_and_limit_as_recorded() -> None:
    recorded = json.loads((_RECORDED / "anthropic-messages.anthropic.stream.05.json").read_bytes())[
        "headers"
    ]
    ours = anthropic.headers(_STAMP, 325, 200)
    assert {n for n in recorded if n.startswith("anthropic-")} <= set(ours)
    assert ours["anthropic-ratelimit-tokens-reset"] == "2025-05-29T03:07:50Z"
    assert ours["server-timing"] == "x-originResponse;dur=325"
    assert anthropic.headers(_STAMP, 1, 404)["x-should-retry"] == "false"
    assert "x-should-retry" not in anthropic.headers(_STAMP, 1, 429)


def test_counting_tokens_agrees_with_the_usage_of_the_message() -> None:
    counted = json.loads(anthropic.count_tokens_json(_ASK))["input_tokens"]
    start = _streamed("", **_ASK)[0][1]["message"]
    assert counted == start["usage"]["input_tokens"]


def test_every_listed_model_can_be_played() -> None:
    page = json.loads(anthropic.models_json())
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    for model in page["data"]:
        parse_model(model["id"])
        assert json.loads(anthropic.model_json(model["id"])) == model


@pytest.mark.parametrize("messages", [None, "text", [], [1], [{"content": "text"}]])
def test_a_strange_body_is_no_reason_to_break(messages: object) -> None:
    body = {"messages": messages, "tools": [1, {"name": "server_side"}], "tool_choice": 4}
    assert anthropic.wish(body).tools == ()
