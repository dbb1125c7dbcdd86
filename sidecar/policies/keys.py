"""Whose key is this? What a request says about the provider it is meant for.

Knows: the marks that providers' requests bear: forms of keys and headers that one provider alone
uses.
Must not know: upstreams or routes; `routing` holds the mark against them.
Why: "keys stay home". A key sent to a stranger is spent: it must be revoked. So a mark decides
where a request may go at all, before any path is looked at.
Two strengths. A *key* mark says who can read the credential (a key's form, or a header that only
one family of providers takes keys in). The header `anthropic-version` names an API that several
providers speak (DeepSeek, OpenRouter, Ollama… offer it under their own names), so it chooses a
provider only where nothing else does, and never forbids an upstream that the caller named.
Key forms: each provider's public documentation, looked at 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

ANTHROPIC: Final = "anthropic"
AZURE: Final = "azure.ai.openai"
GEMINI: Final = "gcp.gemini"
VERTEX: Final = "gcp.vertex_ai"

_FORMS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("sk-ant-", frozenset({ANTHROPIC})),
    ("sk-or-", frozenset({"openrouter"})),
    ("gsk_", frozenset({"groq"})),
    ("xai-", frozenset({"x_ai"})),
    # Google's API keys and OAuth tokens open both of its APIs; the path says which is meant.
    ("AIza", frozenset({GEMINI, VERTEX})),
    ("ya29.", frozenset({GEMINI, VERTEX})),
)
_AZURE_FAMILY: Final = frozenset({AZURE, "azure.ai.inference"})
_GOOGLE_FAMILY: Final = frozenset({GEMINI, VERTEX})


@dataclass(frozen=True, slots=True)
class Mark:
    """The providers that a request can be meant for, by what it carries.

    `by_form`: by the form of its key (None: no known form). `by_key`: by the form, or else by the
    header that the key came in. `by_api`: anthropic, where only `anthropic-version` speaks.
    Empty sets: two keys that contradict each other; no upstream may have both.
    """

    by_form: frozenset[str] | None = None
    by_key: frozenset[str] | None = None
    by_api: str | None = None


UNMARKED: Final = Mark()


def read_mark(
    credentials: Iterable[tuple[bytes, bytes]], query: str, has_anthropic_version: bool
) -> Mark:
    """`credentials`: (header name in lower case, value) of the request; `query`: raw."""
    by_form: frozenset[str] | None = None
    by_header: frozenset[str] | None = None
    for name, value in credentials:
        if name == b"authorization":
            # The last word, whatever scheme or white space stands before it: what a provider may
            # read as a key is held for one. (Of Basic it is base64, which has no known form.)
            value = value.split()[-1] if value.strip() else b""
        elif name == b"api-key":
            by_header = _meet(by_header, _AZURE_FAMILY)
        elif name == b"x-goog-api-key":
            by_header = _meet(by_header, _GOOGLE_FAMILY)
        by_form = _meet(by_form, _by_form(value.decode("latin-1")))
    for pair in query.split("&") if query else ():
        member, _, key = pair.partition("=")
        if _is_key(member):
            by_form = _meet(by_form, _by_form(unquote(key)))
    by_key = by_form if by_form is not None else by_header
    by_api = ANTHROPIC if has_anthropic_version and by_key is None else None
    if by_key is None and by_api is None:
        return UNMARKED
    return Mark(by_form, by_key, by_api)


def _by_form(token: str) -> frozenset[str] | None:
    for prefix, providers in _FORMS:
        if token.startswith(prefix):
            return providers
    return None


def _meet(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _is_key(name: str) -> bool:
    """Also where it is percent-encoded: the provider decodes it."""
    return name == "key" or ("%" in name and unquote(name) == "key")


def drop_query_key(target: str) -> str:
    """The raw target without its `key=` pairs; all other bytes stay."""
    path, mark, query = target.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if not _is_key(pair.partition("=")[0])]
    if not mark or len(kept) == len(pairs):
        return target
    return f"{path}?{'&'.join(kept)}" if kept else path
