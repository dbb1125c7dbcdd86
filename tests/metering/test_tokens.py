"""Usage of every provider, made alike."""

from __future__ import annotations

import pytest

from sidecar.core.facts import Usage
from sidecar.metering.tokens import Tokens, alike, rate_per_s


@pytest.mark.parametrize(
    ("dialect", "usage", "tokens"),
    [
        ("openai", Usage(10, 20, 4, None, 5, 30), Tokens(10, 20, 4, None, 5)),
        # xAI's chat: the total tells.
        ("openai", Usage(10, 20, None, None, 5, 35), Tokens(10, 25, None, None, 5)),
        # A gateway: more reasoning than output.
        ("openai", Usage(10, 3, None, None, 5, 13), Tokens(10, 8, None, None, 5)),
        ("openai", Usage(10, 20, None, None, 5), Tokens(10, 20, None, None, 5)),
        ("openai", Usage(), Tokens()),
        ("anthropic", Usage(10, 20, 100, 7), Tokens(117, 20, 100, 7, None)),
        ("bedrock-converse", Usage(10, 20, 100), Tokens(110, 20, 100, None, None)),
        ("gemini", Usage(10, 20, 4, None, 5, 35), Tokens(10, 25, 4, None, 5)),
        # Only thoughts were made.
        ("gemini", Usage(10, None, None, None, 5), Tokens(10, 5, None, None, 5)),
    ],
)
def test_each_provider_counts_in_its_own_way(dialect: str, usage: Usage, tokens: Tokens) -> None:
    assert alike(usage, dialect) == tokens


def test_the_parts_are_disjoint_and_never_below_nothing() -> None:
    assert (Tokens(10, 20, 4, 1, 5).plain_input, Tokens(10, 20, 4, 1, 5).plain_output) == (5, 15)
    assert Tokens(10, None, 15).plain_input == 0, "more cached than there was"
    assert (Tokens().plain_input, Tokens().plain_output) == (None, None)


def test_the_rate_counts_from_the_first_event_to_the_last() -> None:
    assert rate_per_s(Tokens(output_tokens=101), 1.0, 3.0, 100, False) == 50.0


def test_reasoning_that_was_not_shown_was_made_before() -> None:
    tokens = Tokens(output_tokens=101, reasoning_tokens=50)
    assert rate_per_s(tokens, 1.0, 2.0, 50, has_reasoned=False) == 50.0
    assert rate_per_s(tokens, 1.0, 2.0, 50, has_reasoned=True) == 100.0


@pytest.mark.parametrize(
    ("tokens", "first", "last", "events"),
    [
        (None, 1.0, 2.0, 5),
        (10, None, None, 0),
        (10, 1.0, 1.04, 5),
        (10, 1.0, 2.0, 1),
        (1, 1.0, 2.0, 2),
    ],
)
def test_too_little_gives_no_rate(
    tokens: int | None, first: float | None, last: float | None, events: int
) -> None:
    assert rate_per_s(Tokens(output_tokens=tokens), first, last, events, 0) is None
