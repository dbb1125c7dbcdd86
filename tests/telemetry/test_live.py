"""The last exchanges."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.core.records import Record
from sidecar.telemetry.lines import encoded
from sidecar.telemetry.live import KEPT, Ring

_NewRecord = Callable[..., Record]


def keep(ring: Ring, record: Record) -> None:
    ring.add(record, encoded(record))


def test_the_newest_comes_first_and_the_limit_holds(new_record: _NewRecord) -> None:
    ring = Ring()
    for number in range(5):
        keep(ring, new_record(request_id=f"req-{number}"))
    assert [record.request_id for record in ring.newest(3)] == ["req-4", "req-3", "req-2"]


def test_a_thousand_are_kept(new_record: _NewRecord) -> None:
    ring = Ring()
    for number in range(KEPT + 10):
        keep(ring, new_record(request_id=f"req-{number}"))
    kept = ring.newest(KEPT + 10)
    assert (len(kept), kept[-1].request_id) == (1000, "req-10")


def test_a_filter_looks_through_all_that_are_kept(new_record: _NewRecord) -> None:
    ring = Ring()
    keep(ring, new_record(request_id="req-cut", outcome="truncated"))
    for number in range(100):
        keep(ring, new_record(request_id=f"req-{number}"))
    assert [record.request_id for record in ring.newest(1, outcome="truncated")] == ["req-cut"]
    assert [record.outcome for record in ring.newest(1, any_id="req-cut")] == ["truncated"]
    assert ring.newest(50, outcome="ok", any_id="req-cut") == []


def test_a_model_is_the_one_that_was_asked_or_the_one_that_answered(new_record: _NewRecord) -> None:
    ring = Ring()
    keep(ring, new_record(request_id="asked", request_model="m", response_model="m-2"))
    keep(ring, new_record(request_id="other", request_model="n", response_model=None))
    assert [record.request_id for record in ring.newest(9, model="m-2")] == ["asked"]
    assert [record.request_id for record in ring.newest(9, model="n")] == ["other"]
