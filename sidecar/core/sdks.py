"""Which variable turns each official SDK to us, and what path belongs behind our address.

Knows: one row for each environment variable, with the suffix that makes the SDK's own paths right.
Must not know: shells or processes; `sidecar env` prints these rows, `sidecar exec` will set them.
Why the suffixes differ: an SDK joins its own path to the base URL. OpenAI's base ends in /v1 and
its paths do not begin with it; Anthropic's is bare. Where the path that results, or the key that
comes with it, does not tell the provider, the suffix begins with the upstream's name, so that the
request cannot reach another provider (the Cohere SDK also calls /v1/chat, which would be OpenAI's).
Read in the sources of openai 3.54, anthropic 2.12, google-genai 3.4, groq 1.7, together 3.1,
cohere 7.3, ollama 0.6.3 and mistralai 3.7 on 2026-11-23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sdk:
    """One variable. `note` is a line for the person who pastes it; may be empty."""

    variable: str
    suffix: str
    reader: str
    """Which SDK reads the variable."""
    note: str = ""

    def value(self, base_url: str) -> str:
        """The variable's value for a sidecar at `base_url` (scheme://host:port)."""
        return base_url + self.suffix


SDKS: Final[tuple[Sdk, ...]] = (
    Sdk("OPENAI_BASE_URL", "/v1", "openai"),
    Sdk("OPENAI_API_BASE", "/v1", "openai before 1.0, LangChain, LiteLLM"),
    Sdk("ANTHROPIC_BASE_URL", "", "anthropic, Claude Code"),
    Sdk("GOOGLE_GEMINI_BASE_URL", "", "google-genai with an API key"),
    Sdk(
        "GOOGLE_VERTEX_BASE_URL",
        "/vertex",
        "google-genai with vertexai=True",
        "needs an upstream named vertex: its URL names a region",
    ),
    Sdk(
        "AZURE_OPENAI_ENDPOINT",
        "",
        "openai.AzureOpenAI with an API key",
        "needs an upstream for your resource; with Entra ID tokens add its name: /azure",
    ),
    Sdk("CO_API_URL", "/cohere", "cohere"),
    Sdk(
        "OLLAMA_HOST",
        "/ollama",
        "ollama",
        "not in the shell that runs `ollama serve`: it would listen there",
    ),
    Sdk("GROQ_BASE_URL", "/groq", "groq"),
    Sdk("TOGETHER_BASE_URL", "/together", "together", "together 1.x: add /v1"),
)


def mistral_argument(base_url: str) -> str:
    """The Mistral SDK reads no variable; this is what its constructor is given."""
    return f'Mistral(server_url="{base_url}/mistral")'
