"""What a YAML document is made of here: scalars, sequences and mappings, each with its place.

Knows: nothing but their shape.
Must not know: how they were made (`parse`, or `overlay` for --set) or what they mean (`read`).
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass

from sidecar.settings.problems import Place


@dataclass(frozen=True, slots=True)
class Scalar:
    """`is_plain`: written without quotes, so that `off` and `5` may be more than text."""

    place: Place
    value: str
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """`keys` has the place of each key: unknown ones are reported there."""

    place: Place
    entries: AbstractMapping[str, Node]
    keys: AbstractMapping[str, Place]


Node = Scalar | Sequence | Mapping


def mapping(place: Place, entries: AbstractMapping[str, Node]) -> Mapping:
    """A mapping that nobody wrote: its keys stand where it stands."""
    return Mapping(place, entries, dict.fromkeys(entries, place))
