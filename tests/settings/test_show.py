"""What is shown loads again as the same, and holds no secret."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from sidecar.settings.load import load
from sidecar.settings.schema import Settings
from sidecar.settings.show import effective, hash_of, to_yaml

Load = Callable[..., Settings]

RICH = """
listen: {address: "[::1]:1", max_request_body: 5MiB, allowed_hosts: off, max_connections: 9,
         timeouts: {headers: 1s, write: off}}
admin: {address: "localhost:2"}
shutdown: {drain: 2m}
defaults: {timeouts: {connect: 250ms, total: 90m}, pool: {max_idle: off, dns_ttl: off}}
upstreams:
  openai: {proxy: "http://p:1", timeouts: {idle: 1.5s}}
  gw: {url: "https://h.example:8443/base", dialect: cohere, provider: off, tls: {verify: false}}
routes:
  - {to: gw}
  - name: all
    match: {path: /a*, prefix: /a, method: GET, header: {x-a: "1", x-b: "off"}, model: "true"}
    strip_prefix: true
    to: openai
scrape: {address: ":8485"}
telemetry:
  log: {format: text, level: debug, sample_ratio: 0.5}
  otlp:
    endpoint: http://collector:4317
    protocol: grpc
    headers: {authorization: "[redacted]"}
    resource: {service.name: mine, deployment.environment.name: "5"}
    temporality: delta
    metrics: {endpoint: "https://m.example/v1/metrics", compression: none}
  traces: {sample_ratio: 0.25, parent_based: false, capture_content: 8KiB, propagate: none}
  metrics: {export: both, semconv: both}
  labels: {team: {from: "header:x-sidecar-team", values: [a, b]}, t: {from: "header:x-t", max: 7}}
"""


def test_what_is_shown_loads_as_the_same_settings(load_text: Load):
    for settings in (load(None, env={}), load_text(RICH)):
        again = load_text(to_yaml(settings))
        # Warnings name the place, which is another one.
        told = [problem.message for problem in again.warnings]
        assert told == [problem.message for problem in settings.warnings]
        same = dataclasses.replace(again, source=settings.source, warnings=settings.warnings)
        assert same == settings


def test_it_is_written_as_people_write_it(load_text: Load):
    text = to_yaml(load_text(RICH))
    for line in ("max_request_body: 5MiB", "max_idle: off", "connect: 250ms", "total: 90m"):
        assert f" {line}\n" in text


def test_all_of_it_is_plain_json(load_text: Load):
    shown = effective(load_text(RICH))
    assert json.loads(json.dumps(shown)) == json.loads(msgspec.json.encode(shown)) == shown
    assert list(shown) == [
        "version",
        "listen",
        "admin",
        "scrape",
        "upstreams",
        "routes",
        "telemetry",
        "prices",
        "shutdown",
    ]


def test_no_secret_is_in_it(load_text: Load, tmp_path: Path):
    (tmp_path / "key").write_text("sk-canary-2")
    settings = load_text(
        f"""
        defaults: {{proxy: "http://u:${{env:PW}}@p:1"}}
        upstreams:
          openai: {{api_key: "${{env:K}}"}}
          groq: {{api_key: "${{file:{tmp_path}/key}}"}}
          xai: {{api_key: sk-canary-4}}
        """,
        env={"K": "sk-canary-1", "PW": "sk-canary-3"},
    )
    shown = to_yaml(settings) + json.dumps(effective(settings)) + repr(settings) + str(settings)
    assert "canary" not in shown
    assert "api_key: '[redacted]'" in shown
    assert "http://[redacted]@p:1" in shown


def test_the_hash_is_of_what_is_shown():
    settings = load(None, env={})
    assert hash_of(settings) == settings.hash == hash_of(dataclasses.replace(settings, hash="x"))
