"""The providers that need no configuration: name, origin, dialect, provider word, key form.

Knows: one row for each known name, with its public base URL.
Must not know: routing or key safety, which read these rows (`policies/routing`, `policies/keys`).
Sources of the origins: each provider's public API documentation, looked at 2026-11.
Words of `provider`: OpenTelemetry's gen_ai.provider.name where it has one (semantic conventions
v1.41), else the name itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sidecar.core.origin import Origin, parse_origin


@dataclass(frozen=True, slots=True)
class Known:
    """A provider that can be named without a URL."""

    name: str
    url: Origin
    dialect: str
    provider: str


def _known(name: str, url: str, dialect: str, provider: str) -> tuple[str, Known]:
    return name, Known(name, parse_origin(url), dialect, provider)


KNOWN: Final[dict[str, Known]] = dict(
    (
        _known("openai", "https://api.openai.com", "openai", "openai"),
        _known("anthropic", "https://api.anthropic.com", "anthropic", "anthropic"),
        _known("gemini", "https://generativelanguage.googleapis.com", "gemini", "gcp.gemini"),
        _known("mistral", "https://api.mistral.ai", "openai", "mistral_ai"),
        _known("groq", "https://api.groq.com", "openai", "groq"),
        _known("deepseek", "https://api.deepseek.com", "openai", "deepseek"),
        _known("xai", "https://api.x.ai", "openai", "x_ai"),
        _known("openrouter", "https://openrouter.ai", "openai", "openrouter"),
        _known("cohere", "https://api.cohere.com", "cohere", "cohere"),
        _known("together", "https://api.together.xyz", "openai", "together"),
        _known("fireworks", "https://api.fireworks.ai", "openai", "fireworks"),
        _known("perplexity", "https://api.perplexity.ai", "openai", "perplexity"),
        _known("cerebras", "https://api.cerebras.ai", "openai", "cerebras"),
        _known("moonshot", "https://api.moonshot.ai", "openai", "moonshot"),
        _known("ollama", "http://127.0.0.1:11434", "ollama", "ollama"),
    )
)

# Hosts of providers that need a URL because it names an account or a region.
_SUFFIXES: Final[tuple[tuple[str, str, str], ...]] = (
    (".openai.azure.com", "azure.ai.openai", "openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai", "openai"),
    (".services.ai.azure.com", "azure.ai.inference", "openai"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai", "gemini"),
)

# Names that say what an upstream is although its URL must be given.
_NAMES: Final[dict[str, tuple[str, str]]] = {
    "azure": ("azure.ai.openai", "openai"),
    "vertex": ("gcp.vertex_ai", "gemini"),
    "bedrock": ("aws.bedrock", "bedrock"),
}


def identify(name: str, host: str) -> tuple[str | None, str]:
    """(provider word or None, dialect or "auto") of an upstream by its host, else by its name.

    The host speaks first: an upstream named `openai` with the URL of another known provider is
    that other provider.
    """
    for known in KNOWN.values():
        if known.url.host == host and not known.url.is_loopback:
            return known.provider, known.dialect
    for suffix, provider, dialect in _SUFFIXES:
        if host.endswith(suffix):
            return provider, dialect
    if host.startswith("bedrock-runtime.") and ".amazonaws.com" in host:
        return "aws.bedrock", "bedrock"
    if name in KNOWN:
        return KNOWN[name].provider, KNOWN[name].dialect
    return _NAMES.get(name, (None, "auto"))
