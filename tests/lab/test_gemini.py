"""Gemini's answers have the shape of the recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sidecar.lab import gemini
from sidecar.lab.reply import Stamp, reply_to
from sidecar.lab.script import parse_model

RECORDED = Path(__file__).parents[1] / "transcripts"
STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)


def chunks(items: str) -> list[dict[str, Any]]:
    reply = reply_to(parse_model(f"mock{items}"), gemini.wish({}))
    data = b"".join(piece.data for piece in gemini.stream(reply, {}, "mock", STAMP))
    return [json.loads(one.removeprefix(b"data: ")) for one in data.split(b"\r\n\r\n") if one]


def test_a_chunk_has_the_members_of_a_recorded_one() -> None:
    recorded = (RECORDED / "gemini-generate.google.stream.01.body").read_bytes()
    theirs = json.loads(recorded.split(b"\r\n\r\n")[0].removeprefix(b"data: "))
    ours = chunks(",tokens=3")[0]
    assert ours.keys() <= theirs.keys()
    assert ours["candidates"][0].keys() <= theirs["candidates"][0].keys()
    assert ours["usageMetadata"].keys() <= theirs["usageMetadata"].keys() | {"thoughtsTokenCount"}


def test_usage_grows_from_chunk_to_chunk_and_thoughts_stand_apart() -> None:
    usages = [chunk["usageMetadata"] for chunk in chunks(",tokens=5,reasoning=2")]
    assert [usage.get("candidatesTokenCount") for usage in usages] == [None, None, 1, 2, 3, 3]
    assert [usage["thoughtsTokenCount"] for usage in usages] == [1, 2, 2, 2, 2, 2]


def test_the_array_is_one_json_value() -> None:
    reply = reply_to(parse_model("mock,tokens=4"), gemini.wish({}))
    data = b"".join(piece.data for piece in gemini.array(reply, {}, "mock", STAMP))
    assert len(json.loads(data)) == 5


def test_an_array_that_fails_is_one_too() -> None:
    reply = reply_to(parse_model("mock,tokens=4"), gemini.wish({}))
    pieces = [piece.data for piece in gemini.array(reply, {}, "mock", STAMP)][:2]
    pieces.append(gemini.array_failure(reply, {}, "mock", STAMP, 2))
    assert json.loads(b"".join(pieces))[-1]["error"]["status"] == "UNAVAILABLE"
    assert json.loads(gemini.array_failure(reply, {}, "mock", STAMP, 0))[0]["error"]


def test_types_in_capitals_are_understood() -> None:
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}
    body: dict[str, object] = {
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    reply = reply_to(parse_model("mock"), gemini.wish(body))
    assert reply.call is not None
    assert json.loads("".join(reply.call.arguments)) == {"n": 7}


def test_tokens_are_counted() -> None:
    body: dict[str, object] = {"contents": [{"parts": [{"text": "x" * 40}]}]}
    assert json.loads(gemini.count_tokens_json(body)) == {"totalTokens": 10}
