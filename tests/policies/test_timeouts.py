"""Which limit falls due, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Reason
from sidecar.policies.timeouts import Progress, Rule, due

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
