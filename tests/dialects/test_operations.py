"""What a request asks for, by its path."""

from __future__ import annotations

import pytest

from sidecar.dialects.operations import Operation, operation_of


@pytest.mark.parametrize(
    ("path", "name", "family"),
    [
        ("/v1/chat/completions", "chat", "openai-chat"),
        ("/openai/deployments/d/chat/completions", "chat", "openai-chat"),
        ("/v1beta/openai/chat/completions", "chat", "openai-chat"),
        ("/v1/completions", "text_completion", "openai-completions"),
        ("/openai/v1/responses", "chat", "openai-responses"),
        ("/v1/messages", "chat", "anthropic"),
        ("/v1/embeddings", "embeddings", "openai-embeddings"),
        ("/v1beta/models/g:streamGenerateContent", "generate_content", "gemini-stream"),
        ("/v1/projects/p/publishers/anthropic/models/m:streamRawPredict", "chat", "anthropic"),
        ("/model/anthropic.claude%3A0/converse-stream", "chat", "bedrock-converse"),
        ("/model/m/invoke", "chat", "bedrock-invoke"),
        ("/v2/chat", "chat", "cohere"),
        ("/api/chat", "chat", "ollama"),
        ("/api/embed", "embeddings", "ollama"),
        ("/v1/audio/speech", "speech", "openai-audio"),
        ("/v1/images/edits", "image_generation", "openai-images"),
    ],
)  # fmt: skip
def test_the_end_of_the_path_tells(path: str, name: str, family: str) -> None:
    assert operation_of("POST", path) == Operation(name, family)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/files"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1beta/models/g:countTokens"),
        ("POST", "/"),
    ],
)
def test_where_nothing_is_generated_there_is_none(method: str, path: str) -> None:
    assert operation_of(method, path) is None


def test_a_stored_answer_is_fetched_and_not_made() -> None:
    fetched = operation_of("GET", "/v1/responses/resp_1")
    assert fetched == Operation("fetch_response", "openai-responses")


def test_the_messages_of_a_thread_are_no_answers() -> None:
    assert operation_of("POST", "/v1/threads/thread_1/messages") is None
