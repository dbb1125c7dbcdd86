"""OpenAI's other answers have the shape of the recorded ones."""

from __future__ import annotations

import json
from pathlib import Path

from sidecar.lab import openai_other
from sidecar.lab.reply import Stamp, reply_to
from sidecar.lab.script import parse_model

RECORDED = Path(__file__).parents[1] / "transcripts"
STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)
REPLY = reply_to(parse_model("mock,tokens=4"), openai_other.wish({"prompt": "hello there"}))


def test_completions_have_the_members_of_a_recorded_one() -> None:
    file = sorted(RECORDED.glob("openai-completions.openai.stream*.body"))[0]
    theirs = json.loads(file.read_bytes().split(b"\n\n")[0][6:])
    ours = json.loads(
        next(openai_other.completion_stream(REPLY, {}, "mock", STAMP)).data.removeprefix(b"data: ")
    )
    assert ours.keys() <= theirs.keys()
    assert ours["choices"][0].keys() == theirs["choices"][0].keys()


def test_usage_is_told_where_it_is_asked_for() -> None:
    body: dict[str, object] = {"stream_options": {"include_usage": True}}
    told = b"".join(p.data for p in openai_other.completion_stream(REPLY, body, "mock", STAMP))
    silent = b"".join(p.data for p in openai_other.completion_stream(REPLY, {}, "mock", STAMP))
    assert b'"completion_tokens":4' in told
    assert b"usage" not in silent


def test_sound_has_a_length_and_a_transcript_its_words() -> None:
    assert len(openai_other.speech_bytes(REPLY, {}, "mock", STAMP)) == 4 * 240
    told = json.loads(openai_other.transcript_json(REPLY, {}, "mock", STAMP))
    assert told["text"] == REPLY.whole_text
