"""Chat and embeddings have the fields of the recorded answers, in their order."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from sidecar.lab import openai
from sidecar.lab.reply import Kind, Piece, Stamp, reply_to
from sidecar.lab.script import parse_model

_RECORDED = Path(__file__).parents[1] / "transcripts"
_STAMP = Stamp("0123456789abcdef" * 3, 1_755_137_921)
_ASK: dict[str, object] = {"messages": [{"role": "user", "content": "hello, you"}]}
_TOOLS: dict[str, object] = {
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}},
        }
    ],
    "tool_choice": "required",
}
_USAGE: dict[str, object] = {"stream_options": {"include_usage": True}}


def _pieces(items: str, **more: object) -> list[Piece]:
    body = {**_ASK, **more}
    script = parse_model(f"mock{items}")
    reply = reply_to(script, openai.chat_wish(body))
    return list(openai.chat_stream(reply, body, script.model, _STAMP))


def _events(data: bytes) -> list[Any]:
    return [
        json.loads(block.removeprefix(b"data: "))
        for block in data.split(b"\n\n")
        if block and block != b"data: [DONE]"
    ]


def _streamed(items: str, **more: object) -> list[Any]:
    return _events(b"".join(piece.data for piece in _pieces(items, **more)))


def _keys(value: Any) -> Any:
    """The names in a JSON value, in order; of lists the first element."""
    if isinstance(value, dict):
        return {name: _keys(part) for name, part in value.items()}
    return [_keys(value[0])] if isinstance(value, list) and value else None


def _same_order(ours: Any, theirs: Any) -> bool:
    return json.dumps(_keys(ours)) == json.dumps(_keys(theirs))


def _recorded(name: str) -> bytes:
    return (_RECORDED / f"{name}.body").read_bytes()


def test_a_stream_has_the_fields_of_a_recorded_one_in_their_order() -> None:
    theirs = _events(_recorded("openai-chat.openai.stream.05"))
    ours = _streamed(",tokens=3")
    # role, first word, end
    for index in (0, 1, -1):
        assert _same_order(ours[index], theirs[index])


def test_usage_comes_only_when_asked_for_as_a_chunk_without_choices() -> None:
    theirs = _events(_recorded("openai-chat.openai.stream.04"))
    ours = _streamed(",tokens=5,reasoning=2", **_USAGE)
    for index in (0, -3, -2, -1):
        assert _same_order(ours[index], theirs[index])
    assert [event["usage"] for event in ours[:-1]] == [None] * (len(ours) - 1)
    assert ours[-1]["choices"] == []
    assert ours[-1]["usage"]["completion_tokens"] == 5
    assert ours[-1]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert all("usage" not in event for event in _streamed(",tokens=5"))


def test_a_stream_ends_with_done_and_only_words_are_generated() -> None:
    pieces = _pieces(",tokens=4,reasoning=1", **_USAGE)
    kinds = [piece.kind for piece in pieces]
    assert kinds == [Kind.OPENING] + [Kind.GENERATED] * 4 + [Kind.CLOSING] * 3
    assert pieces[-1].data == b"data: [DONE]\n\n"


def test_obfuscation_can_be_switched_off() -> None:
    assert all("obfuscation" in event for event in _streamed("", **_USAGE))
    plain = _streamed("", stream_options={"include_obfuscation": False, "include_usage": True})
    assert not any("obfuscation" in event for event in plain)


def test_events_keep_utf8_as_it_is() -> None:
    assert "東京".encode() in b"".join(piece.data for piece in _pieces(",tokens=30"))


def test_a_tool_call_has_its_name_first_and_its_arguments_in_pieces() -> None:
    events = _streamed("", **_TOOLS)
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas[0]["content"] is None
    start = deltas[1]["tool_calls"][0]
    assert (start["type"], start["function"]) == ("function", {"name": "f", "arguments": ""})
    assert start["id"].startswith("call_")
    parts = [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas[2:-1]]
    assert len(parts) > 1
    assert json.loads("".join(parts)) == {"a": "Zürich"}
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_buffered_answer_has_the_fields_of_a_recorded_one_in_their_order() -> None:
    reply = reply_to(parse_model("mock,tokens=3"), openai.chat_wish(_ASK))
    ours = json.loads(openai.chat_json(reply, _ASK, "mock,tokens=3", _STAMP))
    assert _same_order(ours, json.loads(_recorded("openai-chat.openai.json.01")))
    assert ours["choices"][0]["message"]["content"] == "The quick brown"
    assert ours["usage"]["total_tokens"] == ours["usage"]["prompt_tokens"] + 3


def test_stream_and_buffered_answer_say_the_same() -> None:
    body = {**_ASK, **_TOOLS}
    for ask in (_ASK, body):
        reply = reply_to(parse_model("mock,tokens=9,reasoning=3"), openai.chat_wish(ask))
        message = json.loads(openai.chat_json(reply, ask, "m", _STAMP))["choices"][0]["message"]
        assert message["reasoning_content"] == reply.reasoning_text
        assert message["content"] == (None if reply.call else reply.whole_text)
        assert bool(message.get("tool_calls")) is bool(reply.call)


def test_an_answer_cut_by_the_requests_limit_says_length() -> None:
    assert _streamed("", max_tokens=2)[-1]["choices"][0]["finish_reason"] == "length"
    assert _streamed("", max_completion_tokens=2)[-1]["choices"][0]["finish_reason"] == "length"


def test_an_error_has_the_recorded_shape() -> None:
    theirs = json.loads(_recorded("openai-chat.openai.error.404.01"))
    for ours in (openai.scripted_error(404, _STAMP), openai.error(400, "no", "model")):
        assert _same_order(json.loads(ours), theirs)
    assert json.loads(openai.scripted_error(429, _STAMP))["error"]["code"] == "rate_limit_exceeded"
    assert json.loads(openai.scripted_error(500, _STAMP))["error"]["type"] == "server_error"


def test_an_error_inside_a_stream_has_the_documented_shape() -> None:
    theirs = _events(_recorded("openai-chat.openai.constructed.error-mid-stream.01"))[-1]
    reply = reply_to(parse_model("mock"), openai.chat_wish(_ASK))
    ours = _events(openai.chat_failure(reply, _ASK, "mock", _STAMP, 3))
    assert ours == [theirs]


def test_embeddings_have_the_recorded_fields_and_length_one() -> None:
    ours = json.loads(openai.embeddings_json({"input": ["a", "b"], "dimensions": 8}, "m"))
    theirs = json.loads(_recorded("openai-embeddings.openai.json.01"))
    assert set(ours) == set(theirs)
    assert set(ours["data"][0]) == set(theirs["data"][0])
    first, second = (item["embedding"] for item in ours["data"])
    assert first != second
    assert sum(x * x for x in first) == pytest.approx(1.0, abs=1e-6)


def test_base64_holds_the_same_numbers_as_floats() -> None:
    ask = {"input": "hello", "dimensions": 16}
    floats = json.loads(openai.embeddings_json(ask, "m"))["data"][0]["embedding"]
    packed = json.loads(openai.embeddings_json({**ask, "encoding_format": "base64"}, "m"))
    numbers = struct.unpack("<16f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(numbers) == floats


@pytest.mark.parametrize(
    ("body", "count", "tokens"),
    [
        ({"input": "four and more"}, 1, 3),
        ({"input": [1, 2, 3]}, 1, 3),
        ({"input": [[1, 2], [3]]}, 2, 3),
    ],
)
def test_every_form_of_input_is_counted(body: dict[str, object], count: int, tokens: int) -> None:
    answer = json.loads(openai.embeddings_json({**body, "dimensions": 2}, "m"))
    assert (len(answer["data"]), answer["usage"]["prompt_tokens"]) == (count, tokens)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": "x", "dimensions": -1}, "dimensions"),
        ({"input": "x", "encoding_format": "invalid_format"}, "encoding_format"),
    ],
)
def test_what_cannot_be_embedded_is_refused_with_its_field(
    body: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadBodyError) as caught:
        openai.embeddings_json(body, "m")
    assert caught.value.param == param


def test_every_listed_model_can_be_played() -> None:
    for model in json.loads(openai.models_json())["data"]:
        parse_model(model["id"])
        assert json.loads(openai.model_json(model["id"])) == model


@pytest.mark.parametrize("messages", [None, "text", [], [1, "x"], [{"content": {"a": 1}}]])
def test_a_strange_body_is_no_reason_to_break(messages: object) -> None:
    body = {"messages": messages, "tools": "none", "tool_choice": {"function": 3}}
    assert openai.chat_wish(body).tools == ()
