"""The tree of spans. (Their attributes are looked at in tests/wire, where they arrive.)"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sidecar.core.origin import Origin
from sidecar.core.records import Attempt, Record, Tokens
from sidecar.core.trace import Trace
from sidecar.telemetry import conventions
from sidecar.telemetry.otlp.spans import SpanMaker, spans_in
from sidecar.telemetry.otlp.values import resource
from sidecar.telemetry.traced import Traced
from tests.wire.collector import attributes

_NewRecord = Callable[..., Record]


def _traced(record: Record, **changes: Any) -> Traced:
    whole = Traced(
        record, Trace("1" * 32, "2" * 16, None, is_recorded=True), "", 100.0, 101.0,
        tuple(100.0 + at for at in range(len(record.attempts))), None, None, None, None, None, None,
        None, None, {}, "openai-chat", None, "1.1",
    )  # fmt: skip
    return whole._replace(**changes)


def _maker(**options: Any) -> SpanMaker:
    numbers = itertools.count(1)
    origins = {"openai": Origin("https", "api.openai.com", 443)}
    return SpanMaker(resource([]), origins, lambda bits: next(numbers), **options)


def test_three_attempts_are_three_children_and_the_later_two_are_resends(
    new_record: _NewRecord,
) -> None:
    attempts = (
        Attempt("openai", "connect_failed", None, 5.0),
        Attempt("openai", "http_5xx", 503, 5.0),
        Attempt("openai", None, 200, 9.0),
    )
    record = new_record(operation="chat", request_model="m", attempts=attempts)
    server, call, *sent = _maker().spans_of(_traced(record, connected_at=102.001))
    assert call.parent_span_id == server.span_id
    assert {span.parent_span_id for span in sent} == {call.span_id}
    told = [attributes(span.attributes) for span in sent]
    assert [one.get("http.request.resend_count") for one in told] == [None, 1, 2]
    assert [one.get("error.type") for one in told] == ["connect_failed", "503", None]
    assert [one.get("http.response.status_code") for one in told] == [None, 503, 200]
    # Only of the last one it is known when it was connected.
    assert [[event.name for event in span.events] for span in sent] == [[], [], ["connected"]]
    assert [one.get("llm_sidecar.connection") for one in told] == [None, None, "reused"]
    assert spans_in(_traced(record)) == 5


def test_what_is_no_operation_is_http_alone(new_record: _NewRecord) -> None:
    server, attempt = _maker().spans_of(_traced(new_record(operation=None)))
    assert attempt.parent_span_id == server.span_id
    assert server.name == "POST"


def test_operations_may_be_left_to_the_application(new_record: _NewRecord) -> None:
    traced = _traced(new_record(operation="chat"))
    assert len(_maker(has_operations=False).spans_of(traced)) == 2


def test_what_never_reached_an_upstream_is_one_span(new_record: _NewRecord) -> None:
    nobody = dict.fromkeys(("upstream", "upstream_status", "method", "path"))
    record = new_record(
        **nobody, attempts=(), outcome="refused", reason="no_route", fault="caller", status=404
    )
    [server] = _maker().spans_of(_traced(record))
    assert server.name == "_OTHER"
    assert attributes(server.attributes)["llm_sidecar.reason"] == "no_route"


def test_a_guess_is_never_told_as_usage(new_record: _NewRecord) -> None:
    record = new_record(operation="chat", usage=Tokens(5, 6), usage_source="estimated")
    told = attributes(_maker().spans_of(_traced(record))[1].attributes)
    assert not [key for key in told if key.startswith("gen_ai.usage.")]
    assert told["llm_sidecar.usage_source"] == "estimated"


def test_texts_are_cut_where_that_is_asked_for(new_record: _NewRecord) -> None:
    record = new_record(path="/" + "p" * 50)
    told = attributes(_maker(limit=10).spans_of(_traced(record))[0].attributes)
    assert told["url.path"] == "/" + "p" * 9


def test_a_message_says_who_and_by_which_conventions(new_record: _NewRecord) -> None:
    message = _maker().encode([_traced(new_record()), _traced(new_record())])
    [told] = ExportTraceServiceRequest.FromString(message).resource_spans
    [own] = told.scope_spans
    assert own.schema_url == conventions.SCHEMA_URL
    assert own.scope.name == conventions.SCOPE
    assert len(own.spans) == 4


def test_every_attribute_and_event_stands_in_the_table(new_record: _NewRecord) -> None:
    record = new_record(
        operation="chat", request_model="m", response_model="m", stream=True, ttft_ms=1.0,
        usage=Tokens(1, 2, 3, 4, 5), usage_source="reported", longest_gap_ms=1.0, cost_usd=1.0,
        output_tokens_per_s=1.0, output_events=2, finish_reasons=("stop",), response_id="r",
        service_tier="default", upstream_request_id="u", fault="provider", reason="upstream_cut",
        outcome="truncated", labels={"team": "a"}, method="BREW",
        attempts=(Attempt("openai", None, 200, 1.0), Attempt("openai", None, 200, 1.0)),
    )  # fmt: skip
    moments = dict.fromkeys(
        ("received_at", "connected_at", "sent_at", "answered_at", "first_event_at",
         "first_token_at", "first_answer_at", "last_token_at"), 100.5
    )  # fmt: skip
    known = {row.key for row in conventions.ATTRIBUTES} | {"llm_sidecar.label.team"}
    events = {row.key for row in conventions.EVENTS}
    told: set[str] = set()
    seen: set[str] = set()
    for span in _maker().spans_of(_traced(record, user_agent="me", **moments)):
        told |= attributes(span.attributes).keys()
        seen |= {event.name for event in span.events}
    assert told <= known
    assert seen == events
