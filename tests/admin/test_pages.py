"""What each path answers, asked over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from sidecar.admin import server
from sidecar.admin.pages import Sources
from sidecar.core.address import Address
from sidecar.core.records import Record
from sidecar.telemetry.ledger import Ledger
from sidecar.telemetry.lines import encoded
from sidecar.telemetry.live import Ring
from sidecar.telemetry.page import Pages
from sidecar.telemetry.prometheus import Collector

_NewRecord = Callable[..., Record]


def keep(ring: Ring, record: Record) -> None:
    ring.add(record, encoded(record))


def _sources() -> Sources:
    pages = Pages(Ledger(["openai"]), list, list, "1.2.3")
    collector = Collector(lambda: pages.page("scrape"))
    return Sources(
        metrics=collector.render,
        exchanges=Ring().newest,
        streams=lambda: [{"request_id": "req-1", "phase": "streaming"}],
        upstreams=lambda: [{"name": "openai", "pool": {"open": 2, "idle": 1}}],
        config_view=lambda: {"hash": "0123456789ab", "config": {"api_key": "[redacted]"}},
        readiness=lambda: (True, "taking requests"),
        loop_lag_s=lambda: 0.002,
        allowed_hosts=lambda: ("127.0.0.1",),
        drain=lambda: {"draining": True, "in_flight": 1, "drain_ms": 25000},
    )


def _get(sources: Sources, path: str, **headers: str) -> tuple[int, Any, str]:
    """(status, JSON or text, content type) of one GET."""

    async def ask() -> tuple[int, Any, str]:
        port = await server.start(Address("127.0.0.1", 0), sources)
        try:
            async with (
                ClientSession() as session,
                session.get(f"http://{port.addresses[0]}{path}", headers=headers) as answer,
            ):
                is_json = answer.content_type == "application/json"
                body = await answer.json() if is_json else await answer.text()
                return answer.status, body, answer.headers["Content-Type"]
        finally:
            await port.close()

    return asyncio.run(ask())


def test_metrics_are_prometheus_text() -> None:
    status, page, content_type = _get(_sources(), "/metrics")
    assert status == 200
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name for family in text_string_to_metric_families(page)}
    assert {"llm_sidecar_requests", "llm_sidecar_build_info"} <= families


def test_metrics_are_openmetrics_for_who_asks_so() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    _, page, content_type = _get(_sources(), "/metrics", Accept=accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert page.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_a_probe_says_ok(path: str) -> None:
    assert _get(_sources(), path)[:2] == (200, "ok\n")


def test_a_probe_explains_itself_when_asked() -> None:
    assert _get(_sources(), "/readyz?verbose")[1] == "ok: taking requests\n"
    assert _get(_sources(), "/livez?verbose")[1] == "ok: the event loop is 2 ms late\n"


def test_not_ready_is_503_and_says_why() -> None:
    draining = replace(_sources(), readiness=lambda: (False, "draining"))
    status, body, _ = _get(draining, "/readyz")
    assert (status, body) == (503, {"error": {"code": "not_ready", "message": "draining"}})
    assert _get(draining, "/livez")[0] == 200


@pytest.mark.parametrize(("lag_s", "status"), [(2.0, 200), (5.0, 200), (5.1, 503)])
def test_only_a_loop_that_stood_for_five_seconds_is_dead(lag_s: float, status: int) -> None:
    stalled = replace(_sources(), loop_lag_s=lambda: lag_s)
    assert _get(stalled, "/livez")[0] == _get(stalled, "/healthz")[0] == status
    assert _get(stalled, "/readyz")[0] == 200


def test_streams_upstreams_and_config_are_what_their_sources_say() -> None:
    sources = _sources()
    assert _get(sources, "/streams")[1] == {"streams": sources.streams()}
    assert _get(sources, "/upstreams")[1] == {"upstreams": sources.upstreams()}
    assert _get(sources, "/config")[1] == sources.config_view()


def test_exchanges_are_records_newest_first(new_record: _NewRecord) -> None:
    ring = Ring()
    for number in range(60):
        keep(ring, new_record(request_id=f"req-{number}"))
    keep(ring, new_record(request_id="req-cut", outcome="truncated"))
    sources = replace(_sources(), exchanges=ring.newest)
    _, body, content_type = _get(sources, "/exchanges")
    assert content_type == "application/json"
    assert len(body["exchanges"]) == 50
    assert body["exchanges"][0]["request_id"] == "req-cut"
    assert set(body["exchanges"][0]) == set(Record.__struct_fields__)
    assert len(_get(sources, "/exchanges?limit=1000")[1]["exchanges"]) == 61
    for query in ("outcome=truncated", "id=req-cut", "outcome=truncated&id=req-cut&limit=1"):
        rows = _get(sources, f"/exchanges?{query}")[1]["exchanges"]
        assert [row["request_id"] for row in rows] == ["req-cut"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "1e2", "", "%D9%A1", "99999999999"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    status, body, _ = _get(_sources(), f"/exchanges?limit={limit}")
    assert (status, body["error"]["code"]) == (400, "bad_limit")


def test_an_outcome_that_does_not_exist_is_refused_with_the_list() -> None:
    status, body, _ = _get(_sources(), "/exchanges?outcome=fine")
    assert (status, body["error"]["code"]) == (400, "bad_outcome")
    assert "client_cancelled" in body["error"]["message"]


def test_the_index_lists_every_path() -> None:
    _, text, content_type = _get(_sources(), "/")
    assert content_type.startswith("text/plain")
    listed = [line.split()[0] for line in text.splitlines()]
    assert listed == [
        *("/", "/metrics", "/livez", "/readyz", "/healthz", "/streams", "/exchanges"),
        *("/upstreams", "/config", "POST"),
    ]


def test_draining_is_asked_for_with_post_alone() -> None:
    async def ask() -> None:
        port = await server.start(Address("127.0.0.1", 0), _sources())
        url = f"http://{port.addresses[0]}/-/drain"
        try:
            async with ClientSession() as session:
                async with session.get(url) as answer:
                    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
                async with session.post(url) as answer:
                    assert answer.status == 202
                    assert (await answer.json())["draining"] is True
        finally:
            await port.close()

    asyncio.run(ask())
