"""The Responses API has the events of the recorded answers, in their order."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from sidecar.lab import responses
from sidecar.lab.reply import Kind, Piece, Stamp, reply_to
from sidecar.lab.script import parse_model

_RECORDED = Path(__file__).parents[1] / "transcripts"
_STAMP = Stamp("0123456789abcdef" * 3, 1_769_005_437)
_TOOL = {
    "type": "function",
    "name": "get_date",
    "description": "Return the current date",
    "parameters": {"properties": {}},
    "strict": True,
}


def _pieces(items: str, **body: object) -> list[Piece]:
    script = parse_model(f"mock{items}")
    reply = reply_to(script, responses.wish(body))
    return list(responses.stream(reply, body, script.model, _STAMP))


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


def _streamed(items: str, **body: object) -> list[tuple[str, Any]]:
    return _events(b"".join(piece.data for piece in _pieces(items, **body)))


def _recorded(name: str) -> list[tuple[str, Any]]:
    return _events((_RECORDED / f"openai-responses.openai.{name}.body").read_bytes())


def _order(events: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in groupby(name for name, _ in events)]


def test_the_events_of_a_text_come_in_the_recorded_order_with_the_recorded_fields() -> None:
    theirs, ours = _recorded("stream.01"), _streamed(",tokens=1", input="hi")
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (_, mine), (_, recorded) in zip(ours, theirs, strict=True):
        assert set(mine) == set(recorded)
    assert list(ours[-1][1]["response"]) == list(theirs[-1][1]["response"])
    assert (
        ours[-1][1]["response"]["output"][0].keys() == theirs[-1][1]["response"]["output"][0].keys()
    )


def test_the_events_of_a_tool_call_come_in_the_recorded_order() -> None:
    theirs = _recorded("stream.tools.01")
    ours = _streamed("", input="hi", tools=[_TOOL], tool_choice="required")
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (_, mine), (_, recorded) in zip(ours[2:6], theirs[2:6], strict=True):
        assert set(mine) == set(recorded)


def test_reasoning_is_an_item_of_its_own_before_the_message() -> None:
    events = _streamed(",tokens=9,reasoning=4", input="hi")
    theirs = _order(_recorded("stream.reasoning-tools.01"))
    begin = theirs.index("response.reasoning_summary_part.added")
    end = theirs.index("response.reasoning_summary_part.done")
    assert _order(events)[3:8] == [*theirs[begin : end + 1], "response.output_item.done"]
    output = events[-1][1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message"]
    assert events[-1][1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] == 4


def test_numbers_run_on_names_agree_and_nothing_says_done() -> None:
    events = _streamed(",tokens=9,reasoning=4", input="hi")
    assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
    assert all(name == event["type"] for name, event in events)
    assert b"[DONE]" not in _pieces(",tokens=9", input="hi")[-1].data


def test_only_deltas_are_generated_and_they_make_up_the_whole_text() -> None:
    pieces = _pieces(",tokens=9,reasoning=4", input="hi")
    generated = [piece.data for piece in pieces if piece.kind is Kind.GENERATED]
    assert len(generated) == 9
    assert all(b".delta\n" in data for data in generated)
    (*_, (_, completed)) = _streamed(",tokens=9,reasoning=4", input="hi")
    whole = completed["response"]["output"][1]["content"][0]["text"]
    deltas = [_events(data)[0][1]["delta"] for data in generated]
    assert "".join(deltas[4:]) == whole


def test_nothing_opens_after_the_first_generated_event_and_only_the_end_closes() -> None:
    kinds = [piece.kind for piece in _pieces(",tokens=6,reasoning=2", input="hi")]
    runs = [kind for kind, _ in groupby(kinds)]
    assert runs == [
        Kind.OPENING,
        Kind.GENERATED,
        Kind.BETWEEN,
        Kind.GENERATED,
        Kind.CLOSING,
    ]


def test_the_buffered_answer_is_the_one_that_the_stream_ends_with() -> None:
    body: dict[str, object] = {"input": "hi", "instructions": "be brief"}
    reply = reply_to(parse_model("mock,tokens=5"), responses.wish(body))
    whole = json.loads(responses.whole(reply, body, "mock,tokens=5", _STAMP))
    assert whole == _streamed(",tokens=5", **body)[-1][1]["response"]
    assert whole["instructions"] == "be brief"


def test_an_answer_cut_by_the_requests_limit_is_incomplete() -> None:
    name, event = _streamed("", input="hi", max_output_tokens=3)[-1]
    assert name == "response.incomplete"
    assert event["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_an_error_inside_a_stream_is_followed_by_failed_as_recorded() -> None:
    theirs = _recorded("stream.error-quota.01")[-2:]
    reply = reply_to(parse_model("mock"), responses.wish({}))
    ours = _events(responses.failure(reply, {}, "mock", _STAMP, 2))
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert [event["sequence_number"] for _, event in ours] == [2, 3]
    assert set(ours[0][1]["error"]) == set(theirs[0][1]["error"])
    assert set(ours[1][1]["response"]["error"]) == set(theirs[1][1]["response"]["error"])
    assert ours[1][1]["response"]["status"] == "failed"


def test_a_tools_result_ends_the_calling() -> None:
    said = [{"type": "function_call_output", "call_id": "c", "output": "1"}]
    assert responses.wish({"input": said}).has_tool_result
    assert not responses.wish({"input": "text"}).has_tool_result


@pytest.mark.parametrize("body", [{"input": 3, "tools": {}}, {"reasoning": "x", "tools": [1]}])
def test_a_strange_body_is_no_reason_to_break(body: dict[str, object]) -> None:
    assert responses.wish(body).tools == ()
    assert _streamed("", **body)
