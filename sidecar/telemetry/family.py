"""What a metric's row says.

Knows: the columns.
Must not know: any row (`names`, `conventions`) or figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

PREFIX: Final = "llm_sidecar_"


class Kind(StrEnum):
    """The Prometheus type of a family."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    """A sum and a count, without quantiles."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric. `values`: the closed values of a label; a label not in it is open.
    `takes_labels`: those of `telemetry.labels` stand beside its own."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str = ""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in `unit`, without infinity."""
    takes_labels: bool = False
    otlp: str = ""
    """Its name over OTLP where that does not follow from the other."""

    @property
    def otlp_name(self) -> str:
        """A dot after the prefix, no `_total`, no unit: collectors add those."""
        if self.otlp:
            return self.otlp
        plain = self.name.removeprefix(PREFIX).removesuffix("_total")
        return f"{PREFIX[:-1]}.{plain.removesuffix('_seconds')}"

    @property
    def otlp_unit(self) -> str:
        """By the UCUM."""
        return {"seconds": "s"}.get(self.unit, self.unit)
