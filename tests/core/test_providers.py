"""Providers that need no configuration."""

from __future__ import annotations

import pytest

from sidecar.core.providers import KNOWN, identify


def test_every_row_is_found_under_its_own_name():
    assert all(name == known.name for name, known in KNOWN.items())


def test_the_known_names_are_those_that_the_documentation_lists():
    assert list(KNOWN) == [
        *("openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "xai", "openrouter"),
        *("cohere", "together", "fireworks", "perplexity", "cerebras", "moonshot", "ollama"),
    ]


def test_every_hosted_provider_is_reached_over_tls_at_a_bare_origin():
    for known in KNOWN.values():
        assert known.url.base_path == ""
        assert known.url.is_tls or known.url.is_loopback


def test_no_two_providers_share_an_origin_or_a_word():
    assert len({known.url for known in KNOWN.values()}) == len(KNOWN)
    assert len({known.provider for known in KNOWN.values()}) == len(KNOWN)


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("openai", "api.openai.com", ("openai", "openai")),
        ("x", "api.anthropic.com", ("anthropic", "anthropic")),
        ("openai", "api.groq.com", ("groq", "openai")),
        ("openai", "10.0.0.1", ("openai", "openai")),
        ("x", "acme.openai.azure.com", ("azure.ai.openai", "openai")),
        ("x", "acme.services.ai.azure.com", ("azure.ai.inference", "openai")),
        ("x", "europe-west4-aiplatform.googleapis.com", ("gcp.vertex_ai", "gemini")),
        ("x", "bedrock-runtime.eu-west-1.amazonaws.com", ("aws.bedrock", "bedrock")),
        ("azure", "gateway.example", ("azure.ai.openai", "openai")),
        ("x", "gateway.example", (None, "auto")),
        ("x", "127.0.0.1", (None, "auto")),
        ("ollama", "127.0.0.1", ("ollama", "ollama")),
    ],
)
def test_the_host_says_who_it_is_before_the_name_does(
    name: str, host: str, expected: tuple[str | None, str]
):
    assert identify(name, host) == expected
