"""Attributes as protobuf: made once, used often.

Knows: how a Python value becomes an AnyValue.
Must not know: which attributes there are.
Why a cache: nearly all attributes of a span say what those of the last one said, and a message
that is there already is copied in a tenth of the time that it takes to make it (measured 2026-11).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache

from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from sidecar import __version__
from sidecar.dialects.asked import Value
from sidecar.telemetry.conventions import SCOPE


def fresh(key: str, value: Value) -> KeyValue:
    """A value that is unlikely to come again: an id, a count, a time."""
    return KeyValue(key=key, value=_any(value))


# The type is part of the key: True == 1 == 1.0.
@lru_cache(maxsize=4096)
def _usual(key: str, value: Value, _: Hashable) -> KeyValue:
    return fresh(key, value)


def usual(key: str, value: Value) -> KeyValue:
    """A value that will come again."""
    return _usual(key, value, type(value).__name__)


def usual_all(attributes: Mapping[str, Value]) -> Iterable[KeyValue]:
    """All of them."""
    return [usual(key, value) for key, value in attributes.items()]


def _any(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, tuple):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value=text(value))


def text(value: str) -> str:
    """What protobuf takes: no half of a surrogate pair."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def scope() -> InstrumentationScope:
    """Who has measured."""
    return InstrumentationScope(name=SCOPE, version=__version__)


def resource(attributes: Iterable[tuple[str, Value]]) -> Resource:
    """Of whom all this is said."""
    return Resource(attributes=[fresh(key, value) for key, value in attributes])
