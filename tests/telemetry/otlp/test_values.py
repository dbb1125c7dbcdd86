"""Values as protobuf, and back."""

from __future__ import annotations

import pytest

from sidecar.dialects.asked import Value
from sidecar.telemetry.otlp.values import fresh, resource, text, usual, usual_all
from tests.wire.collector import attributes


@pytest.mark.parametrize("value", ["a", "", 5, -5, True, False, 1.5, ("a", "b")])
def test_a_value_keeps_its_type(value: Value) -> None:
    for make in (fresh, usual):
        [(key, told)] = attributes([make("k", value)]).items()
        assert (key, told, type(told)) == ("k", value, type(value))


def test_equal_values_of_other_types_are_not_mixed_up() -> None:
    told = attributes(usual_all({"a": True, "b": 1, "c": 1.0}))
    assert [type(value) for value in told.values()] == [bool, int, float]
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
