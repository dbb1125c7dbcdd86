"""Ollama's answers have the shape of the recorded ones."""

from __future__ import annotations

import json
from pathlib import Path

from sidecar.lab import ollama
from sidecar.lab.reply import Stamp, reply_to
from sidecar.lab.script import parse_model

RECORDED = Path(__file__).parents[1] / "transcripts"
STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)


def lines(data: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in data.splitlines()]


def test_lines_have_the_members_of_recorded_ones() -> None:
    for name, body in (("chat", {"messages": []}), ("generate", {"prompt": "hi"})):
        theirs = lines((RECORDED / f"ollama-{name}.ollama.stream.01.body").read_bytes())
        asked: dict[str, object] = dict(body)
        reply = reply_to(parse_model("mock,tokens=3"), ollama.wish(asked))
        ours = lines(b"".join(p.data for p in ollama.stream(reply, asked, "mock", STAMP)))
        assert ours[0].keys() == theirs[0].keys()
        assert ours[-1].keys() <= theirs[-1].keys()


def test_a_tool_is_called_whole() -> None:
    body: dict[str, object] = {
        "messages": [],
        "tools": [{"function": {"name": "f", "parameters": {"properties": {}}}}],
    }
    reply = reply_to(parse_model("mock,tools"), ollama.wish(body))
    ours = lines(b"".join(p.data for p in ollama.stream(reply, body, "mock", STAMP)))
    assert "tool_calls" in str(ours[0])
    assert "tool_calls" in str(json.loads(ollama.whole(reply, body, "mock", STAMP)))


def test_embeddings_and_the_list_of_models() -> None:
    made = json.loads(ollama.embed_json({"input": ["a", "b"]}, "mock"))
    assert len(made["embeddings"]) == 2
    assert json.loads(ollama.tags_json())["models"]
