"""Blocks of keys: any frozen dataclass of the schema, read and shown by its fields.

Knows: how a dataclass's fields become YAML keys, and how a written block is laid over values that
already stand (a default, or what `defaults:` said).
Must not know: which blocks there are.
Why by field and not by hand: a new key is then one line in the schema, and cannot be forgotten in
the reader, in `sidecar config` or in the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar.settings.kinds import BadValueError, Kind, found, is_null, kind_of
from sidecar.settings.problems import Place, Problems, did_you_mean, join
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
Block = TypeVar("Block", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Row:
    """One key of a block: its name in YAML, the field it fills, its kind."""

    key: str
    field: str
    kind: Kind[Any]


@cache
def rows(block: type[DataclassInstance]) -> tuple[Row, ...]:
    """The plain keys of a block, in the order of its fields."""
    return tuple(
        Row(field.metadata.get("yaml", field.name), field.name, kind_of(field))
        for field in fields(block)
        if not field.metadata.get("is_apart")
    )


def open_block(
    node: Node | None, path: str, known: Collection[str], problems: Problems
) -> Mapping[str, Node]:
    """The entries of a block by key, those of `known` only; all others are reported."""
    if node is None or is_null(node):
        return {}
    if not isinstance(node, MappingNode):
        problems.add(node.place, path, f"expected a block of keys, found {found(node)}")
        return {}
    for key in node.entries:
        if key not in known:
            message = "unknown key" + did_you_mean(key, known)
            problems.add(node.keys[key], join(path, key), message)
    return {key: value for key, value in node.entries.items() if key in known}


def read_value(kind: Kind[T], node: Node, path: str, problems: Problems, instead: T) -> T:
    """The node's value; a problem and `instead` where it is not of that kind."""
    try:
        return kind.read(node)
    except BadValueError as error:
        where = path if error.key is None else join(path, error.key)
        problems.add(error.place or node.place, where, str(error))
        return instead


def read_block(
    base: Block, node: Node | None, path: str, problems: Problems, apart: Collection[str] = ()
) -> Block:
    """`base` with the keys that the node gives in its place. `apart`: keys that it may have, too,
    and that the caller reads."""
    known = {row.key: row for row in rows(type(base))}
    changes: dict[str, Any] = {}
    for key, value in open_block(node, path, {*known, *apart}, problems).items():
        if key in apart:
            continue
        row = known[key]
        instead = getattr(base, row.field)
        changes[row.field] = read_value(row.kind, value, join(path, key), problems, instead)
    return replace(base, **changes)


def show_block(block: DataclassInstance) -> dict[str, object]:
    """The block as YAML would have it."""
    return {row.key: row.kind.show(getattr(block, row.field)) for row in rows(type(block))}


def place_of(key: str, *nodes: Node | None) -> Place | None:
    """Where a key's value stands: in the first of the nodes that has it."""
    for node in nodes:
        if isinstance(node, MappingNode) and key in node.entries:
            return node.entries[key].place
    return None
