"""Tokens where none were told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.records import Tokens
from sidecar.metering.estimate import KEPT_MODELS, Ratios

KEY = ("openai", "m")
NOTHING = Tokens()


def test_an_event_is_a_token_until_something_was_learned() -> None:
    assert Ratios().fill_in(KEY, NOTHING, 40, 1000) == Tokens(None, 40)


def test_ratios_are_the_models_own() -> None:
    ratios = Ratios()
    ratios.learn(KEY, Tokens(250, 90), 30, 1000)
    assert ratios.fill_in(KEY, NOTHING, 10, 2000) == Tokens(500, 30)
    assert ratios.fill_in(("openai", "other"), NOTHING, 10, 2000) == Tokens(None, 10)


def test_later_answers_weigh_more() -> None:
    ratios = Ratios()
    for _ in range(200):
        ratios.learn(KEY, Tokens(1, 10), 10, 1)
    for _ in range(200):
        ratios.learn(KEY, Tokens(1, 50), 10, 1)
    assert ratios.fill_in(KEY, NOTHING, 10, 1) == Tokens(1, 50)


def test_only_what_is_missing_is_filled_in() -> None:
    ratios = Ratios()
    assert ratios.fill_in(KEY, Tokens(7, None, 3), 5, 100) == Tokens(7, 5, 3)
    assert ratios.fill_in(KEY, Tokens(7, 8), 5, 100) is None


def test_reasoning_that_made_no_events_teaches_nothing() -> None:
    ratios = Ratios()
    ratios.learn(KEY, Tokens(10, 5000, reasoning_tokens=4900), 100, 40)
    assert ratios.fill_in(KEY, NOTHING, 10, 40) == Tokens(10, 10)


@pytest.mark.parametrize("told", [NOTHING, Tokens(0, 0)])
def test_answers_that_tell_nothing_teach_nothing(told: Tokens) -> None:
    ratios = Ratios()
    ratios.learn(KEY, told, 0, 0)
    assert ratios.fill_in(KEY, NOTHING, 3, 9) == Tokens(None, 3)


def test_the_models_used_last_are_kept() -> None:
    ratios = Ratios()
    ratios.learn(KEY, Tokens(1, 20), 10, 1)
    for number in range(KEPT_MODELS + 50):
        ratios.learn(("u", f"m{number}"), Tokens(1, 30), 10, 1)
        ratios.learn(KEY, Tokens(1, 20), 10, 1)
    assert len(ratios._sums) <= KEPT_MODELS
    assert ratios.fill_in(KEY, NOTHING, 10, 1) == Tokens(1, 20)
    assert ratios.fill_in(("u", "m0"), NOTHING, 10, 1) == Tokens(None, 10)


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 30)), max_size=5))
def test_an_estimate_is_never_negative(answers: list[tuple[int, int]]) -> None:
    ratios = Ratios()
    for tokens, events in answers:
        ratios.learn(KEY, Tokens(tokens, tokens), events, events)
    made = ratios.fill_in(KEY, NOTHING, 10, 10)
    assert made is not None
    assert made.output_tokens is not None
    assert made.output_tokens >= 0
