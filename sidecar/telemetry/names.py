"""Every metric of ours: name, type, unit, labels, label values, bounds and help.

Knows: one row for each family (`conventions` has those of the semantic conventions, and what spans
say; `reference` makes docs/metrics.md of both).
Must not know: any figure, nor who exports it. The exporters, the documentation, dashboards and
alerts all read these rows, so a metric is added or renamed here or nowhere.
Why closed label values stand here: a counter that first appears with its first failure shows no
increase to `rate()`, so all of them must exist at 0 from the start, and somebody has to say what
"all" is.
"""

from __future__ import annotations

from typing import Final

from sidecar.core.outcome import MEANING, Fault, Outcome, Reason
from sidecar.metering.meter import GAP_BOUNDS_S
from sidecar.metering.phases import PHASES
from sidecar.telemetry.family import PREFIX, Family, Kind

NO_UPSTREAM: Final = "none"
"""The `upstream` label of a request that never reached a route."""


OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
STATES: Final = ("queued", "waiting", "streaming")
PARTS: Final = ("request", "response", "chunk")
OPENED_REASONS: Final = ("cold", "busy", "aged", "stale")
CONNECTION_STATES: Final = ("idle", "active")
NO_MODEL: Final = "none"
"""The `model` label of what names none."""
OTHER: Final = "other"
"""Stands for every value of a label that is not let in."""
UNSAID: Final = "none"
"""The value of a configured label where the caller says nothing."""
TOKEN_KINDS: Final = ("input", "cache_read", "cache_write", "output", "reasoning")
SOURCES: Final = ("reported", "estimated")
RESULTS: Final = ("ok", "failed", "abandoned")
LIMIT_KINDS: Final = ("requests", "tokens")

# A refusal of these never knows an upstream; all other reasons may be met with one.
_BEFORE_ROUTE: Final = frozenset(
    {
        Reason.HEADER_TOO_LARGE,
        Reason.URI_TOO_LONG,
        Reason.METHOD_NOT_ALLOWED,
        Reason.NOT_IMPLEMENTED,
        Reason.BAD_VERSION,
        Reason.EXPECTATION_FAILED,
        Reason.MISDIRECTED_HOST,
        Reason.WRONG_PROVIDER,
        Reason.ORIGIN_FORBIDDEN,
        Reason.UNAUTHORIZED,
        Reason.NO_ROUTE,
        Reason.TOO_MANY_CONNECTIONS,
    }
)
# Outcomes that need no upstream to have answered, or even to have been chosen.
_WITHOUT_UPSTREAM: Final = frozenset(
    {Outcome.REFUSED, Outcome.REJECTED, Outcome.CLIENT_CANCELLED, Outcome.ABORTED}
)


def failures_to_expect(upstream: str) -> tuple[tuple[str, str], ...]:
    """The (fault, reason) pairs that are exported as 0 before anything has failed.

    Not every pair for every upstream: a scrape of unreachable combinations would cost a third of
    the series. A pair that is met against expectation is counted all the same.
    """
    return tuple(
        (meaning.fault.value, reason.value)
        for reason, meaning in MEANING.items()
        if (
            meaning.outcome in _WITHOUT_UPSTREAM
            if upstream == NO_UPSTREAM
            else reason not in _BEFORE_ROUTE
        )
    )


DROPS: Final = (
    ("log", "queue_full"),
    ("log", "write_failed"),
    ("log", "not_encodable"),
    ("log", "not_flushed"),
    ("log", "sink_failed"),
    ("exchanges", "sink_failed"),
    ("exchanges", "not_measured"),
    ("traces", "queue_full"),
    ("traces", "not_sent"),
    ("traces", "rejected"),
    ("traces", "not_encodable"),
    ("traces", "not_flushed"),
    ("metrics", "not_sent"),
    ("metrics", "rejected"),
    ("metrics", "not_encodable"),
)
"""(signal, reason): what of our own telemetry can be lost, and why."""

SKIPS: Final = (
    "unreadable",
    "event_too_large",
    "body_too_large",
    "too_dense",
    "not_unpackable",
    "bad_checksum",
    "reader_failed",
)
"""Why the meter passed something over."""

