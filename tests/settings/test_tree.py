"""Nodes made by us."""

from __future__ import annotations

from sidecar.settings.problems import Place
from sidecar.settings.tree import Scalar, mapping


def test_a_mapping_that_nobody_wrote_has_its_keys_where_it_stands():
    place = Place("--set")
    node = mapping(place, {"a": Scalar(place, "1")})
    assert node.keys == {"a": place}
    assert node.place == place
