"""Values as protobuf, and back."""

from __future__ import annotations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sidecar.dialects.asked import Value
from sidecar.telemetry.otlp.values import add, fresh, resource, text, usual
from tests.wire.collector import attributes


@pytest.mark.parametrize("value", ["a", "", 5, -5, True, False, 1.5, ("a", "b")])
def test_a_value_keeps_its_type(value: Value) -> None:
    for make in (fresh, usual):
        [(key, told)] = attributes([make("k", value)]).items()
        assert (key, told, type(told)) == ("k", value, type(value))
    span = Span()
    add(span.attributes, "k", value)
    assert span.attributes[0] == fresh("k", value)


def test_equal_values_of_other_types_are_not_mixed_up() -> None:
    assert [type(attributes([usual("k", value)])["k"]) for value in (True, 1, 1.0)] == [
        bool,
        int,
        float,
    ]


def test_what_utf_8_cannot_say_is_replaced() -> None:
    assert text("a\ud800b") == "a?b"
    assert text("\u00e4") == "\u00e4"
    usual("k", "a\ud800b").SerializeToString()


def test_a_resource_is_its_attributes() -> None:
    assert attributes(resource([("service.name", "x"), ("pid", 3)]).attributes) == {
        "service.name": "x",
        "pid": 3,
    }
