"""The immutable graph that `handle` walks: a plan and its targets.

Knows: what the path must know of the configuration, and nothing more.
Must not know: how it was built (`sidecar.plan`) or what was written (`settings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.metering.prices import PriceBook
from sidecar.pipeline.ports import Upstream
from sidecar.policies import routing, sampling, timeouts

REPLAY_LIMIT_BYTES = 4 * 1024 * 1024
"""Request bodies up to this are read whole before they are sent, and can be sent again."""


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream as the path sees it."""

    name: str
    dialect: str
    provider: str | None
    timeouts: timeouts.Rule
    has_base_path: bool
    upstream: Upstream
    refuses_signed: bool = False
    """It is AWS, and asked with the caller's own key: a signature would hold for our host, not for
    its."""
    asks_usage: bool = False
    """Streams are made to report their usage."""
    propagate: str = sampling.FORWARD
    """What goes up of the caller's trace."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that `handle` needs to know. An exchange keeps the plan it began with."""

    router: routing.Router
    targets: Mapping[str, Target]
    allowed_hosts: tuple[str, ...] | None
    tokens: tuple[bytes, ...] | None
    """One of them is asked of every caller; None: nothing is."""
    max_request_body_bytes: int | None
    hash: str
    stall_after_s: float = 2.0
    """A longer gap between two generated events is a stall."""
    prices: PriceBook | None = None
    reveals_id: bool = False
    """Answers bear `x-sidecar-request-id`."""
    reveals_timing: bool = False
    """Answers bear `server-timing`."""
    captures_bytes: int | None = None
    """Answers are kept up to this size, to be told with their spans."""
    replay_limit_bytes: int = REPLAY_LIMIT_BYTES
