"""`defaults:` and `upstreams:`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.core.origin import Origin
from sidecar.core.providers import KNOWN
from sidecar.core.secret import Secret
from sidecar.settings.schema import Proxy, Settings, Upstream

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]


def one(settings: Settings, name: str) -> Upstream:
    return next(upstream for upstream in settings.upstreams if upstream.name == name)


def test_without_the_block_every_known_provider_exists(load_text: Load):
    upstreams = load_text("{}").upstreams
    assert [u.name for u in upstreams] == list(KNOWN)
    assert [(u.url, u.dialect, u.provider) for u in upstreams] == [
        (known.url, known.dialect, known.provider) for known in KNOWN.values()
    ]


def test_with_it_only_those_named_exist_in_their_order(load_text: Load):
    settings = load_text("upstreams: {anthropic: {}, openai: }")
    assert [u.name for u in settings.upstreams] == ["anthropic", "openai"]
    assert one(settings, "openai").url == KNOWN["openai"].url


def test_a_name_of_ones_own_needs_a_url(load_text: Load, wrong: Wrong):
    gateway = one(load_text("upstreams: {gw: {url: https://h.example/b/v1}}"), "gw")
    assert gateway.url == Origin("https", "h.example", 443, "/b")
    assert (gateway.dialect, gateway.provider) == ("auto", None)
    assert wrong("upstreams:\n  opnai: {}") == [
        "2:3: upstreams.opnai: an upstream that is no known provider needs a url;"
        " did you mean 'openai'?"
    ]


def test_a_known_name_may_have_another_url_and_the_host_says_whose_it_is(load_text: Load):
    settings = load_text(
        "upstreams: {openai: {url: http://10.0.0.1}, anthropic: {url: https://api.groq.com}}"
    )
    assert one(settings, "openai").provider == "openai"
    assert one(settings, "anthropic").provider == "groq"
    assert one(settings, "anthropic").dialect == "openai"


def test_what_is_written_stands_above_what_the_host_says(load_text: Load):
    settings = load_text(
        "upstreams: {openai: {dialect: generic, provider: azure.ai.openai},"
        " x: {url: 'https://api.groq.com', provider: off, dialect: auto}}"
    )
    assert one(settings, "openai").dialect == "generic"
    assert one(settings, "openai").provider == "azure.ai.openai"
    assert one(settings, "x").provider is None
    assert one(settings, "x").dialect == "openai"


def test_defaults_are_merged_key_by_key(load_text: Load):
    settings = load_text(
        """
        defaults:
          timeouts: {connect: 1s, idle: 2s}
          pool: {max_idle: 7}
          tls: {verify: false}
        upstreams:
          openai: {timeouts: {idle: off}, pool: {keepalive: 9s}}
          anthropic: {tls: {verify: true}}
        """
    )
    openai, anthropic = settings.upstreams
    assert (openai.timeouts.connect_s, openai.timeouts.idle_s) == (1, None)
    assert openai.timeouts.first_byte_s == 600
    assert (openai.pool.max_idle, openai.pool.keepalive_s) == (7, 9)
    assert openai.tls.verify is False
    assert (anthropic.timeouts.idle_s, anthropic.tls.verify) == (2, True)


def test_a_key_may_come_from_defaults_and_be_given_up(load_text: Load):
    settings = load_text(
        "defaults: {api_key: '${env:K}'}\n"
        "upstreams: {openai: {}, anthropic: {api_key: off}, groq: {api_key: '${env:G}'}}",
        env={"K": "k", "G": "g"},
    )
    assert [u.api_key for u in settings.upstreams] == [Secret("k"), None, Secret("g")]


def test_a_proxy_is_resolved_at_load(load_text: Load):
    settings = load_text(
        """
        upstreams:
          openai: {}
          anthropic: {proxy: off}
          groq: {proxy: "http://u:${env:PW}@own:1"}
          ollama: {}
          near: {url: "http://[::1]:9", proxy: "http://own:1"}
        """,
        env={"HTTPS_PROXY": "http://s:1", "HTTP_PROXY": "http://p:1", "PW": "pw"},
    )
    assert [u.proxy for u in settings.upstreams] == [
        Proxy("http://s:1"),
        Proxy(None),
        Proxy("http://own:1", Secret("u:pw")),
        Proxy(None),
        Proxy(None),
    ]


def test_one_upstream_may_go_back_to_the_environments_proxy(load_text: Load):
    settings = load_text(
        "defaults: {proxy: off}\nupstreams: {openai: {proxy: env}, groq: {}}",
        env={"HTTPS_PROXY": "http://s:1"},
    )
    assert [u.proxy.url for u in settings.upstreams] == ["http://s:1", None]


def test_a_client_certificate_and_its_key_belong_together(
    load_text: Load, wrong: Wrong, tmp_path: Path
):
    pem = tmp_path / "x.pem"
    pem.write_text("x")
    tls = one(
        load_text(
            f"defaults: {{tls: {{client_cert: {pem}}}}}\n"
            f"upstreams: {{openai: {{tls: {{client_key: {pem}}}}}}}"
        ),
        "openai",
    ).tls
    assert (tls.client_cert, tls.client_key) == (str(pem), str(pem))
    assert wrong(f"defaults:\n  tls: {{client_key: {pem}}}") == [
        "2:21: defaults.tls: client_key and client_cert belong together: give both or none"
    ]
    assert wrong(f"upstreams:\n  openai: {{tls: {{client_cert: {pem}}}}}") == [
        "2:31: upstreams.openai.tls: client_cert and client_key belong together: give both or none"
    ]


def test_a_file_that_is_not_there_is_named(wrong: Wrong):
    assert wrong("defaults: {tls: {ca_file: /nowhere/ca.pem}}") == [
        "1:27: defaults.tls.ca_file: cannot read '/nowhere/ca.pem': No such file or directory"
    ]


@pytest.mark.parametrize("text", ["upstreams: {}", "upstreams:", "upstreams: ~"])
def test_a_block_that_names_none_is_refused(wrong: Wrong, text: str):
    assert "names no upstream" in wrong(text)[0]


def test_a_list_of_upstreams_is_refused(wrong: Wrong):
    assert wrong("upstreams: [openai]") == [
        "1:12: upstreams: expected a block of keys, found a list"
    ]


@pytest.mark.parametrize("name", ["OpenAI", "a.b", "a b", "'a/b'", "''"])
def test_a_name_that_would_not_fit_into_a_path_is_refused(wrong: Wrong, name: str):
    assert "lower-case letters" in wrong(f"upstreams: {{{name}: {{url: 'https://h'}}}}")[0]


@pytest.mark.parametrize("name", ["v1", "v1beta", "v2", "api", "model", "none"])
def test_a_name_that_would_swallow_the_providers_paths_is_refused(wrong: Wrong, name: str):
    assert "this name is reserved" in wrong(f"upstreams: {{{name}: {{url: 'https://h'}}}}")[0]


def test_keys_that_are_not_built_yet_are_unknown(wrong: Wrong):
    problems = wrong("defaults: {retry: {}, breaker: {}}\nupstreams: {openai: {models: {}}}")
    assert [p.split(";")[0] for p in problems] == [
        "1:12: defaults.retry: unknown key",
        "1:23: defaults.breaker: unknown key",
        "2:22: upstreams.openai.models: unknown key",
    ]


def test_a_url_belongs_to_an_upstream_and_not_to_the_defaults(wrong: Wrong):
    assert wrong("defaults: {url: 'https://h'}")[0].startswith("1:12: defaults.url: unknown key")


def test_a_missing_variable_is_named_with_its_line(wrong: Wrong):
    assert wrong("upstreams:\n  openai:\n    api_key: ${env:NOPE}") == [
        "3:14: upstreams.openai.api_key: the environment variable NOPE is not set"
    ]


def test_a_wrong_choice_lists_the_right_ones(wrong: Wrong):
    assert (
        "expected one of: auto, openai, anthropic"
        in wrong("upstreams: {openai: {dialect: open}}")[0]
    )
