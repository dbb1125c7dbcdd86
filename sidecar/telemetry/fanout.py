"""Finished exchanges to everybody who wants them.

Knows: the sinks, in order.
Must not know: what they do. This is the wall that keeps a broken observer away from traffic: a
sink that raises loses this one Record and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sidecar.core.records import Record
from sidecar.telemetry.lines import encoded


class Fanout:
    """`sinks`: (signal, call) pairs; `drop(signal, reason)` counts what a sink lost."""

    __slots__ = ("_drop", "_sinks")

    def __init__(
        self,
        sinks: Iterable[tuple[str, Callable[[Record, bytes], None]]],
        drop: Callable[[str, str], None],
    ) -> None:
        self._sinks = tuple(sinks)
        self._drop = drop

    def emit(self, records: Sequence[Record]) -> None:
        """Hand the Records, and each as JSON, to each sink in turn. Never raises what a sink
        raised. They are encoded here, once: most sinks want them so."""
        bodies = [encoded(record) for record in records]
        for signal, sink in self._sinks:
            for record, body in zip(records, bodies, strict=True):
                try:
                    sink(record, body)
                except Exception:
                    self._drop(signal, "sink_failed")
