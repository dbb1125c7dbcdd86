"""What an answer cost: a dated table of rates, and arithmetic.

Knows: rates in US dollars per million tokens, by provider and pattern of model.
Must not know: files (`settings` reads the table), or who asks.
Unknown is None: a model without a row, a usage without a count that the row has a rate for, or a
service tier of which the table says nothing has no cost, rather than a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from sidecar.core.records import Tokens

_STANDARD_TIERS: Final = frozenset({"default", "standard", "auto", "on_demand", "ON_DEMAND"})
_REMEMBERED: Final = 1000
_MILLION: Final = 1e6


class Rates(msgspec.Struct, frozen=True, gc=False):
    """US dollars per million tokens. None: the provider has no rate of its own for it."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None


class Price(Rates, frozen=True):
    """`above`: rates that stand instead, for requests with more input tokens than the key."""

    above: dict[str, Rates] = {}


class ProviderPrices(msgspec.Struct, frozen=True):
    """Pattern of model -> price. In a pattern `*` is a wildcard; the longest that fits counts."""

    models: dict[str, Price]
    source: str | None = None
    """Where the rates were read."""


class PriceTable(msgspec.Struct, frozen=True):
    """By gen_ai.provider.name."""

    date: str
    """When they were read: YYYY-MM-DD."""
    providers: dict[str, ProviderPrices]
    source: str | None = None


class PriceBook:
    """A table, and what was looked up in it."""

    __slots__ = ("_found", "_patterns", "table")

    def __init__(self, table: PriceTable) -> None:
        self.table = table
        self._found: dict[tuple[str, str], Price | None] = {}
        self._patterns = {
            name: sorted((p for p in told.models if "*" in p), key=len, reverse=True)
            for name, told in table.providers.items()
        }

    def price_of(self, provider: str | None, *models: str | None) -> Price | None:
        """The price of the first of the models that has one."""
        if provider is None or provider not in self.table.providers:
            return None
        for model in models:
            if model is not None and (price := self._look_up(provider, model)) is not None:
                return price
        return None

    def _look_up(self, provider: str, model: str) -> Price | None:
        key = provider, model
        if key in self._found:
            return self._found[key]
        price = self._match(self.table.providers[provider].models, provider, model)
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[key] = price
        return price

    def _match(self, models: Mapping[str, Price], provider: str, model: str) -> Price | None:
        if "*" not in model and (price := models.get(model)) is not None:
            return price
        for pattern in self._patterns[provider]:
            if fnmatchcase(model, pattern.replace("[", "[[]").replace("?", "[?]")):
                return models[pattern]
        return None


def cost_usd(tokens: Tokens, price: Price, service_tier: str | None = None) -> float | None:
    """US dollars; None where a count or a rate that it takes is not known."""
    if service_tier is not None and service_tier not in _STANDARD_TIERS:
        return None
    inputs = tokens.plain_input
    if inputs is None or tokens.input_tokens is None:
        return None
    rates: Rates = price
    for above, others in price.above.items():
        if tokens.input_tokens > int(above):
            rates = others
    rate = price.input if rates.input is None else rates.input
    if rate is None:
        return None
    cost = inputs * rate
    # Without a rate of its own, a cached token is one like any other.
    for count, own, base in (
        (tokens.cache_read_tokens, rates.cache_read, price.cache_read),
        (tokens.cache_write_tokens, rates.cache_write, price.cache_write),
    ):
        if count:
            cost += count * next((r for r in (own, base) if r is not None), rate)
    output_rate = price.output if rates.output is None else rates.output
    if output_rate is not None:
        if tokens.output_tokens is None:
            return None
        reasoned = 0
        if price.reasoning is not None:
            reasoned = min(tokens.reasoning_tokens or 0, tokens.output_tokens)
            cost += reasoned * price.reasoning
        cost += (tokens.output_tokens - reasoned) * output_rate
    return cost / _MILLION
