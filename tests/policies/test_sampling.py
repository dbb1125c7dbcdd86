"""Who decides which traces are kept."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.trace import Parent
from sidecar.policies.sampling import Rule, is_sampled

IDS = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")


@given(IDS)
def test_all_or_nothing(trace_id: str) -> None:
    assert is_sampled(Rule(1.0), None, trace_id)
    assert not is_sampled(Rule(0.0), None, trace_id)


@given(IDS, st.booleans(), st.floats(0, 1))
def test_whoever_brings_a_decision_has_decided(trace_id: str, is_kept: bool, ratio: float) -> None:
    parent = Parent(trace_id, "1" * 16, is_kept)
    assert is_sampled(Rule(ratio), parent, trace_id) is is_kept
    alone = is_sampled(Rule(ratio, is_parent_based=False), parent, trace_id)
    assert alone is is_sampled(Rule(ratio), None, trace_id)


@given(IDS, st.floats(0, 1), st.floats(0, 1))
def test_what_a_small_ratio_keeps_a_larger_one_keeps_too(
    trace_id: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if is_sampled(Rule(small), None, trace_id):
        assert is_sampled(Rule(large), None, trace_id)


def test_the_ratio_is_kept() -> None:
    chance = random.Random(7)
    kept = sum(
        is_sampled(Rule(0.1), None, f"{chance.getrandbits(128):032x}") for _ in range(20_000)
    )
    assert 1_800 < kept < 2_200
