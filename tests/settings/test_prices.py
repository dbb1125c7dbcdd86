"""The price table: built in, of one's own, or none."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from sidecar.core.providers import KNOWN
from sidecar.metering.prices import Price, PriceBook, Rates
from sidecar.settings.load import load
from sidecar.settings.prices import table_of
from sidecar.settings.problems import ConfigError, Place, Problems

GOOD = """\
date: 2026-11-23
providers:
  p:
    source: a contract
    models:
      "m-*": {input: 1.5, output: 2, above: {"500": {input: 3}, "90": {input: 2}}}
"""


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    return str(file)


def test_the_built_in_table_is_dated_and_has_the_well_known_models() -> None:
    table = load(None, env={}).prices.table
    assert table is not None
    date.fromisoformat(table.date)
    assert table.source is not None
    asked = PriceBook(table)
    for provider, model in (
        ("openai", "gpt-4o-2024-08-06"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("gcp.gemini", "gemini-2.5-flash"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ):
        price = asked.price_of(provider, model)
        assert price is not None, model
        assert price.input
        assert price.output


def test_every_provider_of_the_built_in_table_is_one_that_we_know() -> None:
    table = load(None, env={}).prices.table
    assert table is not None
    known = {one.provider for one in KNOWN.values()}
    known |= {"azure.ai.openai", "gcp.vertex_ai", "aws.bedrock"}
    assert table.providers.keys() <= known
    for told in table.providers.values():
        assert told.source is not None
        assert told.source.startswith("https://")


def test_a_table_of_ones_own_is_read(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"prices: {written(tmp_path, GOOD)}\n")
    table = load(str(config), env={}).prices.table
    assert table is not None
    assert table.date == "2026-11-23"
    above = {"90": Rates(input=2), "500": Rates(input=3)}
    assert table.providers["p"].models == {"m-*": Price(input=1.5, output=2, above=above)}
    assert list(table.providers["p"].models["m-*"].above) == ["90", "500"]


def test_no_table_is_no_cost() -> None:
    assert load(None, sets=["prices=off"], env={}).prices.table is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("date: 2026-11-23\n", "", "1:1: date: is missing"),
        ("2026-11-23", "yesterday", "1:7: date: expected a date"),
        ("input: 1.5", "input: cheap", r"6:22: providers.p.models.m-\*.input: expected US dollars"),
        ("input: 1.5", "input: -1", "expected US dollars"),
        ("input: 1.5", "input: .inf", "expected US dollars"),
        ("output: 2", "outptu: 2", r"unknown key; did you mean 'output'\?"),
        ("input: 1.5, ", "", "has no rate for input"),
        ('"90"', "many", "expected a number of input tokens"),
        ("    models:\n", "    model:\n", r"unknown key; did you mean 'models'\?"),
        ("providers:\n  p:", "providers: [1]\nx:", "expected a block of names, found a list"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in GOOD
    problems = Problems()
    table_of(written(tmp_path, GOOD.replace(old, new)), Place("c"), problems)
    with pytest.raises(ConfigError) as raised:
        problems.raise_if_any()
    assert re.search(rf"prices\.yaml:.*{problem}", str(raised.value))


@pytest.mark.parametrize("name", ["/nowhere/prices.yaml", "a\0b"])
def test_a_table_that_cannot_be_read_is_a_problem_of_the_configuration(name: str) -> None:
    problems = Problems()
    assert table_of(name, Place("c.yaml", 3, 9), problems) is None
    with pytest.raises(ConfigError, match=r"c\.yaml:3:9: prices: the price table cannot be read"):
        problems.raise_if_any()


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the price table is empty"):
        table_of(written(tmp_path, "# nothing\n"), Place("c"), Problems())
