"""What the simulated providers write, our readers read rightly: the two share no code."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sidecar.core.facts import AUDIO, CONTENT, REASONING, TOOL_CALL, Facts
from sidecar.dialects.choose import recipe_for
from sidecar.lab import dialects
from sidecar.lab.dialects import Dialect
from sidecar.lab.reply import Kind, Piece, Reply, Stamp, reply_to
from sidecar.lab.script import parse_model
from sidecar.metering.tokens import alike

STAMP = Stamp("0123456789abcdef" * 3, 1_748_488_070)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@dataclass(frozen=True)
class Case:
    dialect: Dialect
    family: str
    body: dict[str, object]
    tools: dict[str, object] | None = None
    thinks: bool = True


CASES = {
    "chat": Case(dialects.CHAT, "openai-chat", {"stream_options": {"include_usage": True}}, {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": "required",
    }),
    "responses": Case(dialects.RESPONSES, "openai-responses", {}, {
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
        "tool_choice": "required",
    }),
    "completions": Case(
        dialects.COMPLETIONS, "openai-completions", {"stream_options": {"include_usage": True}},
        thinks=False,
    ),
    "messages": Case(dialects.MESSAGES, "anthropic", {}, {
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any"},
    }),
    "gemini": Case(dialects.GENERATE, "gemini-stream", {}, {
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }),
    "gemini array": Case(dialects.GENERATE_ARRAY, "gemini-stream", {}),
    "cohere": Case(dialects.COHERE_CHAT, "cohere", {}, {
        "tools": [{"function": {"name": "f", "parameters": SCHEMA}}], "tool_choice": "REQUIRED",
    }),
    "ollama chat": Case(dialects.OLLAMA_CHAT, "ollama", {"messages": []}),
    "ollama generate": Case(dialects.OLLAMA_CHAT, "ollama", {"prompt": "hi"}),
    "bedrock": Case(dialects.CONVERSE, "bedrock-converse", {}, {
        "toolConfig": {
            "tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}}}],
            "toolChoice": {"any": {}},
        },
    }),
}  # fmt: skip
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
with_tools = pytest.mark.parametrize(
    "case", [c for c in CASES.values() if c.tools], ids=[n for n, c in CASES.items() if c.tools]
)


def reply_of(case: Case, items: str, **more: object) -> Reply:
    return reply_to(parse_model(f"mock{items}"), case.dialect.wish({**case.body, **more}))


def read(
    case: Case, pieces: list[bytes], content_type: str, status: int = 200
) -> tuple[Facts, list[int]]:
    recipe = recipe_for(case.family, status < 400, content_type.encode(), None)
    assert recipe is not None
    reader, facts = recipe.make()
    kinds = [kind for piece in pieces for kind in reader.feed(piece)]
    return facts, kinds + reader.end()


def streamed(case: Case, reply: Reply, **more: object) -> list[Piece]:
    return list(case.dialect.stream(reply, {**case.body, **more}, "mock", STAMP))


@cases
def test_a_stream_is_read_piece_by_piece(case: Case) -> None:
    items = ",tokens=20,reasoning=5" if case.thinks else ",tokens=20"
    reply = reply_of(case, items)
    pieces = streamed(case, reply)
    facts, kinds = read(case, [piece.data for piece in pieces], case.dialect.stream_type)
    assert len(kinds) == sum(piece.kind is Kind.GENERATED for piece in pieces) == 20
    assert kinds.count(REASONING) == len(reply.reasoning)
    assert facts.text_chars == len(reply.whole_text)
    assert facts.is_complete
    assert facts.error is None
    assert facts.usage is not None
    tokens = alike(facts.usage, case.family)
    assert tokens.output_tokens == 20
    assert tokens.input_tokens is not None
    assert facts.skipped == {}


@cases
def test_a_stream_that_is_cut_is_not_complete(case: Case) -> None:
    made = streamed(case, reply_of(case, ",tokens=9"))
    pieces = [piece.data for piece in made if piece.kind is not Kind.CLOSING]
    facts, kinds = read(case, pieces, case.dialect.stream_type)
    assert (len(kinds), facts.is_complete) == (9, False)


@cases
def test_an_error_in_a_stream_is_one(case: Case) -> None:
    reply = reply_of(case, ",tokens=9")
    pieces = [p.data for p in streamed(case, reply) if p.kind is not Kind.CLOSING][:4]
    pieces.append(case.dialect.failure(reply, case.body, "mock", STAMP, len(pieces)))
    facts, _ = read(case, pieces, case.dialect.stream_type)
    assert facts.error is not None
    assert facts.error.is_in_stream


@cases
def test_a_whole_answer_is_read(case: Case) -> None:
    reply = reply_of(case, ",tokens=20,reasoning=5" if case.thinks else ",tokens=20")
    body = case.dialect.whole(reply, case.body, "mock", STAMP)
    facts, kinds = read(case, [body], case.dialect.whole_type)
    assert len(kinds) <= 1 or case.family == "gemini-stream"
    assert facts.text_chars == len(reply.whole_text)
    assert facts.usage is not None
    assert alike(facts.usage, case.family).output_tokens == 20


@with_tools
def test_a_call_of_a_tool_is_read(case: Case) -> None:
    assert case.tools is not None
    reply = reply_of(case, "", **case.tools)
    assert reply.call is not None
    pieces = streamed(case, reply, **case.tools)
    facts, kinds = read(case, [piece.data for piece in pieces], case.dialect.stream_type)
    assert set(kinds) == {TOOL_CALL}
    assert facts.is_complete


@cases
@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_status_has_the_providers_own_body(case: Case, status: int) -> None:
    provider = case.dialect.provider
    for body in (provider.scripted_error(status, STAMP), provider.error(status, "no", "p", STAMP)):
        facts, _ = read(case, [body], "application/json", status)
        assert facts.error is not None
        assert facts.error.message
    assert provider.headers(STAMP, 5, status) is not None


@pytest.mark.parametrize(
    ("dialect", "family", "kind"),
    [
        (dialects.SPEECH, "openai-audio", AUDIO),
        (dialects.TRANSCRIPTS, "openai-audio", CONTENT),
        (dialects.PICTURES, "openai-images", CONTENT),
    ],
)
def test_sound_and_pictures_stream_too(dialect: Dialect, family: str, kind: int) -> None:
    case = Case(dialect, family, {"input": "hi"})
    reply = reply_of(case, ",tokens=6")
    pieces = streamed(case, reply)
    facts, kinds = read(case, [piece.data for piece in pieces], dialect.stream_type)
    assert set(kinds) == {kind}
    assert facts.is_complete
    assert facts.usage is not None
    assert facts.usage.output_tokens == 6
    facts, _ = read(case, [dialect.whole(reply, {}, "mock", STAMP)], dialect.whole_type)
    assert facts.is_complete
