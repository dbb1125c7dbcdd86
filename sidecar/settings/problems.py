"""What is wrong with a configuration, and where.

Knows: how a problem is told: `file:line:col: path: message`, the form that editors jump to.
Must not know: what can be wrong.
Why a list and not the first exception: a person who fixes a file wants all of it in one go.
Messages never carry a value of the file: any value may be a key that stands in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sidecar.core.errors import SidecarError

# Words that may be shown. Longer ones could be a credential with a colon behind it.
_SHOWABLE: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,31}|[0-9]{1,4}"


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a source: a file with line and column (from 1), or `--set`, or a variable."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            return self.source
        return f"{self.source}:{self.line}:{self.column or 1}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `path` is dotted, as `--set` takes it; empty for the whole file."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.message) if part)


class ConfigError(SidecarError):
    """The configuration cannot be used; `problems` says why, all of it, in reading order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """Collects problems; the same one twice (through `defaults:`) is kept once."""

    __slots__ = ("_closed", "_found", "_warnings")

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}
        self._closed: set[Place] = set()

    def add(self, place: Place, path: str, message: str) -> None:
        if place not in self._closed:
            self._found[Problem(place, path, message)] = None

    def add_last(self, place: Place, path: str, message: str) -> None:
        """Like `add`; what is wrong with the same place after it would only be its consequence."""
        self.add(place, path, message)
        self._closed.add(place)

    def warn(self, place: Place, path: str, message: str) -> None:
        """It is allowed, and perhaps not meant."""
        self._warnings[Problem(place, path, message)] = None

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Sorted by place."""
        return tuple(sorted(self._warnings, key=_reading_order))

    def raise_if_any(self) -> None:
        """Raises ConfigError with all of them, sorted by place."""
        if self._found:
            raise ConfigError(sorted(self._found, key=_reading_order))


def _reading_order(problem: Problem) -> tuple[bool, int, int]:
    place = problem.place
    return place.line is None, place.line or 0, place.column or 0


def join(path: str, key: str) -> str:
    """`a.b` and `c` -> `a.b.c`; a key that should not be shown becomes `?`."""
    shown = key if re.fullmatch(_SHOWABLE, key) else "?"
    return f"{path}.{shown}" if path else shown


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'idle'?`, or the list of what there is."""
    from difflib import get_close_matches  # 6 ms, and only ever needed for bad files

    words = list(known)
    close = get_close_matches(word, words, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known here: {', '.join(words)}" if words else ""
