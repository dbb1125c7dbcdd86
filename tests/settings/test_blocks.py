"""Blocks are read by the fields of their dataclass."""

from __future__ import annotations

import pytest

from sidecar.policies import pool, timeouts
from sidecar.settings.blocks import open_block, place_of, read_block, read_value, rows, show_block
from sidecar.settings.kinds import Count, Hosts
from sidecar.settings.parse import parse_text
from sidecar.settings.problems import ConfigError, Place, Problems
from sidecar.settings.schema import Listen
from sidecar.settings.tree import Node


def node(text: str) -> Node | None:
    return parse_text(text, "f", Problems())


def told(problems: Problems) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    return [str(problem) for problem in caught.value.problems]


def test_the_keys_of_a_block_are_its_fields_without_their_units():
    assert [row.key for row in rows(timeouts.Rule)] == ["connect", "first_byte", "idle", "total"]
    plain = ["address", "max_connections", "max_request_body", "allowed_hosts", "reveal"]
    assert [row.key for row in rows(Listen)] == plain


def test_a_written_key_stands_above_the_value_below_it_and_the_others_stay():
    problems = Problems()
    below = timeouts.Rule(connect_s=1, idle_s=2)
    rule = read_block(below, node("{idle: 3s, total: 1m}"), "t", problems)
    problems.raise_if_any()
    assert rule == timeouts.Rule(connect_s=1, idle_s=3, total_s=60)


@pytest.mark.parametrize("text", ["", "~", "{}"])
def test_an_empty_block_changes_nothing(text: str):
    problems = Problems()
    assert read_block(pool.Rule(), node(text), "pool", problems) == pool.Rule()
    problems.raise_if_any()


def test_all_that_is_wrong_in_a_block_is_told():
    problems = Problems()
    written = node("{max_idel: 1, keepalive: x, max_age: 5}")
    rule = read_block(pool.Rule(), written, "pool", problems)
    assert rule == pool.Rule()
    assert told(problems) == [
        "f:1:2: pool.max_idel: unknown key; did you mean 'max_idle'?",
        "f:1:26: pool.keepalive: a duration is a number with its unit: 250ms, 5s, 2m or 1h",
        "f:1:38: pool.max_age: a duration is a number with its unit: 250ms, 5s, 2m or 1h",
    ]


def test_what_is_no_block_is_told_and_counts_as_empty():
    problems = Problems()
    assert open_block(node("[1]"), "pool", ("a",), problems) == {}
    assert told(problems) == ["f:1:1: pool: expected a block of keys, found a list"]


def test_a_wrong_value_is_replaced_so_that_reading_goes_on():
    problems = Problems()
    bad = node("x")
    assert bad is not None
    assert read_value(Count(), bad, "n", problems, 7) == 7
    bad_list = node("[a, 1]")
    assert bad_list is not None
    assert read_value(Hosts(), bad_list, "hosts", problems, ()) == ()
    assert "hosts.1" in told(problems)[1]


def test_a_block_is_shown_in_yamls_own_words():
    assert show_block(timeouts.Rule(connect_s=0.25)) == {
        "connect": "250ms",
        "first_byte": "10m",
        "idle": "10m",
        "total": "off",
    }


def test_a_place_is_that_of_the_first_block_that_has_the_key():
    own, default = node("{a: 1}"), node("\n{a: 1, b: 2}")
    assert place_of("a", own, default) == Place("f", 1, 5)
    assert place_of("b", own, default) == Place("f", 2, 11)
    assert place_of("c", own, default, None) is None
