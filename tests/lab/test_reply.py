"""What is said depends on the script and the request, and on nothing else."""

from __future__ import annotations

import json

import pytest

from sidecar.lab.reply import (
    DEFAULT_TOKENS,
    Reply,
    Wish,
    example_of,
    fill,
    generated_s,
    reply_to,
)
from sidecar.lab.script import parse_model

_WISH = Wish(input_chars=40)
_TOOLS = (("first", None), ("weather", {"properties": {"city": {"type": "string"}}}))


def _reply(items: str, wish: Wish = _WISH) -> Reply:
    return reply_to(parse_model(f"mock{items}"), wish)


def test_tokens_include_reasoning() -> None:
    reply = _reply(",tokens=10,reasoning=4")
    assert (len(reply.reasoning), len(reply.text), reply.output_tokens) == (4, 6, 10)
    assert reply.input_tokens == 10


def test_the_same_request_has_the_same_answer() -> None:
    assert _reply(",tokens=300") == _reply(",tokens=300")


def test_a_text_holds_characters_of_all_lengths_in_utf8() -> None:
    lengths = {len(char.encode()) for char in _reply(",tokens=60").whole_text}
    assert lengths == {1, 2, 3, 4}


def test_the_requests_limit_cuts_the_default_length_but_not_a_scripted_one() -> None:
    limited = Wish(input_chars=0, max_tokens=3)
    assert (_reply("", limited).output_tokens, _reply("", limited).is_cut_short) == (3, True)
    assert _reply(",tokens=9", limited).output_tokens == 9
    assert not _reply(",tokens=9", limited).is_cut_short
    assert _reply("", _WISH).output_tokens == DEFAULT_TOKENS


def test_a_model_told_to_think_thinks_a_quarter() -> None:
    assert len(_reply(",tokens=20", Wish(input_chars=0, thinks=True)).reasoning) == 5
    assert _reply(",tokens=20,reasoning=0", Wish(input_chars=0, thinks=True)).reasoning == ()


def test_a_tool_is_called_when_the_request_or_the_script_demands_it() -> None:
    named = _reply("", Wish(0, tools=_TOOLS, must_call="weather"))
    assert named.call is not None
    assert named.call.name == "weather"
    assert json.loads("".join(named.call.arguments)) == {"city": "Zürich"}
    assert named.text == ()
    assert named.output_tokens == 1 + len(named.call.arguments)
    anyone = _reply("", Wish(0, tools=_TOOLS, must_call=""))
    assert anyone.call is not None
    assert anyone.call.name == "first"
    assert _reply(",tools", Wish(0, tools=_TOOLS)).call is not None


def test_no_tool_is_called_unasked_nor_for_ever() -> None:
    assert _reply("", Wish(0, tools=_TOOLS)).call is None
    assert _reply(",tools").call is None
    assert _reply(",tools", Wish(0, tools=_TOOLS, has_tool_result=True)).call is None


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string"}, "Zürich"),
        ({"type": ["integer", "null"]}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 3}, 3),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"properties": {"n": {"type": "number"}}}, {"n": 2.5}),
        ({"$ref": "#/elsewhere"}, {}),
        (None, {}),
    ],
)
def test_arguments_follow_the_schema(schema: object, example: object) -> None:
    assert example_of(schema) == example


def test_a_schema_that_contains_itself_ends() -> None:
    schema: dict[str, object] = {}
    schema["properties"] = {"child": schema}
    assert isinstance(example_of(schema), dict)


def test_padding_hides_the_length() -> None:
    assert {len(text + fill(text)) for text in ("", "a", " word", "x" * 15)} == {16}


def test_a_buffered_answer_takes_as_long_as_its_stream_would() -> None:
    script = parse_model("mock,ttft=200ms,gap=10ms")
    assert generated_s(script, 11) == pytest.approx(0.3)
    assert generated_s(script, 0) == 0.2
