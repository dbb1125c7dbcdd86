"""A page of the books as Prometheus' text, in slices.

Knows: how readings become samples, and which text format a scraper asked for.
Must not know: HTTP, nor what a figure means. The admin port serves what `render` returns.
Why slices in the event loop and not a thread: prometheus_client needs 4-5 us a sample, so a whole
page with 5,000 series would stop every stream for 25 ms; a thread doing it would fight for the
interpreter lock for as long. Cut into pieces of 48 samples, with the loop running in between, no
stream waits longer than about a quarter of a millisecond.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector as ClientCollector
from prometheus_client.registry import CollectorRegistry
from prometheus_client.samples import Exemplar, Sample

from sidecar.telemetry.ledger import Exemplar as Kept
from sidecar.telemetry.page import Buckets, Page, Reading

_SLICE_SAMPLES: Final = 48
_END: Final = b"# EOF\n"
_GZIP_LEVEL: Final = 1
"""Of 500 KB it leaves 6 % either way; the higher ones take five times as long."""


class Rendered(NamedTuple):
    """What a scraper gets."""

    body: bytes
    content_type: str
    is_gzip: bool


class Collector(ClientCollector):
    """Reads pages. `prepare`: an iterator that does something before a page is made, a little in
    each step (running streams are counted so)."""

    def __init__(
        self,
        page: Callable[[], Page],
        prepare: Callable[[], Iterable[object]] = tuple,
    ) -> None:
        self._page = page
        self._prepare = prepare
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def collect(self) -> Iterator[Metric]:
        """Every family, from figures of one moment (that of the first step)."""
        for _ in self._prepare():
            pass
        whole: Metric | None = None
        for part, is_first in self._parts():
            if whole is not None and is_first:
                yield whole
            if whole is None or is_first:
                whole = part
            else:
                whole.samples += part.samples
        if whole is not None:
            yield whole

    async def render(self, accept: str | None, accept_encoding: str | None = None) -> Rendered:
        """For a scraper's two headers; the loop runs between slices."""
        try:
            encode, content_type = choose_encoder(accept or "")
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        is_gzip = takes_gzip(accept_encoding)
        # 16 +: with gzip's own head and tail.
        squeeze = zlib.compressobj(_GZIP_LEVEL, wbits=16 + zlib.MAX_WBITS) if is_gzip else None
        pieces: list[bytes] = []

        def put(text: bytes) -> None:
            pieces.append(text if squeeze is None else squeeze.compress(text))

        for _ in self._prepare():
            await asyncio.sleep(0)
        for part, is_first in self._parts():
            text = encode(_Single(part)).removesuffix(_END)
            put(text if is_first else _without_head(text))
            await asyncio.sleep(0)
        if content_type.startswith("application/openmetrics-text"):
            put(_END)
        if squeeze is not None:
            pieces.append(squeeze.flush())
        return Rendered(b"".join(pieces), content_type, is_gzip)

    def _parts(self) -> Iterator[tuple[Metric, bool]]:
        """Each family in parts of a slice's size, made as they are asked for; True: its first."""
        for reading in self._page().readings:
            family, samples = reading.family, _samples(reading)
            is_first = True
            while some := list(islice(samples, _SLICE_SAMPLES)):
                part = Metric(
                    family.name.removesuffix("_total"),
                    family.help,
                    family.kind.value,
                    # A unit must be the end of the name, or OpenMetrics is broken.
                    family.unit if family.name.removesuffix("_total").endswith(family.unit) else "",
                )
                part.samples = some
                yield part, is_first
                is_first = False
        for metric in self._process.collect():
            yield metric, True


def takes_gzip(accept_encoding: str | None) -> bool:
    """By RFC 9110 §12.5.3, of the one coding that is offered here."""
    for part in (accept_encoding or "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class _Single(ClientCollector):
    """One part of one family, in the shape that the encoder takes."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self._metric]


def _without_head(text: bytes) -> bytes:
    """The samples alone: HELP, TYPE and UNIT stand once, over the first part of a family."""
    while text.startswith(b"#"):
        text = text.partition(b"\n")[2]
    return text


def _samples(reading: Reading) -> Iterator[Sample]:
    family = reading.family
    labels = [label.replace(".", "_") for label in reading.labels]
    for values, figure in reading.numbers:
        yield Sample(family.name, dict(zip(labels, values, strict=True)), figure)
    bounds = [*map(repr, family.bounds), "+Inf"]
    for values, buckets in reading.buckets:
        named = dict(zip(labels, values, strict=True))
        if family.bounds:
            yield from _bucket_samples(family.name, named, bounds, buckets)
        yield Sample(f"{family.name}_count", named, sum(buckets.counts))
        yield Sample(f"{family.name}_sum", named, buckets.total)


def _bucket_samples(
    name: str, labels: dict[str, str], bounds: list[str], buckets: Buckets
) -> Iterator[Sample]:
    below = 0
    exemplars = buckets.exemplars or [None] * len(bounds)
    for bound, count, kept in zip(bounds, buckets.counts, exemplars, strict=True):
        below += count
        yield Sample(f"{name}_bucket", {**labels, "le": bound}, below, None, _exemplar(kept))


def _exemplar(kept: Kept | None) -> Exemplar | None:
    if kept is None:
        return None
    value, trace_id, span_id, at = kept
    return Exemplar({"trace_id": trace_id, "span_id": span_id}, value, at)
