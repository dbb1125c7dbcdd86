"""One finished exchange to everybody who wants it.

Knows: the sinks, in order.
Must not know: what they do. This is the wall that keeps a broken observer away from traffic: a
sink that raises loses this one Record and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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

    def emit(self, record: Record) -> None:
        """Hand the Record, and it as JSON, to each sink in turn. Never raises what a sink raised.
        It is encoded here, once: most sinks want it so."""
        body = encoded(record)
        for signal, sink in self._sinks:
            try:
                sink(record, body)
            except Exception:
                self._drop(signal, "sink_failed")
