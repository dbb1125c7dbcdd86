"""The JSON Schema says what is read, no more and no less."""

from __future__ import annotations

import json
import re
from typing import Any

from sidecar.settings.blocks import rows
from sidecar.settings.doors import ADMIN_APART, AUTH_KEYS, LISTEN_APART
from sidecar.settings.json_schema import block_schema, json_schema
from sidecar.settings.load import TOP_KEYS, load
from sidecar.settings.observing import APART
from sidecar.settings.schema import Admin, Listen
from sidecar.settings.show import effective
from sidecar.settings.telemetry import Log, Telemetry
from sidecar.settings.upstreams import DEFAULTS_KEYS, UPSTREAM_KEYS


def properties(*path: str) -> dict[str, Any]:
    node: Any = json_schema()
    for step in path:
        node = node[step]
    return node["properties"]  # type: ignore[no-any-return]  # JSON has no types


def test_it_is_json():
    assert json.loads(json.dumps(json_schema())) == json_schema()


def test_it_has_exactly_the_keys_that_are_read():
    assert tuple(properties()) == TOP_KEYS
    telemetry = (*(row.key for row in rows(Telemetry)), *APART)
    assert tuple(properties("properties", "telemetry")) == telemetry
    assert tuple(properties("properties", "defaults")) == DEFAULTS_KEYS
    one_upstream = json_schema()["properties"]["upstreams"]["additionalProperties"]["anyOf"][0]  # type: ignore[index]  # JSON has no types
    assert tuple(one_upstream["properties"]) == UPSTREAM_KEYS
    listen = (*(row.key for row in rows(Listen)), *LISTEN_APART)
    assert tuple(properties("properties", "listen")) == listen
    admin = (*(row.key for row in rows(Admin)), *ADMIN_APART)
    assert tuple(properties("properties", "admin")) == admin
    [off_or_block] = properties("properties", "listen")["auth"]["anyOf"][:1]
    assert tuple(off_or_block["properties"]) == AUTH_KEYS


def test_a_field_brings_its_default_and_its_text():
    listen = block_schema(Listen)["properties"]
    assert isinstance(listen, dict)
    assert listen["address"]["default"] == "127.0.0.1:8484"
    assert listen["allowed_hosts"]["description"].startswith("Names that a Host header may carry")
    log = block_schema(Log)["properties"]
    assert isinstance(log, dict)
    assert log["level"]["enum"] == ["debug", "info", "warning", "error"]


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
    "null": type(None),
}


def accepts(schema: Any, value: Any) -> bool:
    """The few words of JSON Schema that ours uses."""
    if "anyOf" in schema:
        return any(accepts(one, value) for one in schema["anyOf"])
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, TYPES[schema["type"]]):
        return False
    if schema["type"] == "object":
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        return all(
            accepts(known[key], inner) if key in known else bool(other) and accepts(other, inner)
            for key, inner in value.items()
        )
    if schema["type"] == "array":
        return all(accepts(schema["items"], item) for item in value)
    return "pattern" not in schema or re.search(schema["pattern"], value) is not None


def test_the_effective_configuration_fits_it():
    assert accepts(json_schema(), effective(load(None, env={})))


def test_and_what_is_wrong_does_not():
    for wrong in (
        {"listn": {}},
        {"version": 2},
        {"defaults": {"timeouts": {"idle": 5}}},
        {"upstreams": {"openai": {"models": {}}}},
        {"telemetry": {"log": {"level": "loud"}}},
        {"routes": [{"split": {}}]},
    ):
        assert not accepts(json_schema(), wrong)