REQUESTS_STARTED: Final = Family(
    PREFIX + "requests_started_total",
    Kind.COUNTER,
    "Requests accepted: a head was parsed, or bytes that did not parse were answered."
    " Always equals the sum of requests_total and requests_in_flight.",
    ("upstream",),
)
REQUESTS: Final = Family(
    PREFIX + "requests_total",
    Kind.COUNTER,
    "Requests ended, each with exactly one outcome. upstream is the route's first choice.",
    ("upstream", "outcome"),
    {"outcome": OUTCOMES},
    takes_labels=True,
)
REQUESTS_IN_FLIGHT: Final = Family(
    PREFIX + "requests_in_flight",
    Kind.GAUGE,
    "Requests accepted and not yet ended: queued for a seat, waiting for the response head,"
    " streaming since.",
    ("upstream", "state"),
    {"state": STATES},
)
FAILURES: Final = Family(
    PREFIX + "failures_total",
    Kind.COUNTER,
    "Requests that did not end ok: whose fault, and why. upstream is the one that was asked last.",
    ("upstream", "fault", "reason"),
    {
        "fault": tuple(fault.value for fault in Fault),
        "reason": tuple(reason.value for reason in Reason),
    },
)
_BY_MODEL: Final = ("upstream", "model")
_TOKEN_BOUNDS_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 60.0)
REQUEST_DURATION: Final = Family(
    PREFIX + "request_duration_seconds",
    Kind.HISTOGRAM,
    "From the parsed request head to the last byte handed to the caller, or the cut, of requests"
    " that were sent to an upstream.",
    _BY_MODEL,
    unit="seconds",
    bounds=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0, 180.0, 600.0),
    takes_labels=True,
)
TIME_TO_FIRST_TOKEN: Final = Family(
    PREFIX + "time_to_first_token_seconds",
    Kind.HISTOGRAM,
    "From the parsed request head to the first generated piece of a stream: reasoning, content,"
    " refusal, tool call or audio.",
    _BY_MODEL,
    unit="seconds",
    bounds=_TOKEN_BOUNDS_S,
    takes_labels=True,
)
TOKEN_GAP: Final = Family(
    PREFIX + "token_gap_seconds",
    Kind.HISTOGRAM,
    "Between two generated events of a stream, as they came; of running streams, too.",
    _BY_MODEL,
    unit="seconds",
    bounds=GAP_BOUNDS_S,
    takes_labels=True,
)
TIME_PER_OUTPUT_TOKEN: Final = Family(
    PREFIX + "time_per_output_token_seconds",
    Kind.HISTOGRAM,
    "Of one stream: the time from its first to its last generated event, by the tokens made in"
    " between (by the provider's count, or our estimate).",
    _BY_MODEL,
    unit="seconds",
    bounds=GAP_BOUNDS_S,
    takes_labels=True,
)
TIME_TO_FIRST_ANSWER: Final = Family(
    PREFIX + "time_to_first_answer_seconds",
    Kind.HISTOGRAM,
    "From the parsed request head to the first generated piece that is not reasoning.",
    ("upstream",),
    unit="seconds",
    bounds=_TOKEN_BOUNDS_S,
)
PHASE: Final = Family(
    PREFIX + "phase_seconds",
    Kind.SUMMARY,
    "The waterfall: where the time of requests went. The sums of all phases are the sum of the"
    " durations; each is counted for every request that found a route.",
    ("upstream", "phase"),
    {"phase": PHASES},
    "seconds",
)
STALLS: Final = Family(
    PREFIX + "stalls_total",
    Kind.COUNTER,
    "Gaps between two generated events that were longer than telemetry.stall_after.",
    _BY_MODEL,
    takes_labels=True,
)
STREAMS_BUFFERED: Final = Family(
    PREFIX + "streams_buffered_total",
    Kind.COUNTER,
    "Streams that somebody on the way held back and let go at once: eight or more generated"
    " events, the first later than a second, nine of ten gaps under a millisecond.",
    _BY_MODEL,
    takes_labels=True,
)
TOKENS: Final = Family(
    PREFIX + "tokens_total",
    Kind.COUNTER,
    "Tokens by kind; the kinds exclude each other, so that their sum is the total. source: counted"
    " by the provider, or (in part) estimated here.",
    ("upstream", "model", "kind", "source"),
    {"kind": TOKEN_KINDS, "source": SOURCES},
    takes_labels=True,
)
COST: Final = Family(
    PREFIX + "cost_usd_total",
    Kind.COUNTER,
    "US dollars by the price table, of requests whose tokens and price are known.",
    _BY_MODEL,
    takes_labels=True,
)
UNPRICED: Final = Family(
    PREFIX + "unpriced_requests_total",
    Kind.COUNTER,
    "Requests with tokens and without a cost: the price table does not know the model, or the"
    " service tier.",
    _BY_MODEL,
    takes_labels=True,
)
USAGE_MISSING: Final = Family(
    PREFIX + "usage_missing_total",
    Kind.COUNTER,
    "Answers that ended ok, should have told their usage, and did not.",
    _BY_MODEL,
    takes_labels=True,
)
ATTEMPTS: Final = Family(
    PREFIX + "attempts_total",
    Kind.COUNTER,
    "Sends to an upstream: ok (it did what was asked, or said that the caller was wrong), failed"
    " (the fault of provider, network or policy), abandoned (the caller left, or we had to go).",
    ("upstream", "result"),
    {"result": RESULTS},
)
PROVIDER_PROCESSING: Final = Family(
    PREFIX + "provider_processing_seconds",
    Kind.HISTOGRAM,
    "How long the provider took by its own clock, where it says so in a header.",
    ("upstream",),
    unit="seconds",
    bounds=_TOKEN_BOUNDS_S,
)
RATELIMIT_REMAINING: Final = Family(
    PREFIX + "provider_ratelimit_remaining",
    Kind.GAUGE,
    "What the provider's last answer said it would still allow in the current window.",
    ("upstream", "kind"),
    {"kind": LIMIT_KINDS},
)
CLIENT_BLOCKED: Final = Family(
    PREFIX + "client_blocked_seconds_total",
    Kind.COUNTER,
    "Time for which the provider was held because the caller did not read.",
    ("upstream",),
    unit="seconds",
    otlp=PREFIX[:-1] + ".client_blocked",
)
LABELS_CAPPED: Final = Family(
    PREFIX + "labels_capped_total",
    Kind.COUNTER,
    "Requests whose value of a label became `other`: as many values as are allowed were there"
    " (telemetry.metrics.models_max, telemetry.labels.NAME.max).",
    ("label",),
)
CONNECTIONS_OPENED: Final = Family(
    PREFIX + "connections_opened_total",
    Kind.COUNTER,
    "Upstream connections opened: none was there (cold), all were in use (busy), the idle one was"
    " too old (aged) or found dead (stale).",
    ("upstream", "reason"),
    {"reason": OPENED_REASONS},
)
CONNECTIONS_OPEN: Final = Family(
    PREFIX + "connections_open",
    Kind.GAUGE,
    "Upstream connections open now.",
    ("upstream", "state"),
    {"state": CONNECTION_STATES},
)
OVERHEAD: Final = Family(
    PREFIX + "overhead_seconds",
    Kind.HISTOGRAM,
    "Time that the sidecar itself added, from the kernel's read to the write: of the request, of"
    " the response's head with its first bytes, of each later chunk.",
    ("part",),
    {"part": PARTS},
    "seconds",
    # 25 us to 25 ms, doubling: a healthy relay lives in the first three buckets.
    tuple(0.000025 * 2**step for step in range(11)),
)
EVENT_LOOP_LAG: Final = Family(
    PREFIX + "event_loop_lag_seconds",
    Kind.GAUGE,
    "The greatest lateness of a timer in the event loop since the last scrape.",
    unit="seconds",
)
TELEMETRY_DROPPED: Final = Family(
    PREFIX + "telemetry_dropped_total",
    Kind.COUNTER,
    "Our own lines and records that were lost instead of holding up traffic.",
    ("signal", "reason"),
    {
        "signal": tuple(dict.fromkeys(signal for signal, _ in DROPS)),
        "reason": tuple(dict.fromkeys(reason for _, reason in DROPS)),
    },
)
METER_SKIPPED: Final = Family(
    PREFIX + "meter_skipped_total",
    Kind.COUNTER,
    "What the meter passed over and did not count: events or bodies that were unreadable or too"
    " large, encodings that were too dense or broken, readers that failed. The bytes went on.",
    ("reason",),
    {"reason": SKIPS},
)
CONFIG_INFO: Final = Family(
    PREFIX + "config_info",
    Kind.GAUGE,
    "Always 1; the hash of the configuration in force.",
    ("hash",),
)
BUILD_INFO: Final = Family(
    PREFIX + "build_info",
    Kind.GAUGE,
    "Always 1; which sidecar on which Python.",
    ("version", "python"),
)

FAMILIES: Final = (
    REQUESTS_STARTED,
    REQUESTS,
    REQUESTS_IN_FLIGHT,
    FAILURES,
    REQUEST_DURATION,
    TIME_TO_FIRST_TOKEN,
    TOKEN_GAP,
    TIME_PER_OUTPUT_TOKEN,
    TIME_TO_FIRST_ANSWER,
    PHASE,
    STALLS,
    STREAMS_BUFFERED,
    TOKENS,
    COST,
    UNPRICED,
    USAGE_MISSING,
    ATTEMPTS,
    CONNECTIONS_OPENED,
    CONNECTIONS_OPEN,
    PROVIDER_PROCESSING,
    RATELIMIT_REMAINING,
    CLIENT_BLOCKED,
    OVERHEAD,
    EVENT_LOOP_LAG,
    METER_SKIPPED,
    TELEMETRY_DROPPED,
    LABELS_CAPPED,
    CONFIG_INFO,
    BUILD_INFO,
)
