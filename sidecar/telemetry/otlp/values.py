"""Attributes as protobuf: made once, used often.

Knows: how a Python value becomes an AnyValue.
Must not know: which attributes there are.
Why a cache: the labels of a page of metrics are those of the page before it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import Any

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


def add(attributes: Any, key: str, value: Value) -> None:
    """One more, to a message's own list: half of the work of making one apart."""
    pair = attributes.add()
    pair.key = key
    kind = type(value)
    if kind is str:
        pair.value.string_value = text(value)  # type: ignore[arg-type]  # it is one
    elif kind is int:
        pair.value.int_value = value
    elif kind is float:
        pair.value.double_value = value
    else:
        pair.value.CopyFrom(_any(value))


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
