"""Responses of six providers, read as recorded, and what no recording holds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import (
    AUDIO,
    CONTENT,
    NOTHING,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    TRANSCRIPT,
    UNREADABLE,
    ProviderError,
    Usage,
)
from sidecar.dialects.openai_responses import OpenAiResponses
from sidecar.dialects.sse import SseReader

from .transcripts import assert_as_expected, cuts, load, names, read

STREAMS = names("openai-responses", streamed=True)
BODIES = names("openai-responses", streamed=False)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_alike_however_it_is_cut(name: str) -> None:
    for pieces in cuts(name):
        reader = SseReader(OpenAiResponses())
        kinds = read(reader, pieces)
        assert_as_expected(name, reader.interpreter.facts, kinds)
        is_cut = ".truncated." in name
        assert reader.interpreter.facts.is_over is not is_cut


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_read(name: str) -> None:
    responses = OpenAiResponses()
    found = responses.whole(load(name)[1])
    responses.facts.events = int(found != UNREADABLE)
    assert_as_expected(name, responses.facts, [found] if found > 0 else [])


@given(st.sampled_from(STREAMS), st.lists(st.integers(1, 3000), min_size=1, max_size=20))
def test_random_cuts_change_nothing(name: str, steps: list[int]) -> None:
    body = load(name)[1]
    pieces, at, turn = [], 0, 0
    while at < len(body):
        step = steps[turn % len(steps)]
        pieces.append(body[at : at + step])
        at, turn = at + step, turn + 1
    reader = SseReader(OpenAiResponses())
    assert_as_expected(name, reader.interpreter.facts, read(reader, pieces))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_word(data: bytes) -> None:
    responses = OpenAiResponses()
    assert responses.event(data, data) in (NOTHING, UNREADABLE)
    assert responses.whole(data) in (NOTHING, UNREADABLE)


MEMBERS = st.sampled_from(
    [
        "type",
        "delta",
        "response",
        "error",
        "usage",
        "status",
        "output",
        "content",
        "text",
        "id",
        "incomplete_details",
        "reason",
        "model",
        "code",
        "message",
        "summary",
        "input_tokens",
    ]
)
ODD = [None, True, -1, 1.5, 1 << 60, "", "a", [], {}, [None], [{}], {"a": []}]
MEMBER_DICTS = st.dictionaries(MEMBERS, st.sampled_from(ODD), max_size=6)


@given(
    MEMBER_DICTS, MEMBERS, MEMBER_DICTS, st.sampled_from(["response.failed", "error", "message"])
)
def test_members_of_any_type_raise_nothing(
    outer: dict[str, object], member: str, inner: dict[str, object], kind: str
) -> None:
    for nested in (inner, [inner], {**inner, member: [inner]}):
        body = msgspec.json.encode({"type": kind, **outer, member: nested})
        OpenAiResponses().event(kind.encode(), body)
        OpenAiResponses().whole(body)
        OpenAiResponses().whole(b'{"output":[%b]}' % body)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (b"response.output_text.delta", CONTENT),
        (b"response.reasoning_text.delta", REASONING),
        (b"response.reasoning_summary_text.delta", REASONING),
        (b"response.refusal.delta", REFUSAL),
        (b"response.function_call_arguments.delta", TOOL_CALL),
        (b"response.custom_tool_call_input.delta", TOOL_CALL),
        (b"response.mcp_call_arguments.delta", TOOL_CALL),
        (b"response.code_interpreter_call_code.delta", TOOL_CALL),
        (b"response.shell_call_command.delta", TOOL_CALL),
        (b"response.apply_patch_call_operation_diff.delta", TOOL_CALL),
        (b"response.audio.delta", AUDIO),
        (b"response.audio.transcript.delta", TRANSCRIPT),
        (b"response.output_text.done", NOTHING),
        (b"response.function_call_arguments.done", NOTHING),
        # What a tool brings back was not generated.
        (b"response.shell_call_output_content.delta", NOTHING),
        (b"response.something_new.delta", NOTHING),
    ],
)
def test_what_a_delta_brings_with_or_without_its_name(kind: bytes, found: int) -> None:
    with_type = b'{"type":"%b","delta":"ab"}' % kind
    assert OpenAiResponses().event(b"", with_type) == found
    assert OpenAiResponses().event(kind, with_type) == found
    assert OpenAiResponses().event(kind, b'{"delta":"ab"}') == found
    for nothing in (b'""', b"null", b"{}", b"5", b'["ab"]'):
        assert OpenAiResponses().event(kind, b'{"delta":%b}' % nothing) == NOTHING


def test_only_visible_text_has_characters() -> None:
    responses = OpenAiResponses()
    for kind in (b"output_text", b"reasoning_text", b"refusal", b"audio.transcript"):
        responses.event(b"response.%b.delta" % kind, '{"delta":"añ😀"}'.encode())
    assert responses.facts.text_chars == 3


def test_a_picture_is_content_as_soon_as_a_part_of_it_is_there() -> None:
    data = b'{"type":"response.image_generation_call.partial_image","partial_image_b64":"%b"}'
    assert OpenAiResponses().event(b"", data % b"iVBO") == CONTENT
    assert OpenAiResponses().event(b"", data % b"") == NOTHING


@pytest.mark.parametrize(
    ("end", "reasons"),
    [
        (b'"type":"response.completed","response":{"status":"completed"}', ["completed"]),
        (b'"type":"response.completed"', ["completed"]),
        (b'"type":"response.completed","response":null', ["completed"]),
        (b'"type":"response.completed","response":{"status":[]}', ["completed"]),
        (b'"type":"response.completed","response":{"status":"cancelled"}', ["cancelled"]),
        (
            b'"type":"response.incomplete","response":{"status":"incomplete",'
            b'"incomplete_details":{"reason":"max_output_tokens"}}',
            ["max_output_tokens", "incomplete"],
        ),
        (
            b'"type":"response.incomplete","response":{"incomplete_details":5}',
            ["incomplete"],
        ),
        (b'"type":"response.failed","response":{"status":"failed"}', ["failed"]),
    ],
)
def test_the_three_ways_to_end(end: bytes, reasons: list[str]) -> None:
    responses = OpenAiResponses()
    assert responses.event(b"", b"{%b}" % end) == NOTHING
    facts = responses.facts
    assert (facts.is_over, facts.is_complete, facts.finish_reasons) == (True, True, reasons)


@pytest.mark.parametrize("status", [b"in_progress", b"queued"])
def test_a_response_that_begins_has_not_ended(status: bytes) -> None:
    responses = OpenAiResponses()
    data = b'{"response":{"status":"%b","model":"m","id":"r","usage":null}}' % status
    assert responses.event(b"response.%b" % status, data) == NOTHING
    facts = responses.facts
    assert (facts.is_over, facts.is_complete, facts.finish_reasons) == (False, False, [])
    assert (facts.model, facts.response_id, facts.usage) == ("m", "r", None)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"type":"error","code":"c","message":"m","param":null}', (None, "c", "m")),
        (b'{"type":"error","error":{"type":"t","code":"c","message":"m"}}', ("t", "c", "m")),
        (b'{"error":{"code":502,"message":"m"}}', (None, "502", "m")),
        (b'{"error":"m","code":"c"}', (None, "c", "m")),
        (
            b'{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}',
            (None, "c", "m"),
        ),
        (b'{"type":"error"}', (None, None, None)),
    ],
)
def test_how_errors_stand_in_a_stream(
    data: bytes, error: tuple[str | None, str | None, str | None]
) -> None:
    responses = OpenAiResponses()
    assert responses.event(b"", data) == NOTHING
    assert responses.facts.error == ProviderError(True, *error)
    assert not responses.facts.is_over or b"response.failed" in data


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (b'{"type":"message","content":[{"type":"output_text","text":"ab"}]}', CONTENT),
        (b'{"type":"message","content":[{"type":"output_text","text":""},null]}', NOTHING),
        (b'{"type":"message","content":[{"type":"refusal","refusal":"ab"}]}', REFUSAL),
        (b'{"type":"message","content":"ab"}', NOTHING),
        (b'{"type":"reasoning","summary":[{"type":"summary_text","text":"ab"}]}', REASONING),
        (b'{"type":"reasoning","summary":[],"content":[{"text":"ab"}]}', REASONING),
        (b'{"type":"reasoning","summary":[],"encrypted_content":"ab"}', NOTHING),
        (b'{"type":"function_call","name":"f","arguments":"{}"}', TOOL_CALL),
        (b'{"type":"mcp_call","name":"f"}', TOOL_CALL),
        (b'{"type":"function_call_output","output":"ab"}', NOTHING),
        (b'{"type":"image_generation_call","result":"iVBO"}', CONTENT),
        (b'{"type":"image_generation_call","result":null}', NOTHING),
        (b'{"type":5}', NOTHING),
        (b"null", NOTHING),
    ],
)
def test_what_an_item_of_a_whole_response_brings(item: bytes, found: int) -> None:
    assert OpenAiResponses().whole(b'{"output":[%b]}' % item) == found


def test_a_response_that_failed_is_an_error_though_its_status_promised_success() -> None:
    responses = OpenAiResponses()
    body = (
        b'{"status":"failed","output":[],"error":{"code":"server_error","message":"m"},'
        b'"usage":{"input_tokens":3}}'
    )
    assert responses.whole(body) == NOTHING
    assert responses.facts.error == ProviderError(False, None, "server_error", "m")
    assert responses.facts.finish_reasons == ["failed"]
    assert responses.facts.usage == Usage(input_tokens=3)


def test_a_response_that_is_worked_on_elsewhere_has_not_ended() -> None:
    responses = OpenAiResponses()
    assert responses.whole(b'{"status":"queued","model":"m","output":[]}') == NOTHING
    assert (responses.facts.finish_reasons, responses.facts.error) == ([], None)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b'{"response":5}', b'{"type":' + b"[" * 60_000]
)
def test_what_is_no_event_is_unreadable(data: bytes) -> None:
    assert OpenAiResponses().event(b"response.completed", data) == UNREADABLE


def read_in_pieces(stream: bytes) -> tuple[OpenAiResponses, list[int]]:
    responses = OpenAiResponses()
    step = 10_000
    kinds = read(
        SseReader(responses), (stream[at : at + step] for at in range(0, len(stream), step))
    )
    assert responses.facts.skipped.keys() <= {"event_too_large"}
    return responses, kinds


# These say themselves what they carry in front of their output, or behind it.
LONGER = [name for name in STREAMS if "error-quota" not in name and ".truncated." not in name]


@pytest.mark.parametrize("name", LONGER)
def test_of_a_last_event_that_is_too_long_what_matters_is_still_read(name: str) -> None:
    long_text = b'"output":[{"type":"message","content":[{"text":"%b"}]},' % (b"long\\n" * 30_000)
    head, mark, last = load(name)[1].rpartition(b'"type":"response.completed"')
    assert b'"output":[' in last
    responses, kinds = read_in_pieces(head + mark + last.replace(b'"output":[', long_text, 1))
    assert_as_expected(name, responses.facts, kinds)
    assert responses.facts.is_over
    assert responses.facts.skipped == {"event_too_large": 1}


@pytest.mark.parametrize("name", LONGER)
def test_nor_do_long_instructions_hide_the_model_or_the_usage(name: str) -> None:
    instructions = b'"response":{"instructions":"%b",' % (b"long\\n" * 30_000)
    responses, kinds = read_in_pieces(load(name)[1].replace(b'"response":{', instructions))
    assert responses.facts.skipped == {"event_too_large": 3}
    expected = load(name)[0]["expect"]
    usage = responses.facts.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (
        expected["input_tokens"],
        expected["output_tokens"],
    )
    assert responses.facts.is_over
    assert responses.facts.model == expected["model"]
    assert responses.facts.finish_reasons == ["completed"]
    assert len(kinds) == sum(
        expected[f"{kind}_events"] for kind in ("content", "reasoning", "tool_call")
    )


def test_of_a_long_event_the_model_is_found_in_front_or_behind() -> None:
    for members in (b'"model":"m","output":"%b"', b'"output":"%b","model":"m"'):
        data = b'{"type":"response.created","response":{%b}}' % (members % (b"x" * 100_000))
        responses, _ = read_in_pieces(b"data: %b\n\n" % data)
        assert responses.facts.model == "m"
        assert not responses.facts.is_over


def test_a_picture_that_is_too_long_is_content_all_the_same() -> None:
    data = b'{"type":"response.image_generation_call.partial_image","partial_image_b64":"%b"}'
    responses, kinds = read_in_pieces(b"data: %b\n\n" % (data % (b"iVBO" * 500_000)))
    assert kinds == [CONTENT]
    assert responses.facts.skipped == {"event_too_large": 1}


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100))
def test_any_ends_are_read_without_a_word(name: bytes, head: bytes, tail: bytes) -> None:
    assert OpenAiResponses().ends(name, head, tail) == NOTHING
    OpenAiResponses().ends(b"response.failed", b'{"response":{' + head, b'"usage":' + tail)
