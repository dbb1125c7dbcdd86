"""The SDKs' variables lead where the provider of that SDK is served."""

from __future__ import annotations

import pytest

from sidecar.core.providers import KNOWN
from sidecar.core.sdks import SDKS, mistral_argument
from sidecar.policies.keys import UNMARKED, Mark
from sidecar.policies.routing import Asked, Choice, Routed, Router

BASE = "http://127.0.0.1:8484"
ANTHROPIC = Mark(by_api="anthropic")
GOOGLE = Mark(by_key=frozenset({"gcp.gemini", "gcp.vertex_ai"}))
AZURE = Mark(by_key=frozenset({"azure.ai.openai"}))
GROQ = Mark(frozenset({"groq"}), frozenset({"groq"}))

# (variable, path that the SDK appends, mark of its requests, upstream, path that must arrive)
CALLS = [
    ("OPENAI_BASE_URL", "/responses", UNMARKED, "openai", "/v1/responses"),
    ("OPENAI_API_BASE", "/chat/completions", UNMARKED, "openai", "/v1/chat/completions"),
    ("ANTHROPIC_BASE_URL", "/v1/messages", ANTHROPIC, "anthropic", "/v1/messages"),
    ("ANTHROPIC_BASE_URL", "/v1/models", ANTHROPIC, "anthropic", "/v1/models"),
    ("GOOGLE_GEMINI_BASE_URL", "/v1beta/models/m:f", GOOGLE, "gemini", "/v1beta/models/m:f"),
    ("GOOGLE_GEMINI_BASE_URL", "/upload/v1beta/files", GOOGLE, "gemini", "/upload/v1beta/files"),
    ("GOOGLE_VERTEX_BASE_URL", "/v1beta1/projects/p", UNMARKED, "vertex", "/v1beta1/projects/p"),
    ("AZURE_OPENAI_ENDPOINT", "/openai/v1/responses", AZURE, "azure", "/openai/v1/responses"),
    ("AZURE_OPENAI_ENDPOINT", "/openai/deployments/d", AZURE, "azure", "/openai/deployments/d"),
    ("CO_API_URL", "/v2/chat", UNMARKED, "cohere", "/v2/chat"),
    ("CO_API_URL", "/v1/chat", UNMARKED, "cohere", "/v1/chat"),
    ("OLLAMA_HOST", "/api/tags", UNMARKED, "ollama", "/api/tags"),
    ("GROQ_BASE_URL", "/openai/v1/models", GROQ, "groq", "/openai/v1/models"),
    ("TOGETHER_BASE_URL", "/v1/models", UNMARKED, "together", "/v1/models"),
]


def router() -> Router:
    choices = [Choice(known.name, known.provider) for known in KNOWN.values()]
    choices += [Choice("azure", "azure.ai.openai"), Choice("vertex", "gcp.vertex_ai")]
    return Router((), choices)


@pytest.mark.parametrize(("variable", "path", "mark", "upstream", "arrives"), CALLS)
def test_what_an_sdk_appends_reaches_its_own_provider_with_its_own_path(
    variable: str, path: str, mark: Mark, upstream: str, arrives: str
):
    sdk = next(sdk for sdk in SDKS if sdk.variable == variable)
    target = sdk.value(BASE)[len(BASE) :] + path
    routed = router().route(Asked("POST", target, mark))
    assert isinstance(routed, Routed)
    assert (routed.upstream, routed.target) == (upstream, arrives)


def test_every_variable_is_tried_above():
    assert {sdk.variable for sdk in SDKS} == {call[0] for call in CALLS}


def test_each_variable_has_one_row():
    names = [sdk.variable for sdk in SDKS]
    assert len(names) == len(set(names))


def test_mistral_is_told_by_its_constructor():
    assert mistral_argument(BASE) == 'Mistral(server_url="http://127.0.0.1:8484/mistral")'
