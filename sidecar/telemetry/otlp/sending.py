"""What became of a message, in words that both transports share.

Knows: the three ends of a try.
Must not know: HTTP or gRPC.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Sent(NamedTuple):
    """`trouble` None: it has arrived. `is_worth_repeating`: the receiver may take it later."""

    trouble: str | None = None
    is_worth_repeating: bool = False
    wait_s: float | None = None
    """How long the receiver asks to be left alone."""
    rejected: int = 0
    """Of what has arrived: spans or points that it would not take."""


class Sender(Protocol):
    """One way to one collector."""

    def send(self, message: bytes, timeout_s: float) -> Sent:
        """One try. Blocks for at most so long; never raises."""

    def close(self) -> None: ...
