"""The composition root: real clock, real sockets, real sinks.

Knows: how the parts are made, joined, started and stopped, and in which order.
Must not know: what any of them decides. Only here are clock and chance read for the rest.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
import traceback
from collections.abc import Coroutine, Iterator

from sidecar import __version__, plan
from sidecar.admin import server as admin_server
from sidecar.admin.pages import Sources
from sidecar.core.outcome import Reason, Refusal
from sidecar.core.records import Record
from sidecar.net import aio
from sidecar.net.listener import Limits, Listener
from sidecar.net.tls import contexts_for, server_context
from sidecar.net.upstream import HttpUpstream
from sidecar.pipeline import Exchange, Inbound, handle
from sidecar.pipeline.answer import answer
from sidecar.pipeline.ports import Client
from sidecar.pipeline.settle import settle
from sidecar.pipeline.watch import TICK_S
from sidecar.settings import show
from sidecar.settings.schema import Settings
from sidecar.settings.telemetry import BOTH, SIGNALS
from sidecar.telemetry.convention_books import ConventionBooks
from sidecar.telemetry.desk import TelemetryDesk
from sidecar.telemetry.exports import Exports
from sidecar.telemetry.fanout import Fanout
from sidecar.telemetry.labels import ModelNames
from sidecar.telemetry.lag import LagWatcher
from sidecar.telemetry.ledger import Ledger
from sidecar.telemetry.live import Ring
from sidecar.telemetry.log import LogWriter
from sidecar.telemetry.page import Pages
from sidecar.telemetry.prometheus import Collector
from sidecar.telemetry.tracing import Tracing

READY = "ready"
_CALLERS_EVERY = 3
"""Callers are looked at on every third tick: their limits are seconds, and they are many."""
_DESCRIPTORS_BESIDE = 64
"""Log, libraries, the admin port and its callers."""


class App:
    """One running sidecar. Build it on the running loop; `start`, then `stop`."""

    def __init__(
        self,
        settings: Settings,
        log: LogWriter,
        ledger: Ledger,
        descriptors: int | None = None,
    ) -> None:
        """`descriptors`: how many the process may have; None: without end, or unknown."""
        self.settings = settings
        self.log = log
        self._ledger = ledger
        self._ring = Ring()
        telemetry = settings.telemetry
        origins = {upstream.name: upstream.url for upstream in settings.upstreams}
        is_tls = settings.listen.tls is not None
        self._exports = Exports(telemetry, origins, is_tls, ledger.drop)
        conventions = None
        if telemetry.speaks_conventions:
            requested = ModelNames(telemetry.metrics.models_max, (), _not_told)
            conventions = ConventionBooks(origins, ledger.models, requested, is_tls)
        fanout = Fanout(
            (("exchanges", self._ring.add), ("log", log.exchange)),
            lambda signal_name, reason: ledger.drop(signal_name, reason),
        )
        id_prefix = f"sc-{secrets.token_hex(6)}-"
        self._desk = TelemetryDesk(
            ledger,
            fanout,
            time.monotonic,
            time.time,
            id_prefix,
            Tracing(self._exports.sampling, random.getrandbits),
            conventions,
            self._exports.traced,
            has_examples=telemetry.metrics.exemplars,
        )
        self._upstreams: dict[str, HttpUpstream] = {}
        listen = settings.listen
        self._listener = Listener(
            self._handle,
            self._refuse,
            self._report,
            Limits(self._room(descriptors), listen.timeouts),
        )
        self._lag = LagWatcher(ledger.note_lag)
        self._pages = Pages(
            ledger,
            self._desk.states,
            self._connections,
            __version__,
            lambda: settings.hash,
            conventions,
        )
        scrapes_conventions = telemetry.metrics.semconv == BOTH
        self._collector = Collector(
            lambda: self._pages.page("scrape", scrapes_conventions), self._desk.count_running
        )
        self._readiness = "starting"
        self._draining: asyncio.Task[None] | None = None
        self._ticks = 0
        self._loaded_at = self._desk.started_at(time.monotonic())
        self._ticking: asyncio.TimerHandle | None = None
        self._admin: admin_server.AdminPort | None = None
        self._scrape: admin_server.AdminPort | None = None
        self.data_address = settings.listen.address
        self.admin_address = settings.admin.address
        self.scrape_address = settings.scrape.address

    async def start(self) -> None:
        """Listen on both ports. Raises StartError."""
        await aio.self_check()
        contexts = contexts_for(self.settings.upstreams)
        for configured in self.settings.upstreams:
            self._upstreams[configured.name] = HttpUpstream(
                configured, contexts.get(configured.tls), self._ledger
            )
        self._plan = plan.build(self.settings, self._upstreams)
        tls = self.settings.listen.tls
        context = None if tls is None else server_context(tls)
        self._admin = await admin_server.start(self.settings.admin.address, self._sources())
        self.admin_address = self._admin.addresses[0]
        if self.settings.scrape.address is not None:
            self._scrape = await admin_server.start_scrape(
                self.settings.scrape.address, self._sources()
            )
            self.scrape_address = self._scrape.addresses[0]
        self.data_address = await self._listener.bind(self.settings.listen.address, context)
        loop = asyncio.get_running_loop()
        self._lag.start(loop)
        self._exports.start(lambda: self._pages.page("otlp"), self._desk.count_running)
        self._tick()
        self._readiness = READY
        self.log.event(
            "info",
            "started",
            version=__version__,
            listen=str(self.data_address),
            admin=str(self.admin_address),
            config=self.settings.source,
            config_hash=self.settings.hash,
            upstreams=[u.name for u in self.settings.upstreams],
            loop=type(loop).__module__.partition(".")[0],
            **({} if self.scrape_address is None else {"scrape": str(self.scrape_address)}),
            **self._sends(),
        )
        for warning in self.settings.warnings:
            self.log.event("warning", "configuration", what=str(warning))

    def _sends(self) -> dict[str, object]:
        """Where telemetry goes, for whoever wonders which of many settings won."""
        telemetry = self.settings.telemetry
        channels = {signal: telemetry.channel(signal) for signal in SIGNALS}
        sends: dict[str, object] = {
            signal: f"{channel.protocol} {channel.url}"
            for signal, channel in channels.items()
            if channel is not None
        }
        if "traces" in sends:
            sends["sample_ratio"] = telemetry.traces.sample_ratio
        return sends

    def _room(self, descriptors: int | None) -> int:
        """How many callers there is room for. Out of descriptors, nobody is let in at all, and
        the operator's port falls silent with the rest."""
        asked = self.settings.listen.max_connections
        if descriptors is None or asked * 2 + _DESCRIPTORS_BESIDE <= descriptors:
            return asked
        room = max((descriptors - _DESCRIPTORS_BESIDE) // 2, 1)
        self.log.event(
            "warning",
            "few_descriptors",
            descriptors=descriptors,
            max_connections=room,
            hint=f"ulimit -n {asked * 2 + _DESCRIPTORS_BESIDE}",
        )
        return room

    def begin_drain(self) -> asyncio.Task[None]:
        """Let what runs come to its end, and take nothing new; the task is done when all has
        ended, or after `shutdown.drain`. Asked again, it is the same drain."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")
        return self._draining

    async def _drain(self) -> None:
        self._readiness = "draining"
        drain_s = self.settings.shutdown.drain_s
        self.log.event("info", "draining", in_flight=len(self._desk.in_flight), drain_s=drain_s)
        await self._listener.drain(drain_s)
        await self._cut()
        self._desk.close_books()
        self.log.event("info", "drained")

    async def _cut(self) -> None:
        """End what still runs, so that everybody can see it."""
        for exchange in self._desk.in_flight:
            exchange.fail(Reason.DRAINED)
        await self._listener.end_all()

    async def stop(self) -> None:
        """End what runs, visibly, and let every exchange be counted."""
        had_started, self._readiness = self._readiness != "starting", "stopped"
        if self._draining is not None:
            self._draining.cancel()
        await self._cut()
        await self._listener.close()
        self._desk.close_books()
        self._lag.stop()
        if self._ticking is not None:
            self._ticking.cancel()
        for upstream in self._upstreams.values():
            await upstream.close()
        await self._exports.close()
        for port in (self._admin, self._scrape):
            if port is not None:
                await port.close()
        if had_started:
            self.log.event("info", "stopped")

    @property
    def in_flight(self) -> int:
        """Requests that have no outcome yet."""
        return len(self._desk.in_flight)

    # --- what the listener calls ---

    def _handle(self, inbound: Inbound, client: Client) -> Coroutine[None, None, None]:
        return handle(inbound, client, self._plan, self._desk)

    def _refuse(self, inbound: Inbound, client: Client, refusal: Refusal | None) -> None:
        """Count and answer what never became a request; without a refusal its caller has left."""
        exchange = Exchange(inbound, client, self._plan, self._desk)
        if refusal is None:
            exchange.fail(Reason.CLIENT_LEFT)
        else:
            answer(exchange, refusal, self._desk)
        settle(exchange, self._desk)

    def _report(self, error: Exception) -> None:
        """A bug of ours: where it is, without the values that were in it."""
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in frames[-6:]]
        self.log.event("error", "internal_error", kind=type(error).__name__, where=where)

    def _tick(self) -> None:
        now = time.monotonic()
        self._desk.watches.tick(now)
        self._desk.close_books()
        self._ticks += 1
        if self._ticks % _CALLERS_EVERY == 0:
            self._listener.tick(now)
            for name, trouble in self._exports.news():
                self._tell_trouble(name, trouble)
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tell_trouble(self, name: str, trouble: str | None) -> None:
        if trouble is None:
            self.log.event("info", "export_works_again", signal=name)
        else:
            hint = "telemetry_dropped_total counts what is lost"
            self.log.event("warning", "export_fails", signal=name, why=trouble, hint=hint)

    # --- what the admin port shows ---

    def _sources(self) -> Sources:
        return Sources(
            metrics=self._collector.render,
            exchanges=self._exchanges,
            streams=self._streams,
            upstreams=self._pools,
            config_view=self._config,
            readiness=lambda: (self._readiness == READY, self._readiness),
            loop_lag_s=self._lag.lag_s,
            allowed_hosts=lambda: self.settings.listen.allowed_hosts,
            token=self.settings.admin.token,
            drain=self._asked_to_drain,
            failed=lambda text: self.log.event("error", "admin_page_failed", what=text),
        )

    def _asked_to_drain(self) -> dict[str, object]:
        self.begin_drain()
        drain_ms = round(self.settings.shutdown.drain_s * 1000)
        return {"draining": True, "in_flight": len(self._desk.in_flight), "drain_ms": drain_ms}

    def _connections(self) -> Iterator[tuple[str, int, int]]:
        for upstream in self._upstreams.values():
            yield upstream.name, upstream.idle, upstream.active

    def _exchanges(
        self, limit: int, outcome: str | None, any_id: str | None, model: str | None
    ) -> list[Record]:
        self._desk.close_books()
        return self._ring.newest(limit, outcome, any_id, model)

    def _streams(self) -> list[dict[str, object]]:
        now = time.monotonic()
        return [exchange.snapshot(now) for exchange in self._desk.in_flight]

    def _pools(self) -> list[dict[str, object]]:
        waiting = [exchange.upstream for exchange in self._desk.in_flight]
        rows: list[dict[str, object]] = []
        for configured in self.settings.upstreams:
            live = self._upstreams[configured.name]
            rows.append(
                {
                    "name": configured.name,
                    "url": str(configured.url),
                    "provider": configured.provider,
                    "dialect": configured.dialect,
                    "in_flight": waiting.count(configured.name),
                    "pool": {"open": live.idle + live.active, "idle": live.idle},
                }
            )
        return rows

    def _config(self) -> dict[str, object]:
        return {
            "hash": self.settings.hash,
            "loaded_at": self._loaded_at,
            "source": self.settings.source,
            "config": show.effective(self.settings),
        }


def ledger_of(settings: Settings) -> Ledger:
    """Empty books for what is configured."""
    models = [rule.match.model for rule in settings.routes]
    return Ledger(
        [upstream.name for upstream in settings.upstreams],
        settings.telemetry.labels,
        settings.telemetry.metrics.models_max,
        [model for model in models if model is not None and "*" not in model],
        has_prices=settings.prices.table is not None,
    )


def _not_told() -> None:
    """The same name is counted where it is the label `model`."""
