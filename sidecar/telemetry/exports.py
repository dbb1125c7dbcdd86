"""What leaves by itself: spans and metrics to a collector, if one is configured.

Knows: how the exporters are put together from the settings, when a page of metrics is due, and
when trouble is worth a line in the log.
Must not know: messages. OpenTelemetry's packages are imported here, and only if they are needed.
"""

from __future__ import annotations

import asyncio
import os
import platform
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from sidecar import __version__
from sidecar.core.origin import Origin
from sidecar.dialects.asked import Value
from sidecar.policies import sampling
from sidecar.settings.telemetry import GRPC, SERVICE_NAME, Channel, Telemetry
from sidecar.telemetry.page import Page
from sidecar.telemetry.traced import Traced

if TYPE_CHECKING:
    from sidecar.telemetry.otlp.exporter import MetricExporter, SpanExporter
    from sidecar.telemetry.otlp.sending import Sender

FLUSH_S: Final = 2.0
"""At the end, for what is queued."""
Drop = Callable[[str, str, int], None]
"""(signal, reason, count)"""


class Exports:
    """The exporters of one process; either may be absent. Build it before traffic comes: the
    imports take a while."""

    def __init__(
        self, telemetry: Telemetry, origins: Mapping[str, Origin], is_tls: bool, drop: Drop
    ) -> None:
        self._telemetry = telemetry
        self._origins = origins
        self._is_tls = is_tls
        self._drop = drop
        self._resource = resource_of(telemetry)
        self._spans = self._span_exporter()
        self._metrics = self._metric_exporter()
        self._told: dict[str, bool] = {}
        """By signal: whether trouble was told last."""
        self._timer: asyncio.TimerHandle | None = None
        self._making: asyncio.Task[None] | None = None

    @property
    def traced(self) -> Callable[[Traced], None] | None:
        """Gets what spans are made of; None: nobody wants it."""
        return None if self._spans is None else self._spans.put

    @property
    def sampling(self) -> sampling.Rule | None:
        """None: no spans are made."""
        traces = self._telemetry.traces
        if self._spans is None:
            return None
        return sampling.Rule(traces.sample_ratio, traces.parent_based)

    def start(self, page: Callable[[], Page], prepare: Callable[[], Iterable[object]]) -> None:
        """Send a page every interval. `prepare` is gone through before one is made."""
        if self._metrics is not None:
            self._page, self._prepare = page, prepare
            self._arm()

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._telemetry.otlp.interval_s, self._due)

    def _due(self) -> None:
        self._making = asyncio.create_task(self._send_page(), name="page of metrics")
        self._arm()

    async def _send_page(self) -> None:
        for _ in self._prepare():
            await asyncio.sleep(0)
        if self._metrics is not None:
            self._metrics.put(self._page())

    def news(self) -> Iterable[tuple[str, str | None]]:
        """(signal, trouble) where that has changed since it was last asked; None: it is over."""
        for signal, exporter in (("traces", self._spans), ("metrics", self._metrics)):
            if exporter is None:
                continue
            trouble = exporter.trouble
            if (trouble is not None) != self._told.get(signal, False):
                self._told[signal] = trouble is not None
                yield signal, trouble

    async def close(self) -> None:
        """Send what there is, for at most FLUSH_S, without holding up the loop."""
        if self._timer is not None:
            self._timer.cancel()
            await self._send_page()
        exporters = [one for one in (self._spans, self._metrics) if one is not None]
        await asyncio.gather(*(asyncio.to_thread(one.close, FLUSH_S) for one in exporters))

    def _span_exporter(self) -> SpanExporter | None:
        telemetry = self._telemetry
        channel = telemetry.channel("traces")
        if channel is None:
            return None
        from sidecar.telemetry.otlp.exporter import SpanExporter
        from sidecar.telemetry.otlp.spans import SpanMaker
        from sidecar.telemetry.otlp.values import resource

        make = SpanMaker(
            resource(self._resource),
            self._origins,
            random.getrandbits,
            telemetry.traces.genai_spans,
            telemetry.traces.attribute_limit,
            self._is_tls,
        )
        return SpanExporter(
            make,
            _sender(channel, "traces"),
            lambda reason, spans: self._drop("traces", reason, spans),
            channel.timeout_s,
            telemetry.otlp.delay_s,
            telemetry.otlp.queue,
            telemetry.otlp.batch,
        )

    def _metric_exporter(self) -> MetricExporter | None:
        telemetry = self._telemetry
        channel = telemetry.channel("metrics")
        if channel is None:
            return None
        from sidecar.telemetry.otlp.exporter import MetricExporter
        from sidecar.telemetry.otlp.metrics import MetricMaker
        from sidecar.telemetry.otlp.values import resource

        is_delta = telemetry.otlp.temporality == "delta"
        return MetricExporter(
            MetricMaker(resource(self._resource), time.time_ns(), is_delta),
            _sender(channel, "metrics"),
            lambda reason, pages: self._drop("metrics", reason, pages),
            channel.timeout_s,
        )


def _sender(channel: Channel, signal: str) -> Sender:
    if channel.protocol == GRPC:
        from sidecar.telemetry.otlp.over_grpc import GrpcSender

        return GrpcSender(channel, signal)
    from sidecar.telemetry.otlp.over_http import HttpSender

    return HttpSender(channel, signal)


def resource_of(telemetry: Telemetry) -> tuple[tuple[str, Value], ...]:
    """Who we are; what is configured wins."""
    own: dict[str, Value] = {
        "service.name": SERVICE_NAME,
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "telemetry.sdk.name": "llm-sidecar-proxy",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "process.runtime.name": platform.python_implementation().lower(),
        "process.runtime.version": platform.python_version(),
    }
    return tuple((own | dict(telemetry.otlp.resource)).items())
