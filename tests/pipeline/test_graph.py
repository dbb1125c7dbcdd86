"""The graph that the path walks cannot be changed under it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from .fakes import ScriptedUpstream, plan


def test_a_plan_is_frozen() -> None:
    made = plan(ScriptedUpstream())
    with pytest.raises(FrozenInstanceError):
        made.hash = "other"  # type: ignore[misc]  # that is the point
    with pytest.raises(FrozenInstanceError):
        made.targets["up"].name = "other"  # type: ignore[misc]  # that is the point
