"""Finding and loading a configuration."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.settings.load import ConfigError, find, load
from sidecar.settings.schema import Admin, Listen, Settings
from sidecar.settings.telemetry import Log

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]


def test_the_built_in_configuration_is_the_schemas_defaults():
    built_in = load(None, env={})
    assert (built_in.listen, built_in.admin, built_in.telemetry.log) == (Listen(), Admin(), Log())
    assert built_in.routes == ()
    assert built_in.source == "built-in"
    assert len(built_in.hash) == 12


def test_the_source_says_where_it_came_from(load_text: Load, tmp_path: Path):
    assert load_text("{}").source == str(tmp_path / "c.yaml")
    assert load(None, to="https://h.example", env={}).source == "--to"


def test_all_problems_are_told_at_once_in_reading_order(wrong: Wrong):
    text = """\
version: 2
lisden: {}
listen: {address: nowhere, max_request_body: big}
defaults:
  timeouts: {idle: 5, idle: 6s}
  tls: {ca_file: /nowhere/x}
upstreams:
  gw: {}
  openai: {api_key: "${env:NOPE}"}
routes:
  - to: gv
telemetry: {log: {level: loud}, otpl: {}}
mode: enforce
"""
    problems = wrong(text, sets=["x=1"], env={"SIDECAR_ADMIN": "y"})
    assert [problem.split(": ")[0:2] for problem in problems] == [
        ["1:10", "version"],
        ["2:1", "lisden"],
        ["3:19", "listen.address"],
        ["3:46", "listen.max_request_body"],
        ["5:20", "defaults.timeouts.idle"],
        ["5:23", "defaults.timeouts.idle"],
        ["6:18", "defaults.tls.ca_file"],
        ["8:3", "upstreams.gw"],
        ["9:21", "upstreams.openai.api_key"],
        ["11:9", "routes.0.to"],
        ["12:26", "telemetry.log.level"],
        ["12:33", "telemetry.otpl"],
        ["13:1", "mode"],
        ["--set", "x"],
        ["SIDECAR_ADMIN", "admin.address"],
    ]


def test_the_version_may_be_said_and_is_checked(load_text: Load, wrong: Wrong):
    load_text("version: 1")
    assert wrong("version: 2") == ["1:10: version: expected 1"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_file_is_refused_because_a_cut_write_leaves_one(wrong: Wrong, text: str):
    assert "the file is empty" in wrong(text)[0]


@pytest.mark.parametrize("text", ["[]", "5", "text"])
def test_a_file_that_is_no_block_is_refused(wrong: Wrong, text: str):
    assert "expected a block of keys" in wrong(text)[0]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/nowhere/c.yaml", "/nowhere/c.yaml: cannot be read: No such file or directory"),
        ("/", "/: cannot be read: Is a directory"),
        ("a\0b", "-c: this cannot be the name of a file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, says: str):
    with pytest.raises(ConfigError) as caught:
        load(path, env={})
    assert str(caught.value) == says


def test_a_file_larger_than_the_limit_is_refused(wrong: Wrong):
    assert wrong("#" * ((1 << 20) + 1)) != []


def test_the_hash_changes_with_the_effective_configuration_alone(load_text: Load):
    base = load_text("{}").hash
    assert load_text("# a comment\nlisten: {address: 127.0.0.1:8484}").hash == base
    assert load(None, env={}).hash == base
    assert load_text("telemetry: {log: {format: text}}").hash != base


def test_the_hash_knows_that_there_is_a_key_and_not_which(load_text: Load):
    text = "upstreams: {openai: {api_key: '${env:K}'}}"
    assert load_text(text, env={"K": "a"}).hash == load_text(text, env={"K": "b"}).hash
    assert load_text(text, env={"K": "a"}).hash != load_text("upstreams: {openai: {}}").hash


def test_a_file_is_found_in_the_order_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sidecar.settings.load.USUAL_PLACES", ("sidecar.yaml", str(tmp_path / "e")))
    assert find(None, {}) is None
    (tmp_path / "e").touch()
    assert find(None, {}) == str(tmp_path / "e")
    (tmp_path / "sidecar.yaml").touch()
    assert find(None, {}) == "sidecar.yaml"
    assert find(None, {"SIDECAR_CONFIG": "/x.yaml"}) == "/x.yaml"
    assert find(None, {"SIDECAR_CONFIG": ""}) == "sidecar.yaml"
    assert find("y.yaml", {"SIDECAR_CONFIG": "/x.yaml"}) == "y.yaml"


CANARY = "sk-canary-00d1"


@pytest.mark.parametrize(
    "text",
    [
        f"upstreams: {{openai: {{api_key: {CANARY}, x: 1}}}}",
        f"upstreams: {{openai: {{api_kee: {CANARY}}}}}",
        f"upstreams: {{openai: {{api_key: [{CANARY}]}}}}",
        f"upstreams: {{openai: {CANARY}}}",
        f"upstreams:\n  openai:\n    api_key:{CANARY}",
        f"upstreams:\n  openai:\n    api_key: '{CANARY}",
        f"upstreams:\n  openai:\n    api_key: {CANARY} : b",
        f"upstreams: {{openai: {{url: {CANARY}}}}}",
        f"upstreams: {{openai: {{proxy: {CANARY}}}}}",
        f"upstreams: {{openai: {{proxy: 'http://u:{CANARY}@h:x'}}}}",
        f"upstreams: {{openai: {{dialect: {CANARY}, provider: '{CANARY}!'}}, x: {{}}}}",
        f"listen: {{address: {CANARY}, max_request_body: {CANARY}, allowed_hosts: ['{CANARY}:1']}}",
        f"defaults: {{timeouts: {{idle: {CANARY}}}, pool: {{max_idle: {CANARY}}}}}",
        f"routes: [{{to: {CANARY}, name: 'a {CANARY}', match: {{path: {CANARY}}}}}]",
        f"{CANARY * 3}: 1",
        f"version: {CANARY}",
        CANARY,
    ],
)
def test_no_value_ever_appears_in_a_problem(wrong: Wrong, text: str):
    assert CANARY not in "\n".join(wrong(text))


@given(st.binary(max_size=120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise_anything_but_a_config_error(load_text: Load, text: bytes):
    with contextlib.suppress(ConfigError):
        load_text(text)


WORDS = st.sampled_from(
    [
        "listen", "address", "admin", "defaults", "upstreams", "openai", "gw", "url",
        "pool", "timeouts", "idle", "tls", "proxy", "api_key", "routes", "name", "match",
        "prefix", "header", "to", "telemetry", "log", "version", "off", "5s", "1", "[]",
        "{}", "~", "${env:X}", "https://h", "${file:/}", "-1", "1e9", ":1", "/x", "*",
    ]
)  # fmt: skip
TREES = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, TREES, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_arrangement_of_our_own_words_does_either(load_text: Load, tree: object):
    with contextlib.suppress(ConfigError):
        load_text(json.dumps(tree))


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_set_no_target_and_no_variable_does_either(left: str, right: str):
    for sets, to, env in (
        ([f"{left}={right}", f"listen.{left}={right}", f"upstreams.{left}.url={right}"], None, {}),
        ([], left, {}),
        ([], None, {"SIDECAR_LISTEN": left, "SIDECAR_ALLOWED_HOSTS": right, "HTTPS_PROXY": left}),
    ):
        with contextlib.suppress(ConfigError):
            load(None, sets=sets, to=to, env=env)


def test_the_built_in_configuration_loads_fast():
    load(None, env={})
    began = time.perf_counter()
    load(None, env={})
    assert time.perf_counter() - began < 0.03


def test_the_built_in_configuration_does_not_wait_for_yaml():
    code = (
        "import sys; from sidecar.settings.load import load; load(None, env={});"
        "assert 'yaml' not in sys.modules and 'aiohttp' not in sys.modules"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
