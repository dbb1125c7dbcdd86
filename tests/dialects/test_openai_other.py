"""Embeddings, transcripts, speech and pictures: as recorded, and as declared where they stream."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import AUDIO, CONTENT, NOTHING, UNREADABLE, ProviderError, Usage
from sidecar.dialects.openai_other import OpenAiOther
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, load, names, read

DIALECTS = ("openai-embeddings", "openai-audio", "openai-images")
BODIES = names(*DIALECTS, streamed=False)
RECORDED_STREAMS = names(*DIALECTS, streamed=True)


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    known, body = load(name)
    other = OpenAiOther()
    found = other.whole(body)
    other.facts.events = int(found != UNREADABLE)
    if "voyage.error" in name:
        # Its words stand under `detail`, which the expectation does not look into.
        error = other.facts.error
        assert error is not None
        assert error.message == msgspec.json.decode(body)["detail"]
        other.facts.error = msgspec.structs.replace(
            error, message=known["expect"]["error"]["message"]
        )
    assert_as_expected(name, other.facts, [found] if found > 0 else [])


@pytest.mark.parametrize("name", RECORDED_STREAMS)
def test_a_body_that_is_sent_piece_by_piece_says_nothing_if_it_is_sound(name: str) -> None:
    body = load(name)[1]
    other = OpenAiOther()
    assert other.whole(body) == NOTHING
    assert_as_expected(name, other.facts, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Hello {you}.",
        b"1\n00:00:00,000 --> 00:00:01,000\nHello\n",
        b"\xff\xfb\x90",
        b"{\x13\0",
    ],
)
def test_what_is_no_json_is_an_answer_that_says_nothing(body: bytes) -> None:
    other = OpenAiOther()
    assert other.whole(body) == NOTHING
    assert other.facts.is_complete
    assert (other.facts.text_chars, other.facts.usage, other.facts.error) == (0, None, None)


@pytest.mark.parametrize(
    "body", [b'{"data":[1,', b"[", b' {"text":"a', b'{"x":' + b"[" * 60_000, b'{"text":"\xff"}']
)
def test_json_that_breaks_off_is_unreadable(body: bytes) -> None:
    other = OpenAiOther()
    assert other.whole(body) == UNREADABLE
    assert not other.facts.is_complete


def test_a_picture_that_is_asked_for_whole_tells_its_usage() -> None:
    other = OpenAiOther()
    body = (
        b'{"created":1,"data":[{"b64_json":"iVBO"}],"usage":{"total_tokens":60,"input_tokens":10,'
        b'"output_tokens":50,"input_tokens_details":{"text_tokens":4,"image_tokens":6}}}'
    )
    assert other.whole(body) == NOTHING
    assert other.facts.usage == Usage(input_tokens=10, output_tokens=50, total_tokens=60)
    assert other.facts.error is None


def sse(*events: bytes) -> bytes:
    return b"".join(b"data: %b\r\n\r\n" % event for event in events)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_transcript_streams(step: int) -> None:
    stream = sse(
        b'{"type":"transcript.text.delta","delta":"I "}',
        '{"type":"transcript.text.delta","delta":"señ"}'.encode(),
        b'{"type":"transcript.text.delta","delta":""}',
        b'{"type":"transcript.text.done","text":"I se\\u00f1","usage":{"type":"tokens",'
        b'"total_tokens":45,"input_tokens":14,"output_tokens":31,"input_token_details":'
        b'{"text_tokens":0,"audio_tokens":14}}}',
        b"[DONE]",
    )
    reader = SseReader(OpenAiOther())
    kinds = read(reader, (stream[at : at + step] for at in range(0, len(stream), step)))
    facts = reader.interpreter.facts
    assert kinds == [CONTENT, CONTENT]
    assert (facts.events, facts.text_chars) == (4, 5)
    assert facts.usage == Usage(input_tokens=14, output_tokens=31, total_tokens=45)
    assert facts.is_over
    assert facts.is_complete


def test_a_segment_counts_unless_its_deltas_did() -> None:
    segment = b'{"type":"transcript.text.segment","text":"ab","speaker":"A"}'
    alone, after = OpenAiOther(), OpenAiOther()
    assert alone.event(b"", segment) == CONTENT
    assert alone.event(b"", segment) == CONTENT
    assert alone.facts.text_chars == 4
    assert after.event(b"", b'{"type":"transcript.text.delta","delta":"ab"}') == CONTENT
    assert after.event(b"", segment) == NOTHING
    assert after.facts.text_chars == 2


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        (b"", b'{"type":"speech.audio.delta","audio":"AAAA"}', AUDIO),
        (b"", b'{"type":"speech.audio.delta","audio":""}', NOTHING),
        (b"speech.audio.delta", b'{"audio_data":"AAAA"}', AUDIO),
        (b"", b'{"type":"transcription.text.delta","text":"ab"}', CONTENT),
        (b"", b'{"type":"transcription.language","audio_language":"en"}', NOTHING),
        (b"", b'{"type":"image_generation.partial_image","b64_json":"iVBO"}', CONTENT),
        (b"image_edit.partial_image", b'{"b64_json":"iVBO"}', CONTENT),
        (b"", b'{"type":"image_edit.partial_image","b64_json":null}', NOTHING),
        (b"", b'{"object":"transcription.chunk","choices":[{"delta":{"content":"ab"}}]}', CONTENT),
        (b"", b'{"object":"transcription.chunk","choices":[{"delta":{"content":5}},5]}', NOTHING),
        (b"", b'{"object":"transcription.chunk","choices":5}', NOTHING),
        (b"", b'{"type":[],"delta":"ab"}', NOTHING),
    ],
)
def test_what_an_event_brings(name: bytes, data: bytes, found: int) -> None:
    other = OpenAiOther()
    assert other.event(name, data) == found
    assert not other.facts.is_over
    assert not other.facts.is_complete


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (b"transcript.text.done", NOTHING),
        (b"transcription.done", NOTHING),
        (b"speech.audio.done", NOTHING),
        (b"image_generation.completed", CONTENT),
        (b"image_edit.completed", CONTENT),
    ],
)
def test_the_last_event_brings_the_usage(kind: bytes, found: int) -> None:
    other = OpenAiOther()
    data = b'{"type":"%b","b64_json":"iVBO","text":"ab","usage":{"input_tokens":1}}'
    assert other.event(b"", data % kind) == found
    assert other.facts.usage == Usage(input_tokens=1)
    assert (other.facts.is_over, other.facts.is_complete) == (True, True)
    assert other.facts.text_chars == 0


def test_a_transcript_in_the_manner_of_a_chat_is_complete_with_its_finish_reason() -> None:
    other = OpenAiOther()
    data = b'{"model":"m","choices":[{"delta":{"content":""},"finish_reason":"stop"}]}'
    assert other.event(b"", data) == NOTHING
    assert (other.facts.model, other.facts.finish_reasons) == ("m", ["stop"])
    assert other.facts.is_complete


def test_an_error_may_come_in_the_stream() -> None:
    other = OpenAiOther()
    data = b'{"type":"error","error":{"type":"image_generation_error","code":"c","message":"m"}}'
    assert other.event(b"error", data) == NOTHING
    assert other.facts.error == ProviderError(True, "image_generation_error", "c", "m")
    assert not other.facts.is_complete


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b'{"x":' + b"[" * 60_000])
def test_what_is_no_event_is_unreadable(data: bytes) -> None:
    assert OpenAiOther().event(b"", data) == UNREADABLE


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_word(data: bytes) -> None:
    other = OpenAiOther()
    assert other.event(data, data) in (NOTHING, UNREADABLE)
    assert other.whole(data) in (NOTHING, UNREADABLE)


USAGE = b'"usage":{"input_tokens":10,"output_tokens":50}'


@pytest.mark.parametrize("kind", [b"image_generation", b"image_edit"])
def test_pictures_stream_though_each_is_too_long_to_be_kept(kind: bytes) -> None:
    picture = b"iVBO" * 300_000
    stream = (
        b'event: %b.partial_image\ndata: {"b64_json":"%b","type":"%b.partial_image"}\n\n'
        b'event: %b.completed\ndata: {"type":"%b.completed","b64_json":"%b",%b}\n\n'
    ) % (kind, picture, kind, kind, kind, picture, USAGE)
    reader = SseReader(OpenAiOther())
    kinds = read(reader, (stream[at : at + 65_536] for at in range(0, len(stream), 65_536)))
    facts = reader.interpreter.facts
    assert kinds == [CONTENT, CONTENT]
    assert facts.usage == Usage(10, 50)
    assert (facts.is_over, facts.is_complete, facts.events) == (True, True, 2)
    assert facts.skipped == {"event_too_large": 2}


def test_sound_that_is_too_long_to_be_kept_is_sound() -> None:
    assert (
        OpenAiOther().ends(b"", b'{"type":"speech.audio.delta","audio":"AAAA', b'AAAA"}') == AUDIO
    )


@pytest.mark.parametrize(
    ("head", "tail", "is_complete", "model", "usage"),
    [
        (b'{"data":[{"b64_json":"iV', b'BO"}],%b}' % USAGE, True, None, Usage(10, 50)),
        (
            b'{"data":[[0.',
            b'5]],"model":"m","object":"list","usage":{"prompt_tokens":8}}',
            True,
            "m",
            Usage(8),
        ),
        (
            b'{"object":"list","model":"m","data":[[0.',
            b'5]],"usage":{"prompt_tokens":8}}',
            True,
            "m",
            Usage(8),
        ),
        (b'{"data":[{"b64_json":"iV', b"iViViV", False, None, None),
    ],
)
def test_of_a_body_that_is_too_long_its_ends_say_enough(
    head: bytes, tail: bytes, is_complete: bool, model: str | None, usage: Usage | None
) -> None:
    other = OpenAiOther()
    assert other.ends(b"", head, tail) == NOTHING
    facts = other.facts
    assert (facts.is_complete, facts.model, facts.usage) == (is_complete, model, usage)
    assert not facts.is_over


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100))
def test_any_ends_are_read_without_a_word(name: bytes, head: bytes, tail: bytes) -> None:
    assert OpenAiOther().ends(name, head, tail) == NOTHING
    OpenAiOther().ends(name, b'{"model":' + head, b'"usage":' + tail)
