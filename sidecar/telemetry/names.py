"""Every metric that is built: name, type, unit, labels, label values, bounds and help.

Knows: one row for each family, and how the rows read as a Markdown table.
Must not know: any figure, nor who exports it. The exporter, the documentation, dashboards and
alerts all read these rows, so a metric is added or renamed here or nowhere.
Why closed label values stand here: a counter that first appears with its first failure shows no
increase to `rate()`, so all of them must exist at 0 from the start, and somebody has to say what
"all" is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sidecar.core.outcome import MEANING, Fault, Outcome, Reason

PREFIX: Final = "llm_sidecar_"
NO_UPSTREAM: Final = "none"
"""The `upstream` label of a request that never reached a route."""


class Kind(StrEnum):
    """The Prometheus type of a family."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `values`: the closed values of a label; a label not in it is open."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unit: str = ""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in `unit`, without infinity."""


OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
STATES: Final = ("queued", "waiting", "streaming")
PARTS: Final = ("request", "response", "chunk")
OPENED_REASONS: Final = ("cold", "busy", "aged", "stale")
CONNECTION_STATES: Final = ("idle", "active")

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
    CONNECTIONS_OPENED,
    CONNECTIONS_OPEN,
    OVERHEAD,
    EVENT_LOOP_LAG,
    TELEMETRY_DROPPED,
    METER_SKIPPED,
    CONFIG_INFO,
    BUILD_INFO,
)


def markdown() -> str:
    """The text of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Served on the admin port at `/metrics`, as Prometheus text or OpenMetrics. This page is",
        "made from `sidecar/telemetry/names.py` by `names.markdown()`; a test compares the two.",
        "",
        "| Name | Type | Unit | Labels | Meaning |",
        "|---|---|---|---|---|",
    ]
    for row in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(
            f"| `{row.name}` | {row.kind} | {row.unit or '-'} | {labels or '-'} | {row.help} |"
        )
    lines += [
        "",
        "`upstream` is the configured name, or `none` where no route was reached.",
        "Counters are there, at 0, from the start.",
        "",
        "## Label values",
        "",
        "| Metric | Label | Values |",
        "|---|---|---|",
    ]
    for row in FAMILIES:
        for label, values in row.values.items():
            lines.append(f"| `{row.name}` | `{label}` | {' '.join(f'`{v}`' for v in values)} |")
    lines += ["", "## Bucket bounds", "", "| Metric | Bounds |", "|---|---|"]
    for row in FAMILIES:
        if row.bounds:
            lines.append(f"| `{row.name}` | {' '.join(f'{bound:g}' for bound in row.bounds)} |")
    return "\n".join(lines) + "\n"
