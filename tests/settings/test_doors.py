"""The blocks `listen:` and `admin:`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.core.secret import Secret
from sidecar.policies import patience
from sidecar.settings.schema import Settings
from sidecar.settings.show import to_yaml

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]
ENV = {"A": "one-canary", "B": "two-canary"}


def test_without_them_the_doors_are_plain_and_open_to_this_machine(load_text: Load):
    listen, admin = load_text("{}").listen, load_text("{}").admin
    assert (listen.tls, listen.auth, admin.token) == (None, None, None)
    assert listen.timeouts == patience.Rule(30, 120, 300, 300)


def test_limits_of_time_are_set_one_by_one(load_text: Load):
    limits = load_text("listen: {timeouts: {body: 5s, keepalive: off}}").listen.timeouts
    assert limits == patience.Rule(body_s=5, keepalive_s=None)


def test_tokens_are_secrets(load_text: Load):
    text = "listen: {auth: {tokens: ['${env:A}', '${env:B}']}}\nadmin: {token: '${env:A}'}"
    settings = load_text(text, env=ENV)
    assert settings.listen.auth is not None
    assert settings.listen.auth.tokens == (Secret("one-canary"), Secret("two-canary"))
    assert settings.admin.token == Secret("one-canary")
    assert "canary" not in to_yaml(settings) + repr(settings)


@pytest.mark.parametrize("off", ["off", "false", "null"])
def test_each_can_be_switched_off(load_text: Load, off: str):
    settings = load_text(f"listen: {{tls: {off}, auth: {off}}}\nadmin: {{token: {off}}}")
    assert (settings.listen.tls, settings.listen.auth) == (None, None)
    assert settings.admin.token is None


def test_tls_names_two_files(load_text: Load, wrong: Wrong, tmp_path: Path):
    file = tmp_path / "x.pem"
    file.write_text("x")
    tls = load_text(f"listen: {{tls: {{cert: {file}, key: {file}}}}}").listen.tls
    assert tls is not None
    assert (tls.cert, tls.key) == (str(file), str(file))
    assert wrong(f"listen:\n  tls: {{cert: {file}}}") == [
        "2:8: listen.tls: needs cert and key: two PEM files"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("auth: {}", "1:16: listen.auth.tokens: expected a list of one or more, found nothing"),
        ("auth: {tokens: []}",
         "1:25: listen.auth.tokens: expected a list of one or more, found a list"),
        ("auth: {tokens: x}",
         "1:25: listen.auth.tokens: expected a list of one or more, found text"),
        ("auth: {tokens: [off]}", "1:26: listen.auth.tokens.0: expected a token, found off"),
        ("auth: {token: x}", "1:17: listen.auth.token: unknown key; did you mean 'tokens'?"),
        ("max_connections: 0", "1:27: listen.max_connections: is at least 1"),
        ("timeouts: {header: 1s}",
         "1:21: listen.timeouts.header: unknown key; did you mean 'headers'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(wrong: Wrong, text: str, problem: str):
    assert problem in wrong(f"listen: {{{text}}}")


def test_a_missing_token_is_named_and_not_taken_for_none(wrong: Wrong):
    [problem] = wrong("admin: {token: '${env:C}'}")
    assert problem == "1:16: admin.token: the environment variable C is not set"
