"""The last exchanges, for `/exchanges`.

Knows: the newest 1,000 Records and how to find one among them.
Must not know: HTTP.
Why kept as JSON and not as Records: a thousand Records are tens of thousands of objects
in memory that the processor has long forgotten, and each new one would have to free an old one.
The one who asks pays for the decoding: some milliseconds for all of them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from sidecar.core.records import Record

KEPT: Final = 1000
_decode: Final = msgspec.json.Decoder(Record).decode
_ID_FIELDS: Final = tuple(name for name in Record.__struct_fields__ if name.endswith("_id"))


class Ring:
    """`add` is a sink of the fanout."""

    __slots__ = ("_encoded",)

    def __init__(self, kept: int = KEPT) -> None:
        self._encoded: deque[bytes] = deque(maxlen=kept)

    def add(self, record: Record, body: bytes) -> None:
        """Keep a Record, of which `body` is the JSON; the oldest one leaves."""
        self._encoded.appendleft(body)

    def newest(
        self,
        limit: int,
        outcome: str | None = None,
        any_id: str | None = None,
        model: str | None = None,
    ) -> list[Record]:
        """At most `limit` Records, newest first. `any_id` matches any id that a Record bears,
        `model` the one that was asked or the one that answered."""
        found: list[Record] = []
        for encoded in self._encoded:
            if len(found) >= limit:
                break
            record = _decode(encoded)
            if outcome is not None and record.outcome != outcome:
                continue
            if model is not None and model not in (record.request_model, record.response_model):
                continue
            if any_id is not None and not _bears(record, any_id):
                continue
            found.append(record)
        return found


def _bears(record: Record, any_id: str) -> bool:
    return any(getattr(record, name) == any_id for name in _ID_FIELDS)
