"""Where we are not transparent: each deviation with its reason, its setting and its test.

Knows: the whole list; the README's table is made of it (`python -m sidecar.core.deviations`).
Must not know: the code that deviates. A deviation that is not listed here is a bug; one whose test
does not exist fails the suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """`setting` None: it cannot be switched off. `test`: path::name below tests/."""

    what: str
    reason: str
    setting: str | None
    test: str


DEVIATIONS: Final[tuple[Deviation, ...]] = ()


def markdown() -> str:
    """The table of the README."""
    lines = ["| What differs | Why | Setting |", "|---|---|---|"]
    lines += [f"| {d.what} | {d.reason} | {d.setting or '-'} |" for d in DEVIATIONS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
