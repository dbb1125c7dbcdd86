"""One finished exchange to everybody who wants it.

Knows: the sinks, in order.
Must not know: what they do. This is the wall that keeps a broken observer away from traffic: a
sink that raises loses this one Record and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.records import Record


class Fanout:
    """`sinks`: (signal, call) pairs; `drop(signal, reason)` counts what a sink lost."""

    __slots__ = ("_drop", "_sinks")

    def __init__(
        self,
        sinks: Iterable[tuple[str, Callable[[Record], None]]],
        drop: Callable[[str, str], None],
    ) -> None:
        self._sinks = tuple(sinks)
        self._drop = drop

    def emit(self, record: Record) -> None:
        """Hand the Record to each sink in turn. Never raises what a sink raised."""
        for signal, sink in self._sinks:
            try:
                sink(record)
            except Exception:
                self._drop(signal, "sink_failed")
