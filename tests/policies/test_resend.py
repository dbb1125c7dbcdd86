"""A dead pooled connection is told from a provider that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.policies.resend import Loss, is_effect_free, may_resend

DEAD = Loss(was_reused=True, bytes_received=0, since_last_byte_sent_s=0.01, connect_s=0.001)


def test_a_reused_connection_that_was_lost_at_once_is_replaced() -> None:
    assert may_resend(DEAD, is_repeatable=True, is_replayable=True)


@pytest.mark.parametrize(
    "loss",
    [
        replace(DEAD, was_reused=False),
        replace(DEAD, bytes_received=1),
        replace(DEAD, since_last_byte_sent_s=0.051),
    ],
)
def test_any_other_loss_is_the_providers_answer(loss: Loss) -> None:
    assert not may_resend(loss, is_repeatable=True, is_replayable=True)


def test_the_window_is_two_round_trips_where_those_are_long() -> None:
    far = replace(DEAD, connect_s=0.2, since_last_byte_sent_s=0.4)
    assert may_resend(far, is_repeatable=True, is_replayable=True)
    later = replace(far, since_last_byte_sent_s=0.41)
    assert not may_resend(later, is_repeatable=True, is_replayable=True)


def test_a_set_up_that_was_held_up_opens_no_wider_window() -> None:
    slow = replace(DEAD, connect_s=3.0, since_last_byte_sent_s=0.51)
    assert not may_resend(slow, is_repeatable=True, is_replayable=True)


@given(st.floats(0, 10), st.floats(0, 10))
def test_what_has_effects_or_is_not_at_hand_is_never_sent_again(since: float, rtt: float) -> None:
    loss = replace(DEAD, since_last_byte_sent_s=since, connect_s=rtt)
    assert not may_resend(loss, is_repeatable=False, is_replayable=True)
    assert not may_resend(loss, is_repeatable=True, is_replayable=False)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/models", True),
        ("HEAD", "/anything", True),
        ("DELETE", "/v1/files/1", False),
        ("POST", "/v1/chat/completions", True),
        ("POST", "/openai/deployments/d/chat/completions", True),
        ("POST", "/v1/messages", True),
        ("POST", "/v1beta/models/gemini-pro:streamGenerateContent", True),
        ("POST", "/v1/responses", False),
        ("POST", "/v1/threads/t/messages", False),
        ("POST", "/v1/files", False),
        ("POST", "/v1/fine_tuning/jobs", False),
        ("PUT", "/v1/chat/completions", False),
    ],
)
def test_only_operations_that_answer_and_change_nothing_are_effect_free(
    method: str, path: str, expected: bool
) -> None:
    assert is_effect_free(method, path) is expected
