"""What became of a message."""

from __future__ import annotations

from sidecar.telemetry.otlp.sending import Sent


def test_to_have_arrived_is_the_usual_end() -> None:
    assert Sent() == Sent(None, is_worth_repeating=False, wait_s=None, rejected=0)
