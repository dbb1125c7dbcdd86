"""Where a request goes, or why nowhere."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Reason, Refusal
from sidecar.core.providers import KNOWN
from sidecar.policies import keys
from sidecar.policies.routing import Asked, Choice, Match, Routed, Router, Rule, is_like

ALL = tuple(Choice(known.name, known.provider) for known in KNOWN.values())
AZURE = Choice("azure", "azure.ai.openai")


def ask(
    target: str,
    key: bytes = b"",
    header: bytes = b"authorization",
    version: bool = False,
    method: str = "POST",
) -> Asked:
    value = b"Bearer " + key if header == b"authorization" else key
    credentials = [(header, value)] if key else []
    query = target.partition("?")[2]
    return Asked(method, target, keys.read_mark(credentials, query, version))


def went(router: Router, asked: Asked) -> tuple[str, str] | Reason:
    routed = router.route(asked)
    return routed.reason if isinstance(routed, Refusal) else (routed.upstream, routed.target)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (ask("/v1/chat/completions", b"sk-x"), ("openai", "/v1/chat/completions")),
        (ask("/v1/models", b"sk-ant-x", b"x-api-key", True), ("anthropic", "/v1/models")),
        (ask("/v1/models", version=True), ("anthropic", "/v1/models")),
        (ask("/v1/messages?beta=true"), ("anthropic", "/v1/messages?beta=true")),
        (ask("/v1/messages/count_tokens"), ("anthropic", "/v1/messages/count_tokens")),
        (ask("/v1beta/models/g:generateContent"), ("gemini", "/v1beta/models/g:generateContent")),
        (ask("/v2/chat"), ("cohere", "/v2/chat")),
        (ask("/api/chat"), ("ollama", "/api/chat")),
        (ask("/groq/openai/v1/models"), ("groq", "/openai/v1/models")),
        (ask("/openai/v1/models"), ("openai", "/v1/models")),
        (ask("/openai"), ("openai", "/")),
        (ask("/openai?x"), ("openai", "/?x")),
        (ask("/openai/v1/x?"), ("openai", "/v1/x?")),
        (ask("/openai/v1/chat/completions", b"gsk_x"), Reason.WRONG_PROVIDER),
        (ask("/openai/v1/models", b"0123", b"api-key"), Reason.WRONG_PROVIDER),
        (ask("/openai/deployments/d/chat/completions"), Reason.NO_ROUTE),
        (ask("/v1/chat/completions", b"0123", b"api-key"), Reason.WRONG_PROVIDER),
        (ask("/v1/projects/p/x", b"ya29.x"), ("gemini", "/v1/projects/p/x")),
        (ask("/v1/projects/p/x"), Reason.NO_ROUTE),
        (ask("/model/m/converse"), Reason.NO_ROUTE),
        (ask("/deepseek/v1/messages", b"sk-1", b"x-api-key", True), ("deepseek", "/v1/messages")),
        (ask("/unknown"), Reason.NO_ROUTE),
        (ask("/"), Reason.NO_ROUTE),
    ],
)
def test_the_built_in_table(asked: Asked, expected: tuple[str, str] | Reason) -> None:
    assert went(Router((), ALL), asked) == expected


def test_azures_own_paths_go_to_azure_and_stay_whole() -> None:
    router = Router((), (*ALL, AZURE))
    target = "/openai/deployments/d/chat/completions?api-version=1"
    assert went(router, ask(target, b"0123", b"api-key")) == ("azure", target)
    assert went(router, ask("/openai/v1/x", b"0123", b"api-key")) == ("azure", "/openai/v1/x")
    assert went(router, ask(target, b"eyJ0-an-entra-id-token")) == ("azure", target)


def test_googles_two_apis_take_the_same_keys_and_the_path_tells_them_apart() -> None:
    router = Router((), (*ALL, Choice("vertex", "gcp.vertex_ai")))
    assert went(router, ask("/v1/projects/p", b"ya29.x")) == ("vertex", "/v1/projects/p")
    assert went(router, ask("/v1beta1/projects/p", b"ya29.x")) == ("vertex", "/v1beta1/projects/p")
    assert went(router, ask("/v1beta/models", b"AIzaX")) == ("gemini", "/v1beta/models")


def test_the_only_upstream_takes_all_but_a_key_of_another_known_form() -> None:
    only = Router((), (Choice("openai", "openai"),))
    assert went(only, ask("/anything", b"sk-x")) == ("openai", "/anything")
    assert went(only, ask("/v1/x", b"0123", b"api-key")) == ("openai", "/v1/x")
    assert went(only, ask("/v1/x", version=True)) == ("openai", "/v1/x")
    assert went(only, ask("/v1/x", b"gsk_x")) is Reason.WRONG_PROVIDER
    gateway = Router((), (Choice("default", None),))
    assert went(gateway, ask("/v1/x", b"gsk_x")) == ("default", "/v1/x")


def test_the_first_rule_that_matches_wins_and_may_do_what_the_table_refuses() -> None:
    rules = (
        Rule("lab", "groq", Match(prefix="/lab"), strip_prefix=True),
        Rule("chat", "openai", Match(path="/v1/chat/*", method="POST")),
        Rule("late", "mistral", Match(path="/v1/*")),
    )
    router = Router(rules, ALL)
    assert went(router, ask("/lab/v1/x", b"sk-ant-x")) == ("groq", "/v1/x")
    assert went(router, ask("/lab?x")) == ("groq", "/?x")
    assert went(router, ask("/labs/v1/x")) is Reason.NO_ROUTE
    assert went(router, ask("/v1/chat/completions")) == ("openai", "/v1/chat/completions")
    assert went(router, ask("/v1/chat/x", method="GET")) == ("mistral", "/v1/chat/x")


def test_rules_on_headers_and_models() -> None:
    rules = (
        Rule("team", "groq", Match(header=(("x-team", "re*"),))),
        Rule("mini", "mistral", Match(model="gpt-4o*")),
    )
    router = Router(rules, ALL)
    assert router.wants_headers
    assert router.wants_model
    asked = ask("/v1/chat/completions")
    assert went(router, asked._replace(headers={"x-team": "research"}))[0] == "groq"
    assert went(router, asked._replace(headers={"x-team": "sales"}))[0] == "openai"
    assert went(router, asked._replace(model="gpt-4o-mini"))[0] == "mistral"
    assert went(router, asked._replace(model="o1"))[0] == "openai"


_names = st.sampled_from([choice.name for choice in ALL])
_keys = st.sampled_from([b"sk-ant-x", b"sk-or-x", b"gsk_x", b"xai-x", b"AIzaX", b"ya29.x"])
_headers = st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"])
_paths = st.one_of(
    st.builds("/{}/v1/x".format, _names),
    st.sampled_from(["/v1/models", "/v1/messages", "/v1beta/x", "/v2/chat", "/api/chat", "/x"]),
    st.from_regex(r"/[a-z0-9/._-]{0,30}", fullmatch=True),
)


@given(_paths, _keys, _headers, st.booleans(), st.lists(_names, min_size=1, unique=True))
def test_no_key_of_a_known_form_goes_to_another_known_provider(
    path: str, key: bytes, header: bytes, version: bool, names: list[str]
) -> None:
    choices = [choice for choice in ALL if choice.name in names]
    asked = ask(path, key, header, version)
    routed = Router((), choices).route(asked)
    if isinstance(routed, Routed):
        provider = KNOWN[routed.upstream].provider
        assert asked.mark.by_form is not None
        assert provider in asked.mark.by_form
    else:
        assert key.decode() not in routed.message


@given(st.text("ab/", max_size=12), st.text("ab/*", max_size=8))
def test_a_star_stands_for_any_run_of_characters(text: str, pattern: str) -> None:
    assert is_like(text, pattern) == fnmatchcase(text, pattern)
