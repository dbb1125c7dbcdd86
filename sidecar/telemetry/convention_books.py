"""The same exchanges in the words of the semantic conventions.

Knows: how one finished exchange is added up by OpenTelemetry's attributes.
Must not know: who reads the sums. Kept only where somebody gets them: over OTLP, or on the scrape
if that was asked for.
Usage is counted where the provider told it, and only there: the conventions forbid a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sidecar.core.origin import Origin
from sidecar.core.records import Record
from sidecar.dialects.operations import route_template
from sidecar.metering.meter import Meter
from sidecar.telemetry import conventions as c
from sidecar.telemetry.family import Family
from sidecar.telemetry.labels import ModelNames
from sidecar.telemetry.ledger import Histogram

_BROKEN_ON_PURPOSE: Final = "client_cancelled"
"""A caller that leaves is no error (the conventions say so)."""
Values = tuple[str, ...]
"""One for each label of a family; "" where it does not apply."""


class ConventionBooks:
    """`origins`: where each upstream lives. `models`: which names are let in."""

    def __init__(
        self,
        origins: Mapping[str, Origin],
        models: ModelNames,
        requested: ModelNames,
        is_tls: bool,
    ) -> None:
        self._origins = origins
        self._models = models
        self._requested = requested
        self._scheme = "https" if is_tls else "http"
        self.histograms: dict[Family, dict[Values, Histogram]] = {row: {} for row in c.FAMILIES}

    def settle(self, record: Record, stream: Meter | None, version: str) -> None:
        """Add one ended exchange. `version`: of the caller's HTTP, "" where it sent none."""
        duration_s = record.duration_ms / 1e3
        error = error_type(record)
        method, status = known_method(record.method), _text(record.status)
        served = (method, self._scheme, status, server_error(record), route_of(record), version)
        self._add(c.SERVER_DURATION, served, duration_s)
        for attempt in record.attempts:
            origin = self._origins.get(attempt.upstream)
            if origin is not None:
                where = (method, origin.host, str(origin.port))
                status = _text(attempt.status)
                key = (*where, status, attempt_error(attempt.reason, attempt.status))
                self._add(c.CLIENT_DURATION, key, attempt.duration_ms / 1e3)
        if record.attempts and record.operation in c.OPERATIONS:
            self._settle_call(record, stream, error, duration_s)

    def _settle_call(
        self, record: Record, stream: Meter | None, error: str, duration_s: float
    ) -> None:
        origin = self._origins.get(record.attempts[-1].upstream)
        is_good = record.upstream_status is not None and record.upstream_status < 400
        asked, answered = record.request_model, record.response_model
        call = (
            record.operation or "",
            record.provider or record.dialect or "",
            "" if asked is None else self._requested.label(None, asked, is_good),
            "" if answered is None else self._models.label(None, answered, is_good=False),
            "" if origin is None else origin.host,
            "" if origin is None else str(origin.port),
        )
        self._add(c.OPERATION_DURATION, (*call, error), duration_s)
        if record.usage is not None and record.usage_source == "reported":
            counts = (record.usage.input_tokens, record.usage.output_tokens)
            for kind, count in zip(c.TOKEN_TYPES, counts, strict=True):
                if count is not None:
                    self._add(c.TOKEN_USAGE, (*call, kind), count)
        if stream is None:
            return
        if record.ttft_ms is not None:
            self._add(c.TIME_TO_FIRST_CHUNK, call, record.ttft_ms / 1e3)
        if stream.output_events > 1:
            chunks = self._histogram(c.TIME_PER_OUTPUT_CHUNK, call)
            chunks.merge(stream.gap_counts, stream.gap_sum_s)

    def _add(self, family: Family, values: Values, figure: float) -> None:
        self._histogram(family, values).add(figure)

    def _histogram(self, family: Family, values: Values) -> Histogram:
        by_values = self.histograms[family]
        histogram = by_values.get(values)
        if histogram is None:
            histogram = by_values[values] = Histogram(family.bounds)
        return histogram


def known_method(method: str | None) -> str:
    """The method, or `_OTHER`: it is a stranger's to invent."""
    return method if method in c.METHODS else c.OTHER_METHOD


def route_of(record: Record) -> str:
    """`http.route`: the end of the path by which an operation is known, names left out; gateways
    put all kinds of things before it."""
    if record.operation is None or record.path is None or record.method is None:
        return ""
    return route_template(record.method, record.path)


def error_type(record: Record) -> str:
    """Of the whole operation: the status that the upstream answered with, or our reason; "" for
    none."""
    if record.outcome in ("ok", _BROKEN_ON_PURPOSE):
        return ""
    if record.upstream_status is not None and record.upstream_status >= 400:
        return str(record.upstream_status)
    return record.reason or ""


def server_error(record: Record) -> str:
    """Of the answer to the application: its own status from 500 on, or why it broke off. What the
    caller has done wrong is no error of a server."""
    if record.status is not None and record.status >= 400:
        return str(record.status) if record.status >= 500 else ""
    return error_type(record)


def attempt_error(reason: str | None, status: int | None) -> str:
    """Of one attempt: any status from 400 on is one."""
    if reason is None or reason == "client_left":
        return ""
    return str(status) if status is not None and status >= 400 else reason


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
