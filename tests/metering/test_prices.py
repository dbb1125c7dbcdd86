"""What an answer cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.records import Tokens
from sidecar.metering.prices import Price, PriceBook, PriceTable, ProviderPrices, Rates, cost_usd

PLAIN = Price(input=2.0, output=8.0)
CACHED = Price(input=2.0, output=8.0, cache_read=0.2, cache_write=2.5)
COUNT = st.none() | st.integers(0, 1 << 40)
RATE = st.none() | st.floats(0, 1000)


def book(**models: Price) -> PriceBook:
    named = {name.replace("_", "-"): price for name, price in models.items()}
    return PriceBook(PriceTable("2026-11-23", {"p": ProviderPrices(named)}))


@pytest.mark.parametrize(
    ("tokens", "price", "cost"),
    [
        (Tokens(1000, 100), PLAIN, 0.0028),
        (Tokens(1000, 100, 400, 100), CACHED, (500 * 2 + 400 * 0.2 + 100 * 2.5 + 800) / 1e6),
        (Tokens(1000, 100, 400), PLAIN, 0.0028),
        (Tokens(0, 0), PLAIN, 0.0),
        (Tokens(1000), Price(input=0.1), 0.0001),
        (Tokens(10, 100, None, None, 40), Price(input=0, output=1, reasoning=3), 180 / 1e6),
        (Tokens(10, 100, None, None, 40), Price(input=0, output=1), 100 / 1e6),
    ],
)
def test_each_kind_of_token_has_its_rate(tokens: Tokens, price: Price, cost: float) -> None:
    assert cost_usd(tokens, price) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("tokens", "price"),
    [
        (Tokens(), PLAIN),
        (Tokens(None, 100), PLAIN),
        (Tokens(1000, None), PLAIN),
        (Tokens(1000, 100), Price(output=1.0)),
    ],
)
def test_what_is_not_known_costs_nobody_knows_what(tokens: Tokens, price: Price) -> None:
    assert cost_usd(tokens, price) is None


@pytest.mark.parametrize(("inputs", "cost"), [(200, 200 * 1 + 10 * 5), (201, 201 * 2 + 10 * 7)])
def test_long_requests_have_rates_of_their_own(inputs: int, cost: float) -> None:
    price = Price(input=1.0, output=5.0, above={"200": Rates(input=2.0, output=7.0)})
    assert cost_usd(Tokens(inputs, 10), price) == pytest.approx(cost / 1e6)


@pytest.mark.parametrize(
    ("tier", "is_known"),
    [(None, True), ("default", True), ("standard", True), ("flex", False), ("priority", False)],
)
def test_a_tier_that_the_table_does_not_know_has_no_cost(tier: str | None, is_known: bool) -> None:
    assert (cost_usd(Tokens(1, 1), PLAIN, tier) is not None) is is_known


@given(st.tuples(*[COUNT] * 5), st.tuples(*[RATE] * 5))
def test_a_cost_is_never_negative(
    counts: tuple[int | None, ...], rates: tuple[float | None, ...]
) -> None:
    cost = cost_usd(Tokens(*counts), Price(*rates))
    assert cost is None or cost >= 0


def test_an_exact_name_stands_above_a_pattern_and_a_long_one_above_a_short_one() -> None:
    prices = {name: Price(input=at) for at, name in enumerate(["gpt-*", "gpt-4o*", "gpt-4o", "*"])}
    asked = PriceBook(PriceTable("d", {"p": ProviderPrices(prices)}))
    for model, at in (("gpt-4o", 2), ("gpt-4o-mini", 1), ("gpt-5", 0), ("llama", 3)):
        for _ in range(2):
            assert asked.price_of("p", model) == Price(input=at)


def test_the_first_model_that_has_a_price_counts() -> None:
    asked = book(gpt_4=PLAIN)
    assert asked.price_of("p", None, "unheard-of", "gpt-4") is PLAIN


@pytest.mark.parametrize("provider", [None, "q"])
def test_an_unknown_provider_has_no_prices(provider: str | None) -> None:
    assert book(gpt_4=PLAIN).price_of(provider, "gpt-4") is None


def test_brackets_and_question_marks_are_no_wildcards() -> None:
    prices = {"a[b]?*": PLAIN}
    asked = PriceBook(PriceTable("d", {"p": ProviderPrices(prices)}))
    assert asked.price_of("p", "a[b]?c") is PLAIN
    assert asked.price_of("p", "abxc") is None


def test_what_was_looked_up_is_remembered_within_bounds() -> None:
    asked = book(gpt_4=PLAIN)
    for number in range(2500):
        asked.price_of("p", f"m{number}")
    assert len(asked._found) <= 1000
