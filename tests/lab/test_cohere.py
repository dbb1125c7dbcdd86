"""Cohere's answers have the events of the recorded ones, in their order."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from sidecar.lab import cohere
from sidecar.lab.reply import Stamp, reply_to
from sidecar.lab.script import parse_model

RECORDED = Path(__file__).parents[1] / "transcripts"
STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)


def events(data: bytes) -> list[dict[str, Any]]:
    payloads = [line[6:] for line in data.splitlines() if line.startswith(b"data: {")]
    return [json.loads(payload) for payload in payloads]


def order(told: list[dict[str, Any]]) -> list[str]:
    return [name for name, _ in groupby(event["type"] for event in told)]


def ours(items: str) -> list[dict[str, Any]]:
    reply = reply_to(parse_model(f"mock{items}"), cohere.wish({}))
    return events(b"".join(piece.data for piece in cohere.stream(reply, {}, "mock", STAMP)))


def test_a_stream_has_the_events_of_a_recorded_one() -> None:
    cases = {"stream.01": ",tokens=5", "stream.reasoning.01": ",tokens=9,reasoning=4"}
    for name, items in cases.items():
        theirs = events((RECORDED / f"cohere-chat-v2.cohere.{name}.body").read_bytes())
        assert order(ours(items)) == order(theirs)
        assert ours(items)[0].keys() == theirs[0].keys()
        assert ours(items)[-1]["delta"].keys() == theirs[-1]["delta"].keys()


def test_less_is_billed_than_counted() -> None:
    usage = ours(",tokens=5")[-1]["delta"]["usage"]
    assert usage["billed_units"]["input_tokens"] < usage["tokens"]["input_tokens"]


def test_embeddings_are_billed() -> None:
    made = json.loads(cohere.embed_json({"texts": ["a" * 8, "b"]}, STAMP))
    assert len(made["embeddings"]["float"]) == 2
    assert made["meta"]["billed_units"]["input_tokens"] == 2
