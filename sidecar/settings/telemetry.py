"""`telemetry:` as frozen dataclasses: what leaves, where to, and how much of it.

Knows: every key of the block, its default and its unit.
Must not know: YAML nodes (`observing` reads them), exporters or sockets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sidecar.core.secret import Secret
from sidecar.policies import sampling

_APART: Final = {"is_apart": True}
HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
SCRAPE, OTLP, BOTH = "scrape", "otlp", "both"
SIGNALS: Final = ("traces", "metrics")
SERVICE_NAME: Final = "llm-sidecar"
"""Never the application's own: what the two count would be added up."""


@dataclass(frozen=True, slots=True)
class Log:
    """`telemetry.log:`"""

    format: str = field(default="json", metadata={"choices": ("json", "text")})
    """One JSON object a line, or text for people."""
    level: str = field(default="info", metadata={"choices": ("debug", "info", "warning", "error")})
    """Exchanges are logged at info."""
    sample_ratio: float = 1.0
    """Of the exchanges that ended well; all others are always logged."""


@dataclass(frozen=True, slots=True)
class Files:
    """`telemetry.otlp.tls:` all are PEM files."""

    ca_file: str | None = field(default=None, metadata={"is_file": True})
    """The authorities to trust instead of the system's."""
    client_cert: str | None = field(default=None, metadata={"is_file": True})
    client_key: str | None = field(default=None, metadata={"is_file": True})


@dataclass(frozen=True, slots=True)
class Signal:
    """`telemetry.otlp.traces:` and `.metrics:` what differs for one of them; off: nothing does."""

    endpoint: str | None = field(default=None, metadata=_APART)
    """Used as it is, path included."""
    protocol: str | None = field(default=None, metadata={"choices": (HTTP, GRPC)})
    compression: str | None = field(default=None, metadata={"choices": ("gzip", "none")})
    timeout_s: float | None = field(default=None, metadata={"yaml": "timeout"})
    headers: tuple[tuple[str, Secret], ...] = field(default=(), metadata=_APART)


@dataclass(frozen=True, slots=True)
class Otlp:
    """`telemetry.otlp:`"""

    endpoint: str | None = field(default=None, metadata=_APART)
    """http(s)://host:port of a collector; /v1/traces and /v1/metrics are appended for http."""
    protocol: str = field(default=HTTP, metadata={"choices": (HTTP, GRPC)})
    compression: str | None = field(default="gzip", metadata={"choices": ("gzip",)})
    timeout_s: float = field(default=10.0, metadata={"yaml": "timeout"})
    """Of one batch, with all its repetitions."""
    interval_s: float = field(default=15.0, metadata={"yaml": "interval"})
    """Between two exports of the metrics."""
    delay_s: float = field(default=1.0, metadata={"yaml": "delay"})
    """How long a span may wait for a full batch."""
    queue: int = 2048
    """Spans that may wait; more are dropped and counted."""
    batch: int = 64
    """Spans in one message, at most 64: making one holds up streams."""
    temporality: str = field(default="cumulative", metadata={"choices": ("cumulative", "delta")})
    """Of counters and histograms."""
    headers: tuple[tuple[str, Secret], ...] = field(default=(), metadata=_APART)
    resource: tuple[tuple[str, str], ...] = field(default=(), metadata=_APART)
    """Attributes of everything that is exported; service.name among them."""
    tls: Files = field(default_factory=Files, metadata=_APART)
    traces: Signal = field(default_factory=Signal, metadata=_APART)
    metrics: Signal = field(default_factory=Signal, metadata=_APART)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where one signal goes, and how. Derived, not written."""

    url: str
    protocol: str
    is_gzip: bool
    timeout_s: float
    headers: tuple[tuple[str, Secret], ...]
    tls: Files


@dataclass(frozen=True, slots=True)
class Traces:
    """`telemetry.traces:`"""

    enabled: str | None = field(default="auto", metadata={"choices": ("auto",)})
    """auto: where there is an endpoint to send them to."""
    sample_ratio: float = 1.0
    """Of the traces that begin here."""
    parent_based: bool = True
    """A caller that brings a trace has decided already."""
    propagate: str = field(default=sampling.FORWARD, metadata={"choices": sampling.PROPAGATE})
    """forward: the caller's headers go up as they came; participate: each attempt sends its own
    traceparent; none: no trace header goes up."""
    genai_spans: bool = True
    """off where the application's own SDK makes them, too: tokens would count twice."""
    capture_content_bytes: int | None = field(default=None, metadata={"yaml": "capture_content"})
    """Prompts and answers in spans, each cut at this size (8KiB). They are the users' words."""
    attribute_limit: int | None = None
    """Longer texts in spans are cut at so many characters."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """`telemetry.metrics:`"""

    export: str = field(default=SCRAPE, metadata={"choices": (SCRAPE, OTLP, BOTH)})
    """/metrics is served always; otlp and both send them, too."""
    semconv: str = field(default=OTLP, metadata={"choices": (OTLP, BOTH)})
    """The families of the semantic conventions (gen_ai.*, http.*): over OTLP, or scraped, too."""
    models_max: int = 50
    """Distinct values of `model`; the rest is `other`."""
    exemplars: bool = True
    """Figures that point to a sampled trace."""


@dataclass(frozen=True, slots=True)
class Label:
    """`telemetry.labels.NAME:` one more label, from a header of the request."""

    name: str
    header: str
    """In lower case."""
    values: tuple[str, ...] | None
    """All others are `other`; None: the first `max_values` that come."""
    max_values: int


@dataclass(frozen=True, slots=True)
class Telemetry:
    """`telemetry:`"""

    stall_after_s: float = field(default=2.0, metadata={"yaml": "stall_after"})
    """A gap between two generated events that is longer is a stall."""
    otlp: Otlp = field(default_factory=Otlp, metadata=_APART)
    traces: Traces = field(default_factory=Traces, metadata=_APART)
    metrics: Metrics = field(default_factory=Metrics, metadata=_APART)
    log: Log = field(default_factory=Log, metadata=_APART)
    labels: tuple[Label, ...] = field(default=(), metadata=_APART)

    def channel(self, signal: str) -> Channel | None:
        """Where `traces` or `metrics` are sent; None: they are not."""
        otlp = self.otlp
        own = otlp.traces if signal == "traces" else otlp.metrics
        protocol = own.protocol or otlp.protocol
        url = own.endpoint
        if url is None and otlp.endpoint is not None:
            url = otlp.endpoint
            if protocol == HTTP:
                url = f"{url.rstrip('/')}/v1/{signal}"
        is_wanted = (
            self.traces.enabled is not None if signal == "traces" else self.metrics.export != SCRAPE
        )
        if url is None or not is_wanted:
            return None
        return Channel(
            url,
            protocol,
            (own.compression or otlp.compression) == "gzip",
            own.timeout_s or otlp.timeout_s,
            own.headers or otlp.headers,
            otlp.tls,
        )

    @property
    def sends_traces(self) -> bool:
        return self.channel("traces") is not None

    @property
    def sends_metrics(self) -> bool:
        return self.channel("metrics") is not None

    @property
    def speaks_conventions(self) -> bool:
        """Somebody gets the families of the semantic conventions."""
        return self.sends_metrics or self.metrics.semconv == BOTH
