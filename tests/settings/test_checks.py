"""What only the whole configuration can tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.settings.schema import Settings

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]
ENV = {"K": "sk-canary"}


def test_the_admin_port_leaves_loopback_with_a_token_only(load_text: Load, wrong: Wrong):
    assert wrong("admin:\n  address: 0.0.0.0:8486") == [
        "2:12: admin.address: beyond loopback, everybody who reaches it would read what passes"
        " here; set admin.token, or keep it on 127.0.0.1"
    ]
    load_text("admin: {address: ':8486', token: '${env:K}'}", env=ENV)
    assert load_text("admin: {address: '[::1]:9'}").admin.address.port == 9


@pytest.mark.parametrize(
    ("listen", "admin"),
    [
        ("127.0.0.1:8486", None),
        (None, "127.0.0.1:8484"),
        ("localhost:5", "127.0.0.1:5"),
        (":5", "127.0.0.1:5"),
        ("127.0.0.1:5", "localhost:5"),
    ],
)
def test_the_two_ports_must_differ(wrong: Wrong, listen: str | None, admin: str | None):
    text = f"listen: {{address: '{listen}'}}\n" if listen else ""
    text += f"admin: {{address: '{admin}'}}\n" if admin else ""
    path, other = ("listen", "admin") if listen else ("admin", "listen")
    [problem] = wrong(text)
    assert f"{path}.address: is the same as {other}.address" in problem


def test_the_same_number_on_two_interfaces_or_a_free_port_is_no_clash(load_text: Load):
    load_text("listen: {address: 10.0.0.1:5}\nadmin: {address: 127.0.0.1:5}")
    load_text("listen: {address: 127.0.0.1:0}\nadmin: {address: 127.0.0.1:0}")


@pytest.mark.parametrize("address", [":8484", "0.0.0.0:8484", "10.1.1.1:8484", "'[::]:8484'"])
def test_an_open_port_with_a_key_behind_it_is_refused(wrong: Wrong, address: str):
    text = f"listen:\n  address: {address}\nupstreams: {{openai: {{api_key: '${{env:K}}'}}}}"
    [problem] = wrong(text, env=ENV)
    assert problem.startswith("2:12: listen.address: beyond loopback, everybody")
    assert "canary" not in problem


def test_an_open_port_with_keys_is_fine_if_its_callers_must_bring_a_token(load_text: Load):
    auth = "auth: {tokens: ['${env:K}']}"
    load_text(
        f"listen: {{address: ':8484', {auth}}}\nupstreams: {{openai: {{api_key: x}}}}", env=ENV
    )


def test_a_unix_socket_meets_nothing_but_itself(load_text: Load, wrong: Wrong):
    load_text("listen: {address: 'unix:/run/s'}\nupstreams: {openai: {api_key: x}}")
    assert "is the same as" in wrong("listen: {address: 'unix:/s'}\nadmin: {address: 'unix:/s'}")[0]


def test_an_open_port_is_fine_while_callers_bring_their_own_keys(load_text: Load):
    load_text("listen: {address: ':8484'}\nupstreams: {openai: {}}")
    load_text("upstreams: {openai: {api_key: '${env:K}'}}", env=ENV)


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8484", "http://127.0.0.1:8484/v1"),
        ("127.0.0.1:8484", "http://localhost:8484"),
        ("localhost:8484", "http://[::1]:8484"),
        (":8484", "http://127.0.0.1:8484"),
        ("10.0.0.1:8484", "http://10.0.0.1:8484"),
    ],
)
def test_an_upstream_that_is_ourselves_is_refused(wrong: Wrong, listen: str, url: str):
    text = f"listen: {{address: '{listen}'}}\nupstreams:\n  me: {{url: '{url}'}}"
    assert wrong(text) == [
        "3:13: upstreams.me.url: is our own listen.address: requests would go in circles"
    ]


def test_so_is_one_that_is_our_admin_port(wrong: Wrong):
    [problem] = wrong("{}", to="http://127.0.0.1:8486")
    assert problem == (
        "--to: upstreams.default.url: is our own admin.address: requests would go in circles"
    )


def test_a_neighbour_on_another_port_is_none_of_this(load_text: Load):
    load_text("upstreams: {ollama: {}}\nlisten: {address: 127.0.0.1:11435}")
    load_text("upstreams: {x: {url: 'http://10.0.0.2:8484'}}")


def test_listening_where_a_known_upstream_lives_is_told_at_the_port(wrong: Wrong):
    [problem] = wrong("listen:\n  address: 127.0.0.1:11434")
    assert problem.startswith("2:12: upstreams.ollama.url: is our own listen.address")


def test_one_key_for_several_origins_is_refused(load_text: Load, wrong: Wrong):
    assert wrong("defaults:\n  api_key: ${env:K}\nupstreams: {openai: {}, groq: {}}", env=ENV) == [
        "2:12: defaults.api_key: this key would go to 2 different origins;"
        " give each upstream its own api_key"
    ]
    load_text(
        "defaults: {api_key: '${env:K}'}\n"
        "upstreams: {a: {url: 'https://h/a'}, b: {url: 'https://h/b'}}",
        env=ENV,
    )
