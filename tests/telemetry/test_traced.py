"""What a span says beyond the Record."""

from __future__ import annotations

import dataclasses

from sidecar.core.records import Record
from sidecar.core.trace import Parent, Trace
from sidecar.dialects.operations import operation_of
from sidecar.metering.estimate import Ratios
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.summary import record_of
from sidecar.telemetry.traced import Traced, traced_of
from tests.pipeline.fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan


def _traced(
    *headers: tuple[bytes, bytes], parent: Parent | None = None, captures: int | None = None
) -> Traced:
    chosen = dataclasses.replace(plan(ScriptedUpstream()), captures_bytes=captures)
    exchange = Exchange(inbound(*headers), RecordingClient(), chosen, ListDesk())
    exchange.operation = operation_of("POST", exchange.head.path)
    said = b'{"role": "user", "content": "my sk-canary-123456"}'
    exchange.body = b'{"model": "m", "seed": 3, "messages": [%b]}' % said
    exchange.is_replayable = True
    exchange.t0, exchange.sent_at, exchange.ended_at = 10.0, 10.5, 11.0
    record: Record = record_of(exchange, "now", Ratios())
    trace = Trace("1" * 32, "2" * 16, parent, is_recorded=True)
    return traced_of(exchange, record, trace, 1000.0)


def test_moments_are_wall_time_and_what_did_not_happen_is_none() -> None:
    traced = _traced()
    assert (traced.began_at, traced.sent_at, traced.ended_at) == (1010.0, 1010.5, 1011.0)
    assert traced.answered_at is None
    assert traced.first_token_at is None


def test_the_request_is_told_by_its_parameters() -> None:
    traced = _traced((b"User-Agent", b"me/1"))
    assert traced.parameters == {"gen_ai.request.seed": 3}
    assert (traced.user_agent, traced.version, traced.family) == ("me/1", "1.1", "openai-chat")


def test_a_state_belongs_to_its_parent() -> None:
    parent = Parent("1" * 32, "3" * 16, is_sampled=True)
    assert _traced((b"tracestate", b"a=b")).trace_state == ""
    assert _traced((b"tracestate", b"a=b"), parent=parent).trace_state == "a=b"
    assert _traced((b"tracestate", b"a=" + b"b" * 600), parent=parent).trace_state == ""


def test_words_are_told_only_if_asked_for_and_without_keys() -> None:
    assert _traced().content == ()
    [(key, text)] = _traced(captures=1000).content
    assert key == "gen_ai.input.messages"
    assert "canary" not in text
    assert "my [redacted]" in text
