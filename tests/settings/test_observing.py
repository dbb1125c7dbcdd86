"""The blocks `telemetry:` and `scrape:`, as people write and miswrite them."""

from __future__ import annotations

import pytest

from sidecar.core.address import Address
from sidecar.settings.telemetry import Label

from .conftest import Load, Wrong

HERE = "telemetry: {otlp: {endpoint: 'http://c:4318'}"


def test_everything_can_be_said(load_text: Load) -> None:
    settings = load_text(
        """
        scrape: {address: ":8485"}
        telemetry:
          otlp:
            endpoint: ${env:URL}
            headers: {authorization: "Bearer ${env:TOKEN}"}
            resource: {service.name: mine}
            traces: {timeout: 3s}
          traces: {sample_ratio: 0.1, enabled: off, capture_content: 2KiB}
          labels:
            team: {from: "header:X-Team", values: [a, b, a]}
            tenant: {from: "header:x-tenant", max: 3}
        """,
        env={"URL": "https://c.example", "TOKEN": "t"},
    )
    telemetry = settings.telemetry
    assert settings.scrape.address == Address("0.0.0.0", 8485)
    assert telemetry.otlp.endpoint == "https://c.example"
    assert telemetry.otlp.headers[0][1].reveal() == "Bearer t"
    assert telemetry.traces.enabled is None
    assert telemetry.traces.capture_content_bytes == 2048
    assert telemetry.labels == (
        Label("team", "x-team", ("a", "b"), 20),
        Label("tenant", "x-tenant", None, 3),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{otlp: {endpoint: c:4318}}", "telemetry.otlp.endpoint: a URL begins with http"),
        ("{otlp: {protocol: http/json}}", "telemetry.otlp.protocol: expected one of"),
        ("{otlp: {batch: 65}}", "telemetry.otlp.batch: is 1 to 64"),
        ("{otlp: {queue: 0}}", "telemetry.otlp.queue: is at least 1"),
        ("{otlp: {headers: {a: 1, b b: x}}}", "a header's name is a token"),
        ("{otlp: {headers: [a]}}", "telemetry.otlp.headers: expected a block of keys"),
        ("{otlp: {tls: {client_cert: /dev/null}}}", "client_cert and client_key belong together"),
        ("{traces: {sample_ratio: 1.5}}", "expected a number from 0 to 1"),
        ("{traces: {sample_ratio: 50%}}", "expected a number from 0 to 1"),
        ("{traces: {propagate: always}}", "expected one of: forward, participate, none"),
        ("{metrics: {export: otlp}}", "needs telemetry.otlp.endpoint"),
        ("{labels: {Team: {from: 'header:x'}}}", "a label is a word of a-z"),
        ("{labels: {upstream: {from: 'header:x'}}}", "that is not in use"),
        ("{labels: {a: {values: [x]}}}", "needs from:"),
        ("{labels: {a: {from: x-team}}}", "telemetry.labels.a.from: expected header:NAME"),
        ("{labels: {a: {from: 'header:Authorization'}}}", "this header holds a credential"),
        ("{labels: {a: {from: 'header:x', values: []}}}", "expected a list of one or more"),
        (
            "{labels: {a: {from: 'header:x'}, b: {from: 'header:x'}, c: {from: 'header:x'},"
            " d: {from: 'header:x'}, e: {from: 'header:x'}}}",
            "each multiplies the series",
        ),
        ("{otlp: {endpoint: 'http://127.0.0.1:8484'}}", "is our own listen.address"),
        ("{otlp: {endpoint: 'http://127.0.0.1:8486'}}", "is our own admin.address"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(wrong: Wrong, text: str, problem: str) -> None:
    told = wrong(f"telemetry: {text}")
    assert any(problem in line for line in told), told


def test_no_two_ports_are_the_same(wrong: Wrong) -> None:
    [told] = wrong('scrape: {address: "127.0.0.1:8486"}')
    assert "scrape.address: is the same as admin.address" in told
    assert len(wrong('scrape: {address: ":8484"}\nlisten: {address: ":8484"}')) == 1


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        (", metrics: {export: both}}", "counts twice"),
        (", metrics: {semconv: both}}", "look at one family only"),
        (", traces: {capture_content: 1KiB}}", "they are the users' words"),
    ],
)
def test_what_may_not_be_meant_is_warned_of(load_text: Load, more: str, warning: str) -> None:
    [told] = load_text(HERE + more).warnings
    assert warning in told.message
    assert told.place.line == 1


def test_who_participates_without_spans_is_told(load_text: Load) -> None:
    [told] = load_text("telemetry: {traces: {propagate: participate}}").warnings
    assert "no spans are made" in told.message


def test_an_upstream_may_propagate_in_its_own_way(load_text: Load) -> None:
    settings = load_text(
        "telemetry: {traces: {propagate: none}}\n"
        "upstreams: {openai: {}, groq: {propagate: forward}}"
    )
    assert [upstream.propagate for upstream in settings.upstreams] == ["none", "forward"]


def test_no_header_of_the_collector_is_shown(load_text: Load) -> None:
    from sidecar.settings.show import to_yaml

    secret = "{headers: {k: canary-1}, traces: {headers: {k: canary-2}}}"
    text = to_yaml(load_text(f"telemetry: {{otlp: {secret}}}"))
    assert "canary" not in text
    assert text.count("[redacted]") == 2
