"""The closed table of endings."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import MEANING, Fault, Outcome, Reason, Refusal, reason_of_status


def test_every_reason_has_exactly_one_meaning():
    assert set(MEANING) == set(Reason)


def test_every_outcome_but_ok_is_the_meaning_of_some_reason():
    assert {meaning.outcome for meaning in MEANING.values()} == set(Outcome) - {Outcome.OK}


def test_what_we_refuse_or_shed_always_has_a_status_of_ours():
    for meaning in MEANING.values():
        if meaning.outcome in (Outcome.REFUSED, Outcome.REJECTED, Outcome.CONNECT_FAILED):
            assert meaning.status is not None
            assert 400 <= meaning.status < 600


def test_refused_is_the_callers_fault_and_rejected_never():
    for meaning in MEANING.values():
        if meaning.outcome is Outcome.REFUSED:
            assert meaning.fault is Fault.CALLER
        if meaning.outcome is Outcome.REJECTED:
            assert meaning.fault in (Fault.POLICY, Fault.SIDECAR)


def test_an_upstreams_own_answer_has_no_status_of_ours():
    for reason in (Reason.HTTP_4XX, Reason.HTTP_429, Reason.HTTP_5XX, Reason.UPSTREAM_CUT):
        assert MEANING[reason].status is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (204, None),
        (307, None),
        (400, Reason.HTTP_4XX),
        (429, Reason.HTTP_429),
        (499, Reason.HTTP_4XX),
        (500, Reason.HTTP_5XX),
        (529, Reason.HTTP_5XX),
    ],
)
def test_a_status_tells_how_a_whole_answer_ended(status: int, reason: Reason | None):
    assert reason_of_status(status) is reason


def test_a_refusal_has_the_status_of_its_reason():
    assert Refusal(Reason.WRONG_PROVIDER, "m").status == 421
    assert Refusal(Reason.INTERNAL_ERROR, "m").status == 500
    assert Refusal(Reason.CLIENT_LEFT, "m").status == 500
