"""How an exchange can end, and whose fault that is: one closed table.

Knows: every outcome, fault and reason, and the status of our own answer where we give one.
Must not know: how any of them is detected, nor how an answer looks on the wire.
Why a table: metrics, logs, local replies, docs and alerts all read the same rows, so that no two
of them can disagree about what `upstream_reset` means. A reason is added here or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What became of an accepted request. Every one ends in exactly one of these."""

    OK = "ok"
    UPSTREAM_4XX = "upstream_4xx"
    UPSTREAM_429 = "upstream_429"
    UPSTREAM_5XX = "upstream_5xx"
    STREAM_ERROR = "stream_error"
    TRUNCATED = "truncated"
    CONNECT_FAILED = "connect_failed"
    TIMEOUT = "timeout"
    CLIENT_CANCELLED = "client_cancelled"
    REFUSED = "refused"
    REJECTED = "rejected"
    ABORTED = "aborted"


class Fault(StrEnum):
    """Who is to blame for an outcome that is not ok."""

    CALLER = "caller"
    PROVIDER = "provider"
    NETWORK = "network"
    SIDECAR = "sidecar"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one reason implies. `status` is that of our own answer; None: we have none to give
    (the upstream's stands, or bytes were already on their way and the answer is cut)."""

    outcome: Outcome
    fault: Fault
    status: int | None


class Reason(StrEnum):
    """Why an exchange did not end well. The closed list."""

    BAD_REQUEST = "bad_request"
    HEADER_TOO_LARGE = "header_too_large"
    URI_TOO_LONG = "uri_too_long"
    REQUEST_TOO_LARGE = "request_too_large"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_IMPLEMENTED = "not_implemented"
    BAD_VERSION = "bad_version"
    EXPECTATION_FAILED = "expectation_failed"
    CLIENT_TIMEOUT = "client_timeout"
    MISDIRECTED_HOST = "misdirected_host"
    WRONG_PROVIDER = "wrong_provider"
    ORIGIN_FORBIDDEN = "origin_forbidden"
    UNAUTHORIZED = "unauthorized"
    NO_ROUTE = "no_route"
    MODEL_NOT_OFFERED = "model_not_offered"
    CIRCUIT_OPEN = "circuit_open"
    QUEUE_FULL = "queue_full"
    QUEUE_TIMEOUT = "queue_timeout"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    MEMORY_PRESSURE = "memory_pressure"
    DRAINING = "draining"
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    UPSTREAM_RESET = "upstream_reset"
    BAD_UPSTREAM_RESPONSE = "bad_upstream_response"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    IDLE_TIMEOUT = "idle_timeout"
    UPSTREAM_CUT = "upstream_cut"
    SHORT_BODY = "short_body"
    BAD_FRAMING = "bad_framing"
    NO_TERMINAL_EVENT = "no_terminal_event"
    IN_STREAM_ERROR = "in_stream_error"
    HTTP_4XX = "http_4xx"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    CLIENT_LEFT = "client_left"
    CLIENT_WRITE_STALL = "client_write_stall"
    DRAINED = "drained"
    INTERNAL_ERROR = "internal_error"


def _rows(outcome: Outcome, fault: Fault, **status_by_reason: int | None) -> dict[Reason, Meaning]:
    return {
        Reason(name): Meaning(outcome, fault, status) for name, status in status_by_reason.items()
    }


MEANING: Final[dict[Reason, Meaning]] = {
    **_rows(
        Outcome.REFUSED,
        Fault.CALLER,
        bad_request=400,
        header_too_large=431,
        uri_too_long=414,
        request_too_large=413,
        method_not_allowed=405,
        not_implemented=501,
        bad_version=505,
        expectation_failed=417,
        client_timeout=408,
        misdirected_host=421,
        wrong_provider=421,
        origin_forbidden=403,
        unauthorized=401,
        no_route=404,
        model_not_offered=404,
    ),
    **_rows(
        Outcome.REJECTED,
        Fault.POLICY,
        circuit_open=503,
        queue_full=503,
        queue_timeout=503,
        too_many_connections=503,
    ),
    **_rows(Outcome.REJECTED, Fault.SIDECAR, memory_pressure=503, draining=503),
    **_rows(
        Outcome.CONNECT_FAILED, Fault.NETWORK, dns_failed=502, connect_failed=502, tls_failed=502
    ),
    **_rows(Outcome.CONNECT_FAILED, Fault.PROVIDER, upstream_reset=502, bad_upstream_response=502),
    **_rows(Outcome.TIMEOUT, Fault.PROVIDER, first_byte_timeout=504, first_token_timeout=504),
    # The policy is `total`. A deadline that the caller set will be the caller's fault.
    **_rows(Outcome.TIMEOUT, Fault.POLICY, deadline_exceeded=504),
    **_rows(Outcome.TIMEOUT, Fault.PROVIDER, idle_timeout=None),
    **_rows(
        Outcome.TRUNCATED,
        Fault.PROVIDER,
        upstream_cut=None,
        short_body=None,
        bad_framing=None,
        no_terminal_event=None,
    ),
    **_rows(Outcome.STREAM_ERROR, Fault.PROVIDER, in_stream_error=None),
    **_rows(Outcome.UPSTREAM_4XX, Fault.CALLER, http_4xx=None),
    **_rows(Outcome.UPSTREAM_429, Fault.PROVIDER, http_429=None),
    **_rows(Outcome.UPSTREAM_5XX, Fault.PROVIDER, http_5xx=None),
    **_rows(Outcome.CLIENT_CANCELLED, Fault.CALLER, client_left=None),
    **_rows(Outcome.ABORTED, Fault.CALLER, client_write_stall=None),
    **_rows(Outcome.ABORTED, Fault.SIDECAR, drained=None, internal_error=500),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Our own answer instead of the upstream's: why, in words that name the fix."""

    reason: Reason
    message: str
    retry_after_s: int | None = None

    @property
    def status(self) -> int:
        """The status line's number. Reasons without one are never answered, only cut."""
        return MEANING[self.reason].status or 500


def reason_of_status(status: int) -> Reason | None:
    """The reason that an upstream's own whole answer carries; None for a good one (1xx-3xx)."""
    if status < 400:
        return None
    if status == 429:
        return Reason.HTTP_429
    return Reason.HTTP_4XX if status < 500 else Reason.HTTP_5XX
