"""Which limit falls due, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Reason
from sidecar.policies.timeouts import Lowered, Progress, Rule, due, lowered

RULE = Rule(connect_s=5, first_byte_s=10, idle_s=3, total_s=60)


def test_before_the_first_byte_the_provider_owes_one() -> None:
    waiting = Progress(began_at=0, sent_at=1, read_at=None)
    assert due(RULE, waiting, 5) == 11
    assert due(RULE, waiting, 11) is Reason.FIRST_BYTE_TIMEOUT


def test_after_it_only_silence_counts() -> None:
    streaming = Progress(began_at=0, sent_at=1, read_at=20)
    assert due(RULE, streaming, 22) == 23
    assert due(RULE, streaming, 23) is Reason.IDLE_TIMEOUT


def test_the_total_counts_from_the_request_head() -> None:
    assert due(RULE, Progress(0, 1, 59), 60) is Reason.DEADLINE_EXCEEDED


def test_while_the_upload_goes_on_the_provider_owes_nothing() -> None:
    rule = Rule(first_byte_s=10, idle_s=3, total_s=None)
    assert due(rule, Progress(0, None, None), 1e9) is None


def test_nothing_falls_due_where_all_is_off() -> None:
    assert due(Rule(None, None, None, None), Progress(0, 1, 2), 1e9) is None


_times = st.floats(0, 1e4)
_limits = st.none() | st.floats(0.001, 1e4)


@given(_limits, _limits, _limits, _times, st.none() | _times, st.none() | _times, _times)
def test_no_limit_fires_early_and_looking_again_is_never_in_the_past(
    first: float | None,
    idle: float | None,
    total: float | None,
    began: float,
    sent: float | None,
    read: float | None,
    now: float,
) -> None:
    rule = Rule(None, first, idle, total)
    verdict = due(rule, Progress(began, sent, read), now)
    if verdict is Reason.FIRST_BYTE_TIMEOUT:
        assert first is not None
        assert sent is not None
        assert now >= sent + first
    elif verdict is Reason.IDLE_TIMEOUT:
        assert idle is not None
        assert read is not None
        assert now >= read + idle
    elif verdict is Reason.DEADLINE_EXCEEDED:
        assert total is not None
        assert now >= began + total
    elif verdict is not None:
        assert not isinstance(verdict, Reason)
        assert verdict > now


OWN = Rule(first_byte_s=600, idle_s=600, total_s=None)


def test_a_caller_that_waits_less_is_answered_before_it_gives_up() -> None:
    rule = lowered(OWN, b"100", None).rule
    assert (rule.first_byte_s, rule.idle_s, rule.total_s) == (95.0, 95.0, None)


def test_its_deadline_is_the_whole_exchanges_and_its_own_fault() -> None:
    assert lowered(OWN, None, b"1500") == Lowered(replace(OWN, total_s=1.5), True)
    assert lowered(replace(OWN, total_s=1.0), None, b"1500") == Lowered(
        replace(OWN, total_s=1.0), False
    )


@given(st.floats(0.001, 1e5), st.floats(0.001, 1e5))
def test_a_limit_is_lowered_and_never_raised(own_s: float, callers_s: float) -> None:
    own = Rule(first_byte_s=own_s, idle_s=own_s, total_s=own_s)
    text = f"{callers_s:.3f}".encode()
    rule = lowered(own, text, text).rule
    for limit_s in (rule.first_byte_s, rule.idle_s, rule.total_s):
        assert limit_s is not None
        assert limit_s <= own_s


@pytest.mark.parametrize(
    "text",
    [b"", b"0", b"-1", b"nan", b"inf", b"1e3", b"1_0", b" 1", b"1.2.3", b"9" * 13, b"NOT_GIVEN"],
)
def test_what_is_no_positive_number_is_not_there(text: bytes) -> None:
    assert lowered(OWN, text, text) == Lowered(OWN, False)


def test_a_provider_that_does_not_take_an_upload_is_idle() -> None:
    rule = Rule(idle_s=5)
    blocked = Progress(began_at=0, sent_at=None, read_at=None, blocked_at=10)
    assert due(rule, blocked, 14.9) == 15
    assert due(rule, blocked, 15) is Reason.IDLE_TIMEOUT
