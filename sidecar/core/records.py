"""A finished exchange, with all its attempts.

Knows: the fields of a Record, their units and what null means in each.
Must not know: who fills it (pipeline/settle) or who reads it (telemetry, admin).
Why msgspec structs and not dataclasses: a Record is built and written as JSON once per request on
the hot path; a frozen struct costs a sixth of a frozen dataclass and encodes itself. None of them
can be part of a cycle, so the collector need not know them.

Times ending in `_ms` count from t0, the moment the request head was parsed. Unknown is None, never
0. `schema` changes only with a release that speaks both.
"""

from __future__ import annotations

from typing import Final

import msgspec

SCHEMA: Final = 1


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One send to one upstream. `reason` is None for one that ended well."""

    upstream: str
    reason: str | None
    status: int | None
    """What the upstream answered; None where no head came."""
    duration_ms: float


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """Made alike across providers: input includes what was read from and written to a cache,
    output includes reasoning. None: the provider did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def plain_input(self) -> int | None:
        """Input that was neither read from a cache nor written to one; never below 0: a provider
        was seen to state more cached tokens than input."""
        if self.input_tokens is None:
            return None
        cached = (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)
        return max(self.input_tokens - cached, 0)

    @property
    def plain_output(self) -> int | None:
        """Output without reasoning."""
        if self.output_tokens is None:
            return None
        return max(self.output_tokens - (self.reasoning_tokens or 0), 0)


class Phases(msgspec.Struct, frozen=True, gc=False):
    """The waterfall, in milliseconds and in order; its sum is the duration."""

    receive: float = 0.0
    queue: float = 0.0
    retry: float = 0.0
    connect: float = 0.0
    send: float = 0.0
    provider_wait: float = 0.0
    prelude: float = 0.0
    thinking: float = 0.0
    answer: float = 0.0
    tail: float = 0.0


class ErrorTold(msgspec.Struct, frozen=True, gc=False):
    """An error as the provider told it; `message` is cut at 256 characters."""

    class_: str = msgspec.field(name="class")
    """Alike across providers: overloaded, rate_limited, quota, auth, bad_request, context_length,
    content_filter, server; network: nothing was told, the way there failed."""
    type: str | None
    code: str | None
    message: str | None


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One accepted request, from its head to its last byte (or the cut)."""

    schema: int = SCHEMA
    request_id: str
    """The caller's `x-request-id` if it is 1-128 visible ASCII characters, else ours."""
    upstream_request_id: str | None = None
    """What the provider calls the request, in a header."""
    response_id: str | None = None
    """What the provider calls the answer, in its body."""
    trace_id: str | None = None
    """Of the caller's trace, or of the one that began here; None: there is none that is kept."""
    span_id: str | None = None
    """Of our outermost span; None: none is made."""
    started_at: str
    """Wall clock at t0, RFC 3339 in UTC with milliseconds."""
    upstream: str | None
    """The route's first choice; None where no route was reached."""
    route: str | None
    dialect: str | None
    provider: str | None
    operation: str | None
    """What was asked for, by its path; `realtime` for a tunnel; None: nothing that is known."""
    method: str | None
    """None where the request line did not parse."""
    path: str | None
    """As the caller sent it, raw, without the query (which may hold a key)."""
    request_model: str | None = None
    response_model: str | None = None
    """The last one that the body names."""
    service_tier: str | None = None
    stream: bool | None = None
    """Events came one by one; None where no answer was read."""
    status: int | None
    """What the client got; None where nothing was sent."""
    upstream_status: int | None
    outcome: str
    fault: str | None
    reason: str | None
    finish_reasons: tuple[str, ...] = ()
    """In the provider's own words."""
    attempts: tuple[Attempt, ...]
    connection: str | None
    """`new` or `reused`, of the upstream connection that served."""
    usage: Tokens | None = None
    usage_source: str | None = None
    """`reported` by the provider, or (in part) `estimated` by us; None: nothing is known."""
    output_events: int | None = None
    """Events that carried a generated piece; None where no stream was read."""
    phases_ms: Phases | None = None
    """The waterfall; its sum is `duration_ms`."""
    headers_ms: float | None
    """t0 -> the upstream's final response head parsed."""
    first_event_ms: float | None = None
    """t0 -> the first event with data. This and those that follow: of streams."""
    ttft_ms: float | None = None
    """t0 -> the first generated piece: reasoning, content, refusal, tool call or audio."""
    ttfa_ms: float | None = None
    """t0 -> the first piece that is not reasoning."""
    duration_ms: float
    """t0 -> last byte handed to the client's socket, or the cut."""
    longest_gap_ms: float | None = None
    """Between two generated events."""
    client_blocked_ms: float = 0.0
    """The provider was held because the caller did not read."""
    provider_processing_ms: float | None = None
    """By the provider's own clock."""
    overhead_ms: float | None = None
    """Our own added time: request, response head and chunks together."""
    output_tokens_per_s: float | None = None
    """Between the first and the last generated event."""
    cost_usd: float | None = None
    """By the price table; None where a price or a count is not known."""
    error: ErrorTold | None = None
    request_bytes: int
    """Body bytes received from the client, without framing."""
    response_bytes: int
    """Body bytes handed to the client, without framing; our own answers included."""
    config_hash: str | None
    labels: dict[str, str] | None = None
    """The values of `telemetry.labels`; None where none are configured."""
