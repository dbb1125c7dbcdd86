"""The JSON Schema of the YAML, for editors: completion, hints and red underlines.

Knows: how the blocks nest. Everything within a block comes from the dataclass that it is read
into, its texts included, so that the schema cannot promise a key that is not read.
Must not know: any value of a configuration.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sidecar.core.providers import KNOWN
from sidecar.policies import patience, pool, routing, timeouts
from sidecar.settings.blocks import rows
from sidecar.settings.kinds import OFF, Count, Kind, OrOff, Switch, Text
from sidecar.settings.observing import LABEL_NAME, LABEL_SOURCE, LABEL_VALUE, Endpoint
from sidecar.settings.prices import BUILT_IN, WHERE
from sidecar.settings.references import ApiKey, EgressProxy, Url
from sidecar.settings.routes import MATCH_KEYS, MATCH_KINDS, NAME, PATTERN, ROUTE_KEYS
from sidecar.settings.schema import Admin, Listen, Scrape, ServerTls, Shutdown, Tls
from sidecar.settings.telemetry import (
    Files,
    Log,
    Metrics,
    Otlp,
    Signal,
    Telemetry,
    Traces,
)
from sidecar.settings.upstreams import (
    AS_SENT,
    DEFAULTS_KEYS,
    DIALECTS,
    NAME_PATTERN,
    PROPAGATES,
    PROVIDER,
    UPSTREAM_KEYS,
    USAGE,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, object]:
    """The schema of a whole file."""
    shared = _shared()
    upstream: dict[str, object] = {
        "url": Url({}).json_schema(),
        "dialect": DIALECTS.json_schema(),
        "provider": PROVIDER.json_schema(),
        "propagate": {
            **PROPAGATES.json_schema(),
            "description": "For this one, in place of telemetry.traces.propagate.",
        },
        **shared,
    }
    known = ", ".join(KNOWN)
    return {
        "$schema": _DIALECT,
        "title": "sidecar.yaml",
        **_object(
            {
                "version": {"const": 1},
                "listen": _listen(),
                "admin": _with(
                    block_schema(Admin), token=_key("Asked of whoever reads this port.")
                ),
                "scrape": block_schema(Scrape),
                "defaults": _object(
                    {key: shared[key] for key in DEFAULTS_KEYS}, "Merged into every upstream."
                ),
                "upstreams": {
                    "type": "object",
                    "description": f"Only these exist; without it, all known ones: {known}.",
                    "minProperties": 1,
                    "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
                    "additionalProperties": _or_nothing(
                        _object({key: upstream[key] for key in UPSTREAM_KEYS})
                    ),
                },
                "routes": {"type": "array", "items": _route()},
                "telemetry": _telemetry(),
                "prices": {
                    **OrOff(WHERE).json_schema(),
                    "description": "builtin, off, or the name of a file: what answers cost.",
                    "default": BUILT_IN,
                },
                "shutdown": block_schema(Shutdown),
            }
        ),
    }


def _shared() -> dict[str, object]:
    return {
        "api_key": _key("We set it and remove the caller's: ${env:NAME} or ${file:/path}."),
        "tls": block_schema(Tls),
        "proxy": {**EgressProxy({}).json_schema(), "description": "env, off or http://host:port"},
        "pool": block_schema(pool.Rule),
        "timeouts": block_schema(timeouts.Rule),
        "usage": {
            **USAGE.json_schema(),
            "description": "ask: have streams report usage, and withhold the one extra event.",
            "default": AS_SENT,
        },
    }


def _listen() -> dict[str, object]:
    tokens = {"type": "array", "minItems": 1, "items": {"type": "string"}}
    return _with(
        block_schema(Listen),
        tls=_or_off(block_schema(ServerTls)),
        auth=_or_off(_object({"tokens": tokens}, "Whoever calls must bring one of these.")),
        timeouts=block_schema(patience.Rule),
    )


def _telemetry() -> dict[str, object]:
    endpoint = OrOff(Endpoint({})).json_schema()
    headers: dict[str, object] = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "They may hold a credential: ${env:NAME} or ${file:/path}.",
    }
    signal = _with(block_schema(Signal), endpoint=endpoint, headers=headers)
    resource: dict[str, object] = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "description": "Attributes of all that is sent; service.name among them.",
    }
    label = _object(
        {
            "from": LABEL_SOURCE.json_schema(),
            "values": {"type": "array", "minItems": 1, "items": LABEL_VALUE.json_schema()},
            "max": Count().json_schema(),
        },
        "A label from a header: one of `values`, or of the first `max` that come; else `other`.",
    )
    return _with(
        block_schema(Telemetry),
        otlp=_with(
            block_schema(Otlp),
            endpoint={**endpoint, "description": "http(s)://host:port of a collector."},
            headers=headers,
            resource=resource,
            tls=block_schema(Files),
            traces=signal,
            metrics=signal,
        ),
        traces=block_schema(Traces),
        metrics=block_schema(Metrics),
        log=block_schema(Log),
        labels={
            "type": "object",
            "propertyNames": LABEL_NAME.json_schema(),
            "additionalProperties": {**label, "required": ["from"]},
        },
    )


def _key(text: str) -> dict[str, object]:
    return {**ApiKey({}).json_schema(), "description": text}


def _with(block: dict[str, Any], **more: dict[str, object]) -> dict[str, object]:
    """A block that has keys of other kinds, too."""
    return {**block, "properties": {**block["properties"], **more}}


def _or_off(schema: dict[str, object]) -> dict[str, object]:
    return {"anyOf": [schema, {"enum": [OFF, False, None]}]}


def _route() -> dict[str, object]:
    header: dict[str, object] = {"type": "object", "additionalProperties": PATTERN.json_schema()}
    match = {key: header if key == "header" else _of(MATCH_KINDS[key]) for key in MATCH_KEYS}
    texts = _field_texts(routing.Match)
    for key, text in texts.items():
        match[key] = {**match[key], "description": text}
    parts: dict[str, object] = {
        "name": NAME.json_schema(),
        "match": _object(match, "All that is given must hold; * is a wildcard."),
        "strip_prefix": Switch().json_schema(),
        "to": {**Text("a name", NAME_PATTERN).json_schema(), "description": "An upstream's name."},
    }
    return {**_object({key: parts[key] for key in ROUTE_KEYS}), "required": ["to"]}


def block_schema(block: type[DataclassInstance]) -> dict[str, object]:
    """One block, with the default and the text of each of its fields."""
    defaults = block()
    texts = _field_texts(block)
    properties: dict[str, object] = {}
    for row in rows(block):
        described = {"description": texts[row.field]} if row.field in texts else {}
        default = row.kind.show(getattr(defaults, row.field))
        properties[row.key] = {**row.kind.json_schema(), **described, "default": default}
    return _object(properties)


def _of(kind: Kind[str]) -> dict[str, object]:
    return kind.json_schema()


def _object(properties: Mapping[str, object], text: str = "") -> dict[str, object]:
    described = {"description": text} if text else {}
    return {
        "type": "object",
        **described,
        "properties": dict(properties),
        "additionalProperties": False,
    }


def _or_nothing(schema: dict[str, object]) -> dict[str, object]:
    return {"anyOf": [schema, {"type": "null"}]}


def _field_texts(block: type[DataclassInstance]) -> dict[str, str]:
    """The string that stands below each field in the source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(block))).body[0]
    texts: dict[str, str] = {}
    field: str | None = None
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and field:
            texts[field] = " ".join(str(node.value.value).split())
            field = None
        else:
            field = None
    return texts
