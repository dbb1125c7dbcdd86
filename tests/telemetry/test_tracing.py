"""Whose trace an exchange is part of."""

from __future__ import annotations

from sidecar.core.headers import TRACE_HEADERS
from sidecar.core.trace import parse_traceparent
from sidecar.pipeline.exchange import Exchange
from sidecar.policies.sampling import Rule
from sidecar.telemetry.tracing import NOT_TRACING, Tracing
from tests.pipeline.fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
ALL = Tracing(Rule(1.0), lambda bits: (1 << bits) - 1)
NOBODY = Tracing(Rule(0.0), lambda bits: (1 << bits) - 1)


def _exchange(traceparent: bytes | None = None) -> Exchange:
    headers = () if traceparent is None else ((b"Traceparent", traceparent),)
    return Exchange(inbound(*headers), RecordingClient(), plan(ScriptedUpstream()), ListDesk())


def test_the_callers_trace_goes_on_and_its_span_is_the_parent() -> None:
    trace = ALL.trace_of(_exchange(PARENT))
    assert trace.is_recorded
    assert (trace.trace_id, trace.span_id) == (TRACE, "f" * 16)
    assert trace.parent is not None
    assert trace.parent.span_id == SPAN


def test_without_one_a_trace_begins_here() -> None:
    for traceparent in (None, b"broken"):
        trace = ALL.trace_of(_exchange(traceparent))
        assert (trace.trace_id, trace.parent) == ("f" * 32, None)


def test_what_is_not_sampled_has_no_span_and_no_id_that_leads_nowhere() -> None:
    trace = NOBODY.trace_of(_exchange())
    assert (trace.trace_id, trace.span_id, trace.is_recorded) == (None, None, False)
    unsampled = ALL.trace_of(_exchange(PARENT[:-2] + b"00"))
    assert (unsampled.trace_id, unsampled.span_id) == (TRACE, None)


def test_where_no_spans_are_made_the_callers_ids_are_told_all_the_same() -> None:
    assert NOT_TRACING.trace_of(_exchange(PARENT)).trace_id == TRACE
    assert NOT_TRACING.trace_of(_exchange()).trace_id is None


def test_it_is_decided_once() -> None:
    exchange = _exchange()
    assert ALL.trace_of(exchange) is ALL.trace_of(exchange)


def test_each_attempt_that_participates_is_a_parent_of_its_own() -> None:
    numbers = iter([1 << 100, 2, 3, 4])
    tracing = Tracing(Rule(1.0), lambda bits: next(numbers))
    exchange = _exchange()
    sent = tracing.own_trace(exchange, "participate")
    assert sent is not None
    told = parse_traceparent(sent.traceparent)
    assert told is not None
    trace = tracing.trace_of(exchange)
    assert told == (trace.trace_id, trace.attempt_ids[0], True)
    # A state without a parent is nobody's.
    assert sent.instead_of == {b"traceparent", b"tracestate"}
    exchange.attempts.append(object())  # type: ignore[arg-type]  # its number is all that counts
    again = tracing.own_trace(exchange, "participate")
    assert again is not None
    assert again.traceparent != sent.traceparent


def test_who_makes_no_span_forwards_and_who_shall_not_tell_does_not() -> None:
    assert NOBODY.own_trace(_exchange(PARENT[:-2] + b"00"), "participate") is None
    assert NOT_TRACING.own_trace(_exchange(PARENT), "participate") is None
    nothing = NOT_TRACING.own_trace(_exchange(PARENT), "none")
    assert nothing == (TRACE_HEADERS, None)
