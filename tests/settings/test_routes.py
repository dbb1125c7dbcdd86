"""`routes:`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.policies.routing import Match, Rule
from sidecar.settings.schema import Settings

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]


def test_a_route_is_read_whole(load_text: Load):
    text = """
    routes:
      - name: search
        match:
          path: /v1/*
          prefix: /s
          method: post
          header: {X-Team: "a*", x-v: "2"}
          model: gpt-*
        strip_prefix: true
        to: openai
    """
    match = Match("/v1/*", "/s", "POST", (("x-team", "a*"), ("x-v", "2")), "gpt-*")
    assert load_text(text).routes == (Rule("search", "openai", match, strip_prefix=True),)


def test_a_route_needs_no_more_than_a_target(load_text: Load):
    routes = load_text("routes: [{to: openai}, {to: anthropic, match: }]").routes
    assert routes == (Rule("route-1", "openai"), Rule("route-2", "anthropic"))


@pytest.mark.parametrize("text", ["routes:", "routes: []", "{}"])
def test_no_routes_are_no_problem(load_text: Load, text: str):
    assert load_text(text).routes == ()


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ("{}", "0.to: a route needs the name of an upstream"),
        ("5", "0: expected a block of keys, found a number"),
        ("{to: opnai}", "0.to: this is the name of no upstream; did you mean 'openai'?"),
        ("{to: [a]}", "0.to: this is the name of no upstream; known here: openai"),
        ("{to: openai, spit: 1}", "0.spit: unknown key; known here: name, match, strip_prefix, to"),
        ("{to: openai, strip_prefix: x}", "0.strip_prefix: expected true or false, found text"),
        (
            "{to: openai, strip_prefix: true}",
            "0.strip_prefix: there is no match.prefix that could be taken off",
        ),
        ("{to: openai, name: built-in}", "0.name: the name built-in is taken by us"),
        ("{to: openai, name: a b}", "0.name: expected a name (letters, digits, . - and _)"),
    ],
)
def test_what_is_wrong_with_a_route_is_told(wrong: Wrong, route: str, says: str):
    [problem] = wrong(f"routes: [{route}]\nupstreams: {{openai: {{}}}}")
    assert problem.partition(" ")[2] == f"routes.{says}"
    assert problem.startswith("1:")


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("path: v1", "path: expected a path that begins with /"),
        ("prefix: /a*", "prefix: expected a path that begins with / and has no *"),
        ("method: 'GE T'", "method: expected an HTTP method"),
        ("model: '${env:X}'", "model: ${…} is only read in api_key, proxy, url and tokens"),
        ("header: x", "header: expected {name: value}, found text"),
        ("header: {a b: x}", "header.?: expected the name of a header"),
        ("host: x", "host: unknown key; known here: path, prefix, method, header, model"),
    ],
)
def test_what_is_wrong_with_a_match_is_told(wrong: Wrong, match: str, says: str):
    [problem] = wrong(f"routes: [{{to: openai, match: {{{match}}}}}]")
    assert problem.partition(" ")[2] == f"routes.0.match.{says}"


def test_a_number_where_text_belongs_is_told_to_be_quoted(wrong: Wrong):
    [problem] = wrong("routes: [{to: openai, match: {model: 5}}]")
    assert problem == (
        "1:38: routes.0.match.model: expected text, in which * is a wildcard, found a number;"
        " put it in quotes if it is text"
    )


def test_two_routes_do_not_share_a_name(wrong: Wrong):
    assert wrong("routes: [{name: a, to: openai}, {name: a, to: openai}]") == [
        "1:40: routes.1.name: another route has this name"
    ]


def test_routes_that_are_no_list_are_refused(wrong: Wrong):
    assert wrong("routes: {to: openai}") == [
        "1:9: routes: expected a list of routes, found a block of keys"
    ]
