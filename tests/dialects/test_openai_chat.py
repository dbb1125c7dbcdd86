"""Chat completions of twenty providers, read as recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.facts import CONTENT, NOTHING, REASONING, TOOL_CALL, UNREADABLE, Facts, Usage
from sidecar.dialects.openai_chat import OpenAiChat
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

STREAMS = names("openai-chat", streamed=True)
BODIES = names("openai-chat", streamed=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = SseReader(OpenAiChat())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


def _no_status(expected: dict[str, Any]) -> None:
    # A page of HTML: that it is an error stands in the status alone, which no reader sees.
    expected.pop("error")
    expected.pop("complete")


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    chat = OpenAiChat()
    found = chat.whole(load(name)[1])
    chat.facts.events = int(found != UNREADABLE or "html" in name)
    assert_as_expected(
        name, chat.facts, [found] if found > 0 else [], _no_status if "html" in name else None
    )


@pytest.mark.parametrize(
    ("delta", "kind"),
    [
        (b'{"role":"assistant"}', NOTHING),
        (b'{"role":"assistant","content":""}', NOTHING),
        (b'{"content":null}', NOTHING),
        (b'{"content":[]}', NOTHING),
        (b'{"content":{"a":1}}', NOTHING),
        (b'{"content":5}', NOTHING),
        (b'{"content":"a"}', CONTENT),
        (b'{"content":[{"type":"text","text":"a"}]}', CONTENT),
        (b'{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}', REASONING),
        (b'{"reasoning_content":"a","content":"b"}', REASONING | CONTENT),
        (b'{"reasoning":""}', NOTHING),
        (b'{"refusal":""}', NOTHING),
        (b'{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}', TOOL_CALL),
        (b'{"tool_calls":[{"index":0,"function":{"name":"","arguments":""}}]}', NOTHING),
        (b'{"tool_calls":[null]}', NOTHING),
        (b'{"function_call":{"arguments":"{"}}', TOOL_CALL),
        (b'{"audio":{"id":"x"}}', NOTHING),
        (b"null", NOTHING),
        (b"[]", NOTHING),
    ],
)
def test_what_a_delta_brings(delta: bytes, kind: int) -> None:
    assert OpenAiChat().event(b"", b'{"choices":[{"delta":%b}]}' % delta) == kind


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"5", b'"a"', b"[]", b'{"choices":5}', b'{"choices":[5]}', b"\xff"],
)
def test_what_is_no_chunk_is_unreadable_and_nothing_is_raised(data: bytes) -> None:
    assert OpenAiChat().event(b"", data) == UNREADABLE


@pytest.mark.parametrize("value", [b"-1", b'"5"', b"1.5", b"1e99", b"9223372036854775808", b"true"])
def test_what_is_no_count_is_not_there(value: bytes) -> None:
    chat = OpenAiChat()
    chat.event(b"", b'{"choices":[],"usage":{"prompt_tokens":%b,"completion_tokens":7}}' % value)
    assert chat.facts.usage == Usage(output_tokens=7)


def test_brackets_without_end_are_unreadable() -> None:
    assert OpenAiChat().event(b"", b'{"usage":' + b"[" * 60_000) == UNREADABLE
    assert OpenAiChat().whole(b'{"usage":' + b"[" * 60_000) == UNREADABLE


def test_of_several_counts_the_last_one_stands() -> None:
    chat = OpenAiChat()
    for tokens in (5, 6, 7):
        chat.event(b"", b'{"usage":{"completion_tokens":%d}}' % tokens)
    chat.event(b"", b'{"usage":null}')
    assert chat.facts.usage == Usage(output_tokens=7)


def _told(*events: bytes, name: bytes = b"") -> Facts:
    reader = OpenAiChat()
    for data in events:
        reader.event(name, data)
    return reader.facts


def _choice(index: int, reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": {"content": "x"}, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


def test_of_several_choices_all_must_have_ended() -> None:
    assert not _told(_choice(0), _choice(1), _choice(0, "stop")).is_complete
    assert not _told(_choice(0), _choice(0, "stop"), _choice(1)).is_complete
    ended = (_choice(0), _choice(1), _choice(0, "stop"), _choice(1, "stop"))
    assert _told(*ended).is_complete
    # What comes after the end of the only one changes nothing, nor does a number that is not 0.
    assert _told(_choice(0), _choice(0, "stop"), _choice(0)).is_complete
    assert _told(_choice(7), _choice(7, "length")).is_complete
    # The lenient reader is of the same mind.
    odd = [data.replace(b'"choices"', b'"x_groq": 1, "choices"') for data in ended]
    assert _told(*odd).is_complete
    assert not _told(*odd[:3]).is_complete


def test_choices_without_end_take_no_memory_without_end() -> None:
    facts = _told(*(_choice(number) for number in range(1000)))
    assert facts.open_choices < 1 << 62


def test_an_event_named_error_is_one_also_if_it_stands_there_bare() -> None:
    bare = b'{"message": "boom", "type": "server_error", "code": 500}'
    error = _told(bare, name=b"error").error
    assert error is not None
    assert (error.is_in_stream, error.message, error.code) == (True, "boom", "500")
    assert _told(bare).error is None
