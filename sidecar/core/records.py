"""A finished exchange, with all its attempts.

Knows: the fields of a Record, their units and what null means in each.
Must not know: who fills it (pipeline/settle) or who reads it (telemetry, admin).
Why msgspec structs and not dataclasses: a Record is built and written as JSON once per request on
the hot path; a frozen struct costs a sixth of a frozen dataclass and encodes itself.

Times ending in `_ms` count from t0, the moment the request head was parsed. Unknown is None, never
0. `schema` changes only with a release that speaks both.
"""

from __future__ import annotations

from typing import Final

import msgspec

SCHEMA: Final = 1


class Attempt(msgspec.Struct, frozen=True):
    """One send to one upstream. `reason` is None for one that ended well."""

    upstream: str
    reason: str | None
    status: int | None
    """What the upstream answered; None where no head came."""
    duration_ms: float


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request, from its head to its last byte (or the cut)."""

    schema: int = SCHEMA
    request_id: str
    """The caller's `x-request-id` if it is 1-128 visible ASCII characters, else ours."""
    started_at: str
    """Wall clock at t0, RFC 3339 in UTC with milliseconds."""
    upstream: str | None
    """The route's first choice; None where no route was reached."""
    route: str | None
    dialect: str | None
    provider: str | None
    operation: str | None
    """`realtime` for a tunnel; None: not known."""
    method: str | None
    """None where the request line did not parse."""
    path: str | None
    """As the caller sent it, raw, without the query (which may hold a key)."""
    status: int | None
    """What the client got; None where nothing was sent."""
    upstream_status: int | None
    outcome: str
    fault: str | None
    reason: str | None
    attempts: tuple[Attempt, ...]
    connection: str | None
    """`new` or `reused`, of the upstream connection that served."""
    headers_ms: float | None
    """t0 -> the upstream's final response head parsed."""
    duration_ms: float
    """t0 -> last byte handed to the client's socket, or the cut."""
    request_bytes: int
    """Body bytes received from the client, without framing."""
    response_bytes: int
    """Body bytes handed to the client, without framing; our own answers included."""
    config_hash: str | None
