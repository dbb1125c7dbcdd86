"""The phases of a waterfall add up."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.records import Phases
from sidecar.metering.phases import PHASES, Marks, phases_ms, phases_s


def told(marks: Marks, ended_at: float) -> dict[str, float]:
    return dict(zip(PHASES, phases_s(marks, ended_at), strict=True))


MOMENT = st.none() | st.floats(100, 200)


@given(st.lists(MOMENT, min_size=9, max_size=9), st.floats(100, 300), st.booleans())
def test_they_add_up_whatever_the_order_of_the_marks(
    marks: list[float | None], ended_at: float, is_stream: bool
) -> None:
    spent = told(Marks(100.0, *marks, is_stream=is_stream), ended_at)
    assert tuple(spent) == PHASES == Phases.__struct_fields__
    assert all(seconds >= 0 for seconds in spent.values())
    assert sum(spent.values()) == pytest.approx(ended_at - 100.0, abs=1e-6)


def test_each_mark_ends_its_phase() -> None:
    marks = Marks(0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0, 28.0, 36.0, 45.0, is_stream=True)
    assert list(told(marks, 55.0).values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize(
    ("marks", "phase"),
    [
        (Marks(0.0), "receive"),
        (Marks(0.0, received_at=0.0), "connect"),
        (Marks(0.0, received_at=0.0, connected_at=0.0), "send"),
        (Marks(0.0, received_at=0.0, connected_at=0.0, sent_at=0.0), "provider_wait"),
        (Marks(0.0, sent_at=0.0, headers_at=0.0, is_stream=True), "prelude"),
        (Marks(0.0, sent_at=0.0, headers_at=0.0), "tail"),
        (Marks(0.0, headers_at=0.0, first_token_at=0.0, is_stream=True), "thinking"),
    ],
)
def test_what_was_going_on_at_the_end_gets_the_rest(marks: Marks, phase: str) -> None:
    spent = told(marks, 5.0)
    assert {name: seconds for name, seconds in spent.items() if seconds} == {phase: 5.0}


def test_what_did_not_happen_takes_no_time() -> None:
    marks = Marks(0.0, received_at=1.0, connected_at=2.0, sent_at=2.0, headers_at=5.0)
    spent = told(marks, 6.0)
    assert {name: s for name, s in spent.items() if s} == {
        "receive": 1, "connect": 1, "provider_wait": 3, "tail": 1,
    }  # fmt: skip


def test_an_answer_before_the_upload_is_whole_takes_nothing_back() -> None:
    marks = Marks(0.0, received_at=1.0, connected_at=1.0, sent_at=9.0, headers_at=4.0)
    spent = told(marks, 10.0)
    assert (spent["send"], spent["provider_wait"], spent["tail"]) == (8, 0, 1)


IN_ORDER = st.lists(st.floats(100, 200), min_size=5, max_size=5).map(sorted)


@given(IN_ORDER)
def test_the_short_way_says_what_the_long_one_says(moments: list[float]) -> None:
    received, connected, sent, headers, ended = moments
    marks = Marks(
        100.0, received_at=received, connected_at=connected, sent_at=sent, headers_at=headers
    )
    told = msgspec.structs.astuple(phases_ms(marks, ended))
    assert told == pytest.approx([spent * 1e3 for spent in phases_s(marks, ended)], abs=0.0006)
    assert sum(told) == pytest.approx((ended - 100.0) * 1e3, abs=1)


@given(st.lists(MOMENT, min_size=9, max_size=9), st.floats(100, 300), st.booleans())
def test_the_milliseconds_add_up_too(
    marks: list[float | None], ended_at: float, is_stream: bool
) -> None:
    told = phases_ms(Marks(100.0, *marks, is_stream=is_stream), ended_at)
    assert sum(msgspec.structs.astuple(told)) == pytest.approx((ended_at - 100.0) * 1e3, abs=1)
