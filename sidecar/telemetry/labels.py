"""Which value a label takes: names from outside, in bounded number.

Knows: how many values are let in, and what becomes of the rest.
Must not know: figures. Names are strangers' to invent: without a bound, one caller with a counter
in its model's name would fill the memory of whoever scrapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Final

from sidecar.core.heads import RequestHead
from sidecar.settings.telemetry import Label
from sidecar.telemetry.names import NO_MODEL, OTHER, UNSAID

MAX_CHARACTERS: Final = 128
_MAX_COMBINATIONS: Final = 64


class Admitted:
    """The values of one label. `known` are in from the start; `capped` is told of each that is
    kept out because `most` are in."""

    __slots__ = ("_capped", "_most", "_values")

    def __init__(self, most: int, known: Iterable[str], capped: Callable[[], None]) -> None:
        self._values = dict.fromkeys(known)
        self._most = most
        self._capped = capped

    def __contains__(self, value: str) -> bool:
        return value in self._values

    def admit(self, value: str) -> str:
        """The value, or `other`."""
        if value in self._values:
            return value
        if len(self._values) >= self._most:
            self._capped()
            return OTHER
        if not is_fit(value):
            return OTHER
        self._values[value] = None
        return value


def is_fit(value: str) -> bool:
    """Short and printable."""
    return 0 < len(value) <= MAX_CHARACTERS and value.isprintable()


class ModelNames:
    """The label `model`: what good answers named. A request that failed is counted under the model
    that has answered its like, so that one model's failures stand beside its successes."""

    __slots__ = ("_answered", "_label_by_asked", "_most")

    def __init__(self, most: int, configured: Iterable[str], capped: Callable[[], None]) -> None:
        known = tuple(configured)
        self._answered = Admitted(most + len(known), known, capped)
        self._label_by_asked: dict[str, str] = {}
        self._most = 4 * most

    def label(self, asked: str | None, answered: str | None, is_good: bool) -> str:
        """`is_good`: an upstream has answered, and with no error status."""
        name = answered or asked
        if name is None:
            return NO_MODEL
        if is_good:
            label = self._answered.admit(name)
            if (
                asked is not None
                and label is not OTHER
                and len(self._label_by_asked) < self._most
                and is_fit(asked)
            ):
                self._label_by_asked[asked] = label
            return label
        if name in self._answered:
            return name
        return self._label_by_asked.get(asked or name, OTHER)


class CustomLabels:
    """`telemetry.labels`: values from headers of the request."""

    __slots__ = ("_sources", "combinations", "names", "unsaid")

    def __init__(self, labels: Iterable[Label], capped: Callable[[str], None]) -> None:
        rows = tuple(labels)
        self.names = tuple(label.name for label in rows)
        self.unsaid = (UNSAID,) * len(rows)
        """Of a request that says nothing."""
        self._sources = tuple((label.header.encode(), _admission(label, capped)) for label in rows)
        self.combinations = _closed(rows)
        """All that can come, where that is known and not too many."""

    def values_of(self, head: RequestHead) -> tuple[str, ...]:
        """One value for each label."""
        if not self._sources:
            return ()
        return tuple([self._value(head.value_of(name), admit) for name, admit in self._sources])

    @staticmethod
    def _value(said: bytes | None, admit: Callable[[str], str]) -> str:
        text = "" if said is None else said.decode("latin-1").strip()
        return admit(text) if text else UNSAID


def _admission(label: Label, capped: Callable[[str], None]) -> Callable[[str], str]:
    if label.values is not None:
        allowed = frozenset(label.values)
        return lambda text: text if text in allowed else OTHER
    # The two words of our own are no values that a caller may claim a place for.
    return Admitted(label.max_values + 2, (UNSAID, OTHER), lambda: capped(label.name)).admit


def _closed(labels: tuple[Label, ...]) -> tuple[tuple[str, ...], ...]:
    values = [
        (UNSAID,) if label.values is None else (*label.values, UNSAID, OTHER) for label in labels
    ]
    number = 1
    for some in values:
        number *= len(some)
    if number > _MAX_COMBINATIONS:
        return ((UNSAID,) * len(labels),)
    return tuple(dict.fromkeys(product(*values)))
