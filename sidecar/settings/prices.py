"""`prices:` the built-in table, one of the operator's own, or none.

Knows: where a table lies and how its YAML is read, with file, line and column of whatever is wrong.
Must not know: what a price is used for.
Why the built-in one is JSON: it is read at every start, in a millisecond, without a YAML parser.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

import msgspec

from sidecar.metering.prices import Price, PriceTable, ProviderPrices, Rates
from sidecar.settings.blocks import open_block, read_value
from sidecar.settings.kinds import BadValueError, Kind, Text, found
from sidecar.settings.problems import ConfigError, Place, Problem, Problems, join
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, Scalar

BUILT_IN: Final = "builtin"
WHERE: Final = Text("builtin, off, or the name of a file", r"[^\0-\x1f]+")
_MAX_BYTES: Final = 1 << 20
_TABLE_KEYS: Final = ("date", "source", "providers")
_PROVIDER_KEYS: Final = ("source", "models")
_RATE_KEYS: Final = Rates.__struct_fields__
_WORDS: Final = Text("text", r"[^\0-\x1f]+")
_DATE: Final = Text("a date: 2026-11-23", r"\d{4}-\d{2}-\d{2}")


class Dollars(Kind[float]):
    """US dollars per million tokens."""

    def read(self, node: Node) -> float:
        text = node.value if isinstance(node, Scalar) else ""
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,12})?", text):
            raise BadValueError("expected US dollars per million tokens: 2.5")
        return float(text)

    def show(self, value: float) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "number", "minimum": 0}


def table_of(where: str | None, place: Place, problems: Problems) -> PriceTable | None:
    """The table that `prices:` names; None where it is off, or cannot be read."""
    if where is None:
        return None
    if where == BUILT_IN:
        return _built_in()
    try:
        with open(where, "rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is no name of a file"
        problems.add(place, "prices", f"the price table cannot be read: {why}")
        return None
    from sidecar.settings.parse import parse  # imports yaml, which the built-in table need not

    root = parse(text, where, problems)
    if root is None:
        raise ConfigError([Problem(Place(where), "", "the price table is empty")])
    return _read(root, problems)


def _built_in() -> PriceTable:
    text = resources.files("sidecar.settings").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(text, type=PriceTable)


def _read(root: Node, problems: Problems) -> PriceTable:
    entries = open_block(root, "", _TABLE_KEYS, problems)
    for key in ("date", "providers"):
        if key not in entries:
            problems.add(root.place, key, "is missing")
    date = read_value(_DATE, entries["date"], "date", problems, "") if "date" in entries else ""
    return PriceTable(
        date,
        {
            name: _provider(node, join("providers", name), problems)
            for name, node in _named(entries.get("providers"), "providers", problems)
        },
        _source(entries.get("source"), "source", problems),
    )


def _provider(node: Node, path: str, problems: Problems) -> ProviderPrices:
    entries = open_block(node, path, _PROVIDER_KEYS, problems)
    models = join(path, "models")
    return ProviderPrices(
        {
            pattern: _price(model, f"{models}.{pattern}", problems)
            for pattern, model in _named(entries.get("models"), models, problems)
        },
        _source(entries.get("source"), join(path, "source"), problems),
    )


def _price(node: Node, path: str, problems: Problems) -> Price:
    rates = _rates(node, path, problems, also=("above",))
    above: dict[str, Rates] = {}
    if isinstance(node, MappingNode) and "above" in node.entries:
        inner = join(path, "above")
        for count, long in _named(node.entries["above"], inner, problems):
            if not re.fullmatch(r"[0-9]{1,12}", count):
                problems.add(long.place, inner, "expected a number of input tokens: 200000")
                continue
            above[count] = Rates(**_rates(long, join(inner, count), problems))
    if "input" not in rates:
        problems.add(node.place, path, "has no rate for input")
    return Price(**rates, above=dict(sorted(above.items(), key=lambda one: int(one[0]))))


def _rates(
    node: Node, path: str, problems: Problems, also: tuple[str, ...] = ()
) -> dict[str, float]:
    kind = Dollars()
    return {
        key: read_value(kind, value, join(path, key), problems, 0.0)
        for key, value in open_block(node, path, (*_RATE_KEYS, *also), problems).items()
        if key not in also
    }


def _named(node: Node | None, path: str, problems: Problems) -> list[tuple[str, Node]]:
    """The entries of a block whose keys are names."""
    if node is None:
        return []
    if isinstance(node, MappingNode):
        return list(node.entries.items())
    problems.add(node.place, path, f"expected a block of names, found {found(node)}")
    return []


def _source(node: Node | None, path: str, problems: Problems) -> str | None:
    return None if node is None else read_value(_WORDS, node, path, problems, "")
