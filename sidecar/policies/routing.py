"""Which upstream a request goes to: the YAML's routes first, then the built-in table.

Knows: the rules of a route, the built-in table, and key safety: a request that bears one
provider's mark goes to that provider or nowhere.
Must not know: connections or bodies; the model is handed in where a rule asks for it.
Why refusals name the fix: somebody reads them who has just set OPENAI_BASE_URL and wonders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from sidecar.core.outcome import Reason, Refusal
from sidecar.policies import keys

BUILT_IN: Final = "built-in"


@dataclass(frozen=True, slots=True)
class Match:
    """`match:` of a route. All that is given must hold; `*` is a wildcard in patterns."""

    path: str | None = None
    """The whole path, without query; `/v1/*` also matches all below."""
    prefix: str | None = None
    """Whole segments: `/azure` matches `/azure` and `/azure/x`, not `/azures`."""
    method: str | None = None
    header: tuple[tuple[str, str], ...] = ()
    """(name in lower case, pattern of the value)"""
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `routes:`."""

    name: str
    to: str
    """Name of an upstream."""
    match: Match = field(default_factory=Match)
    strip_prefix: bool = False
    """True: `match.prefix` is taken off the path."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A name, and what key safety has to know of it."""

    name: str
    provider: str | None
    """None = unknown."""


class Asked(NamedTuple):
    """What routing may look at. Made once per request, like Routed: as tuples they cost a third of
    a frozen dataclass."""

    method: str
    target: str
    """Raw path and query."""
    mark: keys.Mark
    headers: Mapping[str, str] = MappingProxyType({})
    """Lower-cased names; only filled where a rule matches on headers."""
    model: str | None = None
    """Only filled where a rule matches on the model."""


class Routed(NamedTuple):
    """Where to, under which route's name, and the raw target to send there."""

    upstream: str
    route: str
    target: str


# (path pattern, provider word, what the upstream is usually called)
_PATHS: Final[tuple[tuple[str, str, str], ...]] = (
    ("/openai/deployments/*", keys.AZURE, "azure"),
    ("/v1/messages*", keys.ANTHROPIC, "anthropic"),
    ("/v1beta/*", keys.GEMINI, "gemini"),
    ("/v1/projects/*", keys.VERTEX, "vertex"),
    ("/v1beta1/projects/*", keys.VERTEX, "vertex"),
    ("/model/*", "aws.bedrock", "bedrock"),
    ("/v2/*", "cohere", "cohere"),
    ("/api/chat", "ollama", "ollama"),
    ("/api/generate", "ollama", "ollama"),
    ("/api/embed", "ollama", "ollama"),
    ("/v1/*", "openai", "openai"),
)
_KNOWN_PROVIDERS: Final = frozenset(
    {
        "openai",
        "anthropic",
        "azure.ai.openai",
        "azure.ai.inference",
        "gcp.gemini",
        "gcp.vertex_ai",
        "aws.bedrock",
        "mistral_ai",
        "groq",
        "deepseek",
        "x_ai",
        "openrouter",
        "cohere",
        "together",
        "fireworks",
        "perplexity",
        "cerebras",
        "moonshot",
        "ollama",
    }
)


