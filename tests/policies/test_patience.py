"""How long a caller may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.policies.patience import NEVER, Rule, Waiting, due_at

RULE = Rule(headers_s=1.0, body_s=2.0, write_s=3.0, keepalive_s=4.0)


@pytest.mark.parametrize(
    ("waiting", "limit_s"),
    [(Waiting.HEAD, 1), (Waiting.BODY, 2), (Waiting.READING, 3), (Waiting.NEXT, 4)],
)
def test_each_wait_has_a_limit_of_its_own(waiting: Waiting, limit_s: float) -> None:
    assert due_at(RULE, waiting, 100.0) == 100.0 + limit_s


@given(st.sampled_from(Waiting), st.floats(0, 1e9))
def test_what_is_off_is_never_due(waiting: Waiting, since: float) -> None:
    rule = Rule(headers_s=None, body_s=None, write_s=None, keepalive_s=None)
    assert due_at(rule, waiting, since) == NEVER
