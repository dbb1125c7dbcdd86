"""Parameters of requests, called alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.asked import MAX_BODY_BYTES, parameters

R = "gen_ai.request."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"n": 2, "seed": 7, "max_completion_tokens": 5, "temperature": 1, "top_p": 0.5,
             "frequency_penalty": -1, "presence_penalty": 0.5, "stop": ["a", "b"],
             "response_format": {"type": "json_schema"}},
            {R + "choice.count": 2, R + "seed": 7, R + "max_tokens": 5, R + "temperature": 1.0,
             R + "top_p": 0.5, R + "frequency_penalty": -1.0, R + "presence_penalty": 0.5,
             R + "stop_sequences": ("a", "b"), "gen_ai.output.type": "json"},
        ),
        ({"n": 1, "stop": "x"}, {R + "stop_sequences": ("x",)}),
        (
            {"max_output_tokens": 4, "text": {"format": {"type": "text"}},
             "conversation": {"id": "c"}},
            {R + "max_tokens": 4, "gen_ai.output.type": "text", "gen_ai.conversation.id": "c"},
        ),
        (
            {"max_tokens": 9, "top_k": 5, "stop_sequences": ["z"]},
            {R + "max_tokens": 9, R + "top_k": 5, R + "stop_sequences": ("z",)},
        ),
        (
            {"generationConfig": {"candidateCount": 3, "maxOutputTokens": 8, "topK": 40,
                                  "topP": 0.9, "stopSequences": ["q"],
                                  "responseMimeType": "application/json"}},
            {R + "choice.count": 3, R + "max_tokens": 8, R + "top_k": 40, R + "top_p": 0.9,
             R + "stop_sequences": ("q",), "gen_ai.output.type": "json"},
        ),
        (
            {"inferenceConfig": {"maxTokens": 6, "temperature": 0.2, "topP": 0.1}},
            {R + "max_tokens": 6, R + "temperature": 0.2, R + "top_p": 0.1},
        ),
        (
            {"options": {"num_predict": 2, "top_k": 3, "stop": ["s"]}, "format": "json"},
            {R + "max_tokens": 2, R + "top_k": 3, R + "stop_sequences": ("s",),
             "gen_ai.output.type": "json"},
        ),
        ({"p": 0.75, "k": 12}, {R + "top_p": 0.75, R + "top_k": 12}),
        # What is of another type is left out.
        ({"temperature": "hot", "seed": True, "stop": [1], "n": 1.5, "generationConfig": 3}, {}),
        ([], {}),
    ],
)  # fmt: skip
def test_each_dialect_says_it_in_its_own_words(body: object, expected: dict[str, object]) -> None:
    assert parameters(json.dumps(body).encode(), "chat", None) == expected


def test_embeddings_have_parameters_of_their_own() -> None:
    body = b'{"dimensions": 256, "encoding_format": "base64"}'
    assert parameters(body, "embeddings", None) == {
        "gen_ai.embeddings.dimension.count": 256,
        "gen_ai.request.encoding_formats": ("base64",),
    }
    assert parameters(body, "chat", None) == {}


def test_the_service_tier_is_openais() -> None:
    body = b'{"service_tier": "flex"}'
    assert parameters(body, "chat", "openai") == {"openai.request.service_tier": "flex"}
    assert parameters(body, "chat", "groq") == {}
    assert parameters(b'{"service_tier": "auto"}', "chat", "openai") == {}


def test_of_a_body_that_is_too_large_or_broken_nothing_is_told() -> None:
    large = b'{"seed": 1, "x": "' + b"y" * MAX_BODY_BYTES + b'"}'
    for body in (large, b"", b"{", b"\xff", b"[" * 100_000):
        assert parameters(body, "chat", "openai") == {}


@given(st.binary(max_size=200))
def test_no_bytes_break_it(junk: bytes) -> None:
    parameters(junk, "chat", "openai")