class Router:
    """The compiled routes of one plan. Immutable after construction."""

    __slots__ = ("_by_name", "_rules", "_single", "upstreams", "wants_headers", "wants_model")

    def __init__(self, rules: Sequence[Rule], upstreams: Sequence[Choice]) -> None:
        self._rules = tuple(rules)
        self.upstreams = tuple(upstreams)
        self._by_name = {choice.name: choice for choice in upstreams}
        self._single = upstreams[0] if len(upstreams) == 1 else None
        self.wants_headers = any(rule.match.header for rule in rules)
        self.wants_model = any(rule.match.model is not None for rule in rules)

    def route(self, asked: Asked) -> Routed | Refusal:
        """The YAML's routes, first match wins; then the built-in table."""
        path = asked.target.partition("?")[0]
        for rule in self._rules:
            if _matches(rule.match, asked, path):
                return Routed(rule.to, rule.name, _stripped(rule, asked.target))
        return self._built_in(asked, path)

    def _built_in(self, asked: Asked, path: str) -> Routed | Refusal:
        if self._single is not None:
            return self._to_the_only_one(self._single, asked, path)
        if (named := self._named(asked, path)) is not None:
            return named
        mark = asked.mark
        wanted = (
            mark.by_key
            if mark.by_key is not None
            else (frozenset({mark.by_api}) if mark.by_api else None)
        )
        if wanted is not None:
            return self._by_mark(wanted, asked, path)
        for pattern, provider, usual_name in _PATHS:
            if is_like(path, pattern):
                if (choice := self._of_provider(provider)) is None:
                    return Refusal(Reason.NO_ROUTE, self._unserved(path, usual_name))
                return Routed(choice.name, BUILT_IN, asked.target)
        return Refusal(Reason.NO_ROUTE, self._no_route(path))

    def _to_the_only_one(self, only: Choice, asked: Asked, path: str) -> Routed | Refusal:
        if _is_foreign(asked.mark.by_form, only.provider):
            return Refusal(
                Reason.WRONG_PROVIDER,
                f"this key has the form of {_words(asked.mark.by_form)}, but the only upstream"
                f" '{only.name}' is {only.provider}; a key goes only to its own provider."
                " An explicit route in the configuration may do otherwise",
            )
        prefix = f"/{only.name}"
        if (path == prefix or path.startswith(prefix + "/")) and not _is_azure_path(path, asked):
            return Routed(only.name, BUILT_IN, _cut(prefix, asked.target))
        return Routed(only.name, BUILT_IN, asked.target)

    def _named(self, asked: Asked, path: str) -> Routed | Refusal | None:
        """`/NAME/…`: the caller says it; None where the first segment is no upstream's name."""
        segment = path[1:].partition("/")[0]
        choice = self._by_name.get(segment)
        if choice is None or _is_azure_path(path, asked):
            return None
        if _is_foreign(asked.mark.by_key, choice.provider):
            return Refusal(
                Reason.WRONG_PROVIDER,
                f"this request carries a key of {_words(asked.mark.by_key)}, but the path names"
                f" '{choice.name}' ({choice.provider}); {self._advice(asked.mark.by_key)}",
            )
        return Routed(choice.name, BUILT_IN, _cut("/" + segment, asked.target))

    def _by_mark(self, wanted: frozenset[str], asked: Asked, path: str) -> Routed | Refusal:
        served = [choice for choice in self.upstreams if choice.provider in wanted]
        if len(served) > 1:
            # Google's two APIs take the same keys: the path tells them apart.
            by_path = [c for c in served if c.provider == _provider_of(path)]
            served = by_path or served
        if served:
            return Routed(served[0].name, BUILT_IN, asked.target)
        said = f"this request is marked as one for {_words(wanted)}"
        return Refusal(Reason.WRONG_PROVIDER, f"{said}; {self._advice(wanted)}")

    def _of_provider(self, provider: str) -> Choice | None:
        return next((c for c in self.upstreams if c.provider == provider), None)

    def _advice(self, providers: frozenset[str] | None) -> str:
        served = [c.name for c in self.upstreams if providers and c.provider in providers]
        if served:
            return f"use the base URL http://…/{served[0]} for it"
        return (
            "no upstream of that provider is configured: add one under `upstreams:`;"
            f" configured are {self._names()}"
        )

    def _unserved(self, path: str, usual_name: str) -> str:
        return (
            f"{_shown(path)} is a path of {usual_name}, which is not configured: add"
            f" `{usual_name}` under `upstreams:`; configured are {self._names()}"
        )

    def _no_route(self, path: str) -> str:
        return (
            f"no route for {_shown(path)}: use /v1/… (openai), /v1/messages (anthropic),"
            " /v1beta/… (gemini), /v2/… (cohere), /api/chat (ollama), or /NAME/… with the name of"
            f" an upstream; configured are {self._names()}"
        )

    def _names(self) -> str:
        return ", ".join(choice.name for choice in self.upstreams) or "none"


def _is_azure_path(path: str, asked: Asked) -> bool:
    """Azure's own paths begin with /openai: they are not the prefix of the upstream `openai`."""
    if path.startswith("/openai/deployments/"):
        return True
    has_azure_key = asked.mark.by_key is not None and keys.AZURE in asked.mark.by_key
    return has_azure_key and path.startswith("/openai/v1/")


def _is_foreign(providers: frozenset[str] | None, provider: str | None) -> bool:
    """True where a key is known to belong elsewhere. An upstream of unknown provider takes any."""
    return providers is not None and provider in _KNOWN_PROVIDERS and provider not in providers


def _provider_of(path: str) -> str | None:
    for pattern, provider, _ in _PATHS:
        if is_like(path, pattern):
            return provider
    return None


def _matches(match: Match, asked: Asked, path: str) -> bool:
    if match.path is not None and not is_like(path, match.path):
        return False
    if match.prefix is not None:
        prefix = match.prefix.rstrip("/")
        if path != prefix and not path.startswith(prefix + "/"):
            return False
    if match.method is not None and asked.method != match.method:
        return False
    for name, pattern in match.header:
        value = asked.headers.get(name)
        if value is None or not is_like(value, pattern):
            return False
    if match.model is not None:
        return asked.model is not None and is_like(asked.model, match.model)
    return True


def _stripped(rule: Rule, target: str) -> str:
    if not rule.strip_prefix or rule.match.prefix is None:
        return target
    return _cut(rule.match.prefix.rstrip("/"), target)


def _cut(prefix: str, target: str) -> str:
    rest = target[len(prefix) :]
    return rest if rest.startswith("/") else "/" + rest


def is_like(text: str, pattern: str) -> bool:
    """True where `text` is `pattern`, each `*` of which stands for any run of characters."""
    if "*" not in pattern:
        return text == pattern
    first, *middle, last = pattern.split("*")
    if not text.startswith(first) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return text.endswith(last)


def _words(providers: frozenset[str] | None) -> str:
    return " or ".join(sorted(providers or ())) or "two providers at once"


def _shown(path: str) -> str:
    """The path, short and harmless; a caller's bytes are not echoed at length."""
    clean = "".join(c if 32 < ord(c) < 127 and c not in "'\"<>" else "?" for c in path[:100])
    return f"'{clean}'"
