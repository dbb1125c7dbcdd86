"""What each path of the admin port answers.

Knows: the paths, their parameters and the shape around each list.
Must not know: where the figures come from. Everything is asked of `Sources`, callables that the
composition root wires, so that this folder needs neither telemetry nor the data path.
Probes answer plain `ok`, as Kubernetes' own components do; all else is JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import hdrs, web

from sidecar.admin.gate import PageError
from sidecar.core.outcome import Outcome
from sidecar.core.records import Record
from sidecar.core.secret import Secret

MAX_EXCHANGES: Final = 1000
_DEFAULT_EXCHANGES: Final = 50
_FOR_SCRAPERS: Final = frozenset({"/metrics", "/livez", "/readyz"})
STALLED_S: Final = 5.0
"""The event loop is later than this: only a restart will help."""

Row = Mapping[str, object]
_Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pages get their figures."""

    metrics: Callable[[str | None, str | None], Awaitable[tuple[bytes, str, bool]]]
    """(Accept, Accept-Encoding) -> (body, content type, whether it is gzip)."""
    exchanges: Callable[[int, str | None, str | None, str | None], Sequence[Record]]
    """(limit, outcome, any id, model) -> newest first."""
    streams: Callable[[], Sequence[Row]]
    upstreams: Callable[[], Sequence[Row]]
    config_view: Callable[[], Row]
    """Already redacted."""
    readiness: Callable[[], tuple[bool, str]]
    """Whether new requests are welcome, and why or why not."""
    loop_lag_s: Callable[[], float]
    allowed_hosts: Callable[[], tuple[str, ...] | None]
    drain: Callable[[], Row]
    """Begin to drain; what is said about it."""
    token: Secret | None = None
    """Asked of whoever reads or does anything here."""
    failed: Callable[[str], None] = lambda text: None
    """Told of a page that broke."""


def actions(sources: Sources) -> dict[str, tuple[_Handler, str]]:
    """path -> (what does it, what it does). All are asked for with POST, and with nothing else."""
    return {"/-/drain": (_Pages(sources).drain, "as SIGTERM, but the process stays")}


def scrape_paths(sources: Sources) -> dict[str, tuple[_Handler, str]]:
    """What the read-only port answers."""
    return {path: row for path, row in paths(sources).items() if path in _FOR_SCRAPERS}


def paths(sources: Sources) -> dict[str, tuple[_Handler, str]]:
    """path -> (what answers it, what it shows). All are read with GET (or HEAD)."""
    pages = _Pages(sources)
    return {
        "/": (pages.index, "this list"),
        "/metrics": (pages.metrics, "figures for Prometheus (text or OpenMetrics)"),
        "/livez": (pages.livez, "is the process alive? ?verbose says why"),
        "/readyz": (pages.readyz, "may it have traffic? ?verbose says why"),
        "/healthz": (pages.livez, "another name of /livez"),
        "/streams": (pages.streams, "requests in flight"),
        "/exchanges": (
            pages.exchanges,
            f"the last {MAX_EXCHANGES} requests, newest first; ?limit= &outcome= &model= &id=",
        ),
        "/upstreams": (pages.upstreams, "upstreams and their pools"),
        "/config": (pages.config, "the configuration in force, secrets redacted"),
    }


class _Pages:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def index(self, _: web.Request) -> web.Response:
        rows = [f"{path:<12} {shows}" for path, (_, shows) in paths(self._sources).items()]
        rows += [f"POST {path:<7} {does}" for path, (_, does) in actions(self._sources).items()]
        return web.Response(text="\n".join(rows) + "\n")

    async def metrics(self, request: web.Request) -> web.Response:
        asked = request.headers
        body, content_type, is_gzip = await self._sources.metrics(
            asked.get(hdrs.ACCEPT), asked.get(hdrs.ACCEPT_ENCODING)
        )
        headers = {hdrs.CONTENT_TYPE: content_type}
        if is_gzip:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=body, headers=headers)

    async def livez(self, request: web.Request) -> web.Response:
        lag_s = self._sources.loop_lag_s()
        if lag_s > STALLED_S:
            raise PageError(503, "loop_stalled", f"the event loop is {lag_s:.1f} s late")
        return _probe(request, f"the event loop is {lag_s * 1000:.0f} ms late")

    async def readyz(self, request: web.Request) -> web.Response:
        is_ready, why = self._sources.readiness()
        if not is_ready:
            raise PageError(503, "not_ready", why)
        return _probe(request, why)

    async def streams(self, _: web.Request) -> web.Response:
        return _json({"streams": self._sources.streams()})

    async def exchanges(self, request: web.Request) -> web.Response:
        asked = request.query
        limit = _limit(asked.get("limit"))
        outcome = asked.get("outcome") or None
        if outcome is not None and outcome not in set(Outcome):
            known = " ".join(Outcome)
            raise PageError(400, "bad_outcome", f"outcome is one of: {known}")
        any_id, model = asked.get("id") or None, asked.get("model") or None
        return _json({"exchanges": self._sources.exchanges(limit, outcome, any_id, model)})

    async def upstreams(self, _: web.Request) -> web.Response:
        return _json({"upstreams": self._sources.upstreams()})

    async def drain(self, _: web.Request) -> web.Response:
        return _json(self._sources.drain(), 202)

    async def config(self, _: web.Request) -> web.Response:
        return _json(self._sources.config_view())


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_EXCHANGES
    # isdigit() alone would let other scripts' digits in, and a sign is no digit.
    if not (
        text.isascii() and text.isdigit() and len(text) <= 4 and 0 < int(text) <= MAX_EXCHANGES
    ):
        raise PageError(400, "bad_limit", f"limit is a number from 1 to {MAX_EXCHANGES}")
    return int(text)


def _probe(request: web.Request, why: str) -> web.Response:
    return web.Response(text=f"ok: {why}\n" if "verbose" in request.query else "ok\n")


def _json(value: object, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value, enc_hook=str) + b"\n"
    return web.Response(body=body, content_type="application/json", status=status)
