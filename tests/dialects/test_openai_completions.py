"""The older completions of three providers, read as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, UNREADABLE, ProviderError, Usage
from sidecar.dialects.openai_completions import OpenAiCompletions
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

STREAMS = names("openai-completions", streamed=True)
BODIES = names("openai-completions", streamed=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = SseReader(OpenAiCompletions())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    completions = OpenAiCompletions()
    found = completions.whole(load(name)[1])
    completions.facts.events = int(found != UNREADABLE)
    assert_as_expected(name, completions.facts, [found] if found > 0 else [])


@given(st.sampled_from(STREAMS), st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_random_cuts_change_nothing(name: str, steps: list[int]) -> None:
    body = load(name)[1]
    pieces, at, turn = [], 0, 0
    while at < len(body):
        step = steps[turn % len(steps)]
        pieces.append(body[at : at + step])
        at, turn = at + step, turn + 1
    reader = SseReader(OpenAiCompletions())
    assert_as_expected(name, reader.interpreter.facts, read(reader, pieces))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_word(data: bytes) -> None:
    completions = OpenAiCompletions()
    assert completions.event(data, data) in (NOTHING, UNREADABLE)
    assert completions.whole(data) in (NOTHING, UNREADABLE)


@pytest.mark.parametrize(
    ("choices", "found", "text_chars", "reasons"),
    [
        (b'[{"text":"ab","finish_reason":null}]', CONTENT, 2, []),
        (b'[{"text":"","finish_reason":"stop"}]', NOTHING, 0, ["stop"]),
        (b'[{"text":"","finish_reason":""}]', NOTHING, 0, []),
        (b'[{"text":null}]', NOTHING, 0, []),
        (b'[{"text":["ab"],"finish_reason":5}]', NOTHING, 0, []),
        # Two prompts at once: one piece, whoever's it is, and each its own reason.
        (
            b'[{"text":"ab","index":0,"finish_reason":"stop"},'
            b'{"text":"c","index":1,"finish_reason":"length"}]',
            CONTENT,
            3,
            ["stop", "length"],
        ),
        (b"[]", NOTHING, 0, []),
        (b"null", NOTHING, 0, []),
    ],
)
def test_what_choices_bring(
    choices: bytes, found: int, text_chars: int, reasons: list[str]
) -> None:
    completions = OpenAiCompletions()
    assert completions.event(b"", b'{"choices":%b}' % choices) == found
    assert completions.facts.text_chars == text_chars
    assert completions.facts.finish_reasons == reasons


def test_a_finish_reason_completes_and_the_usage_may_follow_it() -> None:
    completions = OpenAiCompletions()
    completions.event(b"", b'{"choices":[{"text":"a","finish_reason":null}]}')
    assert not completions.facts.is_complete
    completions.event(b"", b'{"choices":[{"text":"","finish_reason":"stop"}]}')
    completions.event(b"", b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}')
    assert completions.facts.is_complete
    assert not completions.facts.is_over
    assert completions.facts.usage == Usage(input_tokens=3, output_tokens=4)


def test_an_error_may_come_in_the_stream() -> None:
    completions = OpenAiCompletions()
    data = b'{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}'
    assert completions.event(b"", data) == NOTHING
    assert completions.facts.error == ProviderError(True, "BadRequestError", "400", "m")
    assert not completions.facts.is_complete


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b'{"choices":5}', b'{"choices":[5]}', b"[" * 60_000]
)
def test_what_is_no_completion_is_unreadable(data: bytes) -> None:
    completions = OpenAiCompletions()
    assert completions.event(b"", data) == UNREADABLE
    assert completions.whole(data) == UNREADABLE
    assert not completions.facts.is_complete
