"""Settings -> the immutable graph that the pipeline walks.

Knows: how settings, compiled routes and live upstreams are put together.
Must not know: YAML, sockets or time.
Why apart from settings: settings are what was written, a plan is what runs. A reload will build
the next plan from (settings, previous plan); exchanges keep the plan they began with.
"""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.dialects.ask import TELL_ANYWAY
from sidecar.metering.prices import PriceBook
from sidecar.pipeline.graph import Plan, Target
from sidecar.pipeline.ports import Upstream
from sidecar.policies import routing
from sidecar.settings.schema import Settings


def build(settings: Settings, upstreams: Mapping[str, Upstream]) -> Plan:
    """`upstreams`: the live one of each configured name."""
    listen, auth = settings.listen, settings.listen.auth
    return Plan(
        router=routing.Router(
            settings.routes,
            tuple(routing.Choice(u.name, u.provider) for u in settings.upstreams),
        ),
        targets={
            u.name: Target(
                u.name,
                u.dialect,
                u.provider,
                u.timeouts,
                bool(u.url.base_path),
                upstreams[u.name],
                refuses_signed=u.provider == "aws.bedrock" and u.api_key is None,
                asks_usage=u.usage == "ask" and u.provider not in TELL_ANYWAY,
                propagate=u.propagate,
            )
            for u in settings.upstreams
        },
        # No web page reaches a unix socket.
        allowed_hosts=None if listen.address.is_unix else listen.allowed_hosts,
        tokens=None if auth is None else tuple(t.reveal().encode("latin-1") for t in auth.tokens),
        max_request_body_bytes=listen.max_request_body_bytes,
        stall_after_s=settings.telemetry.stall_after_s,
        reveals_id="request_id" in listen.reveal,
        reveals_timing="server_timing" in listen.reveal,
        captures_bytes=(
            settings.telemetry.traces.capture_content_bytes
            if settings.telemetry.sends_traces
            else None
        ),
        prices=None if settings.prices.table is None else PriceBook(settings.prices.table),
        hash=settings.hash,
    )
