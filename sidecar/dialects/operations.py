"""What a request asks for, and whose words its answer is written in: by method and path.

Knows: the ends of the providers' paths. Gateways put all kinds of things before them.
Must not know: bodies, or upstreams. A path that is not known here is still relayed; its answer is
only not read.
Names: gen_ai.operation.name of the semantic conventions where there is one, else our own word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Operation:
    """`family`: which interpreter reads the answer."""

    name: str
    family: str


_POST: Final[tuple[tuple[str, Operation], ...]] = (
    ("/chat/completions", Operation("chat", "openai-chat")),
    ("/completions", Operation("text_completion", "openai-completions")),
    ("/responses", Operation("chat", "openai-responses")),
    ("/messages", Operation("chat", "anthropic")),
    ("/v1/chat", Operation("chat", "cohere")),
    ("/v2/chat", Operation("chat", "cohere")),
    ("/api/chat", Operation("chat", "ollama")),
    ("/api/generate", Operation("text_completion", "ollama")),
    ("/api/embed", Operation("embeddings", "ollama")),
    ("/api/embeddings", Operation("embeddings", "ollama")),
    ("/v1/embed", Operation("embeddings", "cohere")),
    ("/v2/embed", Operation("embeddings", "cohere")),
    ("/v1/rerank", Operation("rerank", "cohere")),
    ("/v2/rerank", Operation("rerank", "cohere")),
    ("/embeddings", Operation("embeddings", "openai-embeddings")),
    ("/audio/transcriptions", Operation("transcription", "openai-audio")),
    ("/audio/translations", Operation("transcription", "openai-audio")),
    ("/audio/speech", Operation("speech", "openai-audio")),
    ("/images/generations", Operation("image_generation", "openai-images")),
    ("/images/edits", Operation("image_generation", "openai-images")),
    ("/images/variations", Operation("image_generation", "openai-images")),
    (":generateContent", Operation("generate_content", "gemini")),
    (":streamGenerateContent", Operation("generate_content", "gemini-stream")),
    (":embedContent", Operation("embeddings", "gemini")),
    (":batchEmbedContents", Operation("embeddings", "gemini")),
    (":rawPredict", Operation("chat", "anthropic")),
    (":streamRawPredict", Operation("chat", "anthropic")),
    ("/converse", Operation("chat", "bedrock-converse")),
    ("/converse-stream", Operation("chat", "bedrock-converse")),
    ("/invoke", Operation("chat", "bedrock-invoke")),
    ("/invoke-with-response-stream", Operation("chat", "bedrock-invoke")),
)
FETCH_RESPONSE: Final = Operation("fetch_response", "openai-responses")
_STORED_RESPONSE: Final = re.compile(r"/responses/[^/]+$")


@lru_cache(maxsize=1024)
def operation_of(method: str, path: str) -> Operation | None:
    """None where nothing is generated, or nothing that is known."""
    if method == "POST":
        for end, operation in _POST:
            if path.endswith(end):
                # The messages of a thread (OpenAI's assistants) are no answers.
                return None if "/threads/" in path else operation
    elif method == "GET" and _STORED_RESPONSE.search(path):
        # A stored answer, whole or resumed: its tokens were counted when it was made.
        return FETCH_RESPONSE
    return None


_TEMPLATE_BY_END: Final = {
    "/chat/completions": "/v1/chat/completions",
    "/completions": "/v1/completions",
    "/responses": "/v1/responses",
    "/messages": "/v1/messages",
    "/embeddings": "/v1/embeddings",
    "/converse": "/model/{model}/converse",
    "/converse-stream": "/model/{model}/converse-stream",
    "/invoke": "/model/{model}/invoke",
    "/invoke-with-response-stream": "/model/{model}/invoke-with-response-stream",
}


@lru_cache(maxsize=1024)
def route_template(method: str, path: str) -> str:
    """The path of a known operation without the names in it, alike behind all gateways:
    `/v1/chat/completions`, `/models/{model}:generateContent`; "" where none is known."""
    if method == "GET":
        return "/v1/responses/{response_id}" if _STORED_RESPONSE.search(path) else ""
    for end, _ in _POST:
        if path.endswith(end):
            if end.startswith(":"):
                return "/models/{model}" + end
            if end.startswith(("/audio/", "/images/")):
                return "/v1" + end
            return _TEMPLATE_BY_END.get(end, end)
    return ""
