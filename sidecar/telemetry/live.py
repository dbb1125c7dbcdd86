"""The last exchanges, for `/exchanges`.

Knows: the newest 1,000 Records and how to find one among them.
Must not know: HTTP or JSON.
Why the frozen Records themselves and not rows made of them: keeping one costs a pointer, and the
reader sees exactly what the log line says.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from sidecar.core.records import Record

KEPT: Final = 1000
_ID_FIELDS: Final = tuple(name for name in Record.__struct_fields__ if name.endswith("_id"))


class Ring:
    """`add` is a sink of the fanout."""

    __slots__ = ("_records", "add")

    def __init__(self, kept: int = KEPT) -> None:
        self._records: deque[Record] = deque(maxlen=kept)
        self.add = self._records.appendleft
        """Keep a Record; the oldest one leaves. The deque's own method: nothing to call through."""

    def newest(
        self, limit: int, outcome: str | None = None, any_id: str | None = None
    ) -> list[Record]:
        """At most `limit` Records, newest first. `any_id` matches any id that a Record bears."""
        found: list[Record] = []
        for record in self._records:
            if len(found) >= limit:
                break
            if outcome is not None and record.outcome != outcome:
                continue
            if any_id is not None and not _bears(record, any_id):
                continue
            found.append(record)
        return found


def _bears(record: Record, any_id: str) -> bool:
    return any(getattr(record, name) == any_id for name in _ID_FIELDS)
