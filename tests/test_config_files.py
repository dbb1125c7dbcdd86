"""The shipped configuration is the default one, and every example loads."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from sidecar.core.providers import KNOWN
from sidecar.policies import patience
from sidecar.settings.blocks import rows
from sidecar.settings.doors import ADMIN_APART, AUTH_KEYS, LISTEN_APART
from sidecar.settings.load import TELEMETRY_APART, TOP_KEYS, load
from sidecar.settings.schema import Admin, Listen, Log, ServerTls, Shutdown, Telemetry, Tls
from sidecar.settings.upstreams import DEFAULTS_KEYS, Defaults

CONFIG = Path(__file__).parent.parent / "config"
SHIPPED = CONFIG / "sidecar.yaml"
EXAMPLES = sorted((CONFIG / "examples").glob("*.yaml"))


def written_keys(text: str) -> set[str]:
    return set(re.findall(r"([a-z_]+):", text))


def test_the_shipped_file_equals_the_built_in_configuration():
    shipped, built_in = load(str(SHIPPED), env={}), load(None, env={})
    assert dataclasses.replace(shipped, source=built_in.source) == built_in


def test_the_shipped_file_teaches_every_key():
    keys = {
        *TOP_KEYS,
        *LISTEN_APART,
        *ADMIN_APART,
        *AUTH_KEYS,
        *TELEMETRY_APART,
        *DEFAULTS_KEYS,
        "url",
        "dialect",
        "provider",
    }
    keys |= {"name", "match", "strip_prefix", "to", "path", "prefix", "method", "header", "model"}
    defaults = Defaults()
    blocks = (Listen, Admin, Log, Shutdown, Telemetry, ServerTls, patience.Rule, Tls)
    for block in (*blocks, type(defaults.pool), type(defaults.timeouts)):
        keys |= {row.key for row in rows(block)}
    assert keys - written_keys(SHIPPED.read_text()) == set()


def test_the_shipped_file_names_every_known_provider():
    text = SHIPPED.read_text()
    assert [name for name in KNOWN if name not in text] == []


def test_what_the_shipped_file_shows_in_comments_loads_too(tmp_path: Path):
    text = SHIPPED.read_text().replace("routes: []", "routes:")
    shown = re.sub(r"(?m)^# (?=upstreams:|  )", "", text)
    assert "\nupstreams:\n  openai: {}\n" in shown
    file = tmp_path / "shown.yaml"
    file.write_text(shown)
    settings = load(str(file), env={"GATEWAY_KEY": "k"})
    assert [upstream.name for upstream in settings.upstreams] == ["openai", "gateway"]
    assert [route.name for route in settings.routes] == ["search", "batches"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads(example: Path, tmp_path: Path):
    text = example.read_text()
    # The files that an example names are not here: each is replaced by one that is.
    for name in set(re.findall(r"/(?:etc|run)/[\w./-]+", text)):
        stand_in = tmp_path / name.replace("/", "_")
        stand_in.write_text("stand-in")
        text = text.replace(name, str(stand_in))
    file = tmp_path / example.name
    file.write_text(text)
    names = re.findall(r"env:(\w+)", text)
    env = {name: "https://h.example" if name.endswith("_URL") else "k" for name in names}
    settings = load(str(file), env=env)
    assert settings.upstreams


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {
        "openai-only",
        "own-gateway",
        "azure",
        "corporate-proxy",
    }
