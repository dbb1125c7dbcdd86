"""Exchanges in the words of the semantic conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidecar.core.facts import Facts
from sidecar.core.origin import Origin
from sidecar.core.records import Attempt, Record, Tokens
from sidecar.metering.meter import Meter
from sidecar.telemetry import conventions as c
from sidecar.telemetry.convention_books import (
    ConventionBooks,
    attempt_error,
    error_type,
    known_method,
    route_of,
    server_error,
)
from sidecar.telemetry.family import Family
from sidecar.telemetry.labels import ModelNames

_NewRecord = Callable[..., Record]
CALL = ("chat", "openai", "gpt-4o", "", "api.openai.com", "443")


def _books() -> ConventionBooks:
    origins = {"openai": Origin("https", "api.openai.com", 443)}
    models = ModelNames(5, (), lambda: None)
    return ConventionBooks(origins, models, ModelNames(5, (), lambda: None), is_tls=False)


def _counts(books: ConventionBooks, family: Family) -> dict[Any, int]:
    return {values: sum(one.counts) for values, one in books.histograms[family].items()}


def test_a_chat_is_counted_by_all_six(new_record: _NewRecord) -> None:
    books = _books()
    stream = Meter(_Nothing(), Facts(), 0.0, 2.0)
    stream.output_events, stream.gap_counts[2], stream.gap_sum_s = 4, 3, 0.03
    record = new_record(
        operation="chat", request_model="gpt-4o", usage=Tokens(10, 5), usage_source="reported",
        ttft_ms=100.0,
    )  # fmt: skip
    books.settle(record, stream, "1.1")
    assert _counts(books, c.OPERATION_DURATION) == {(*CALL, ""): 1}
    assert _counts(books, c.TIME_TO_FIRST_CHUNK) == {CALL: 1}
    assert _counts(books, c.TIME_PER_OUTPUT_CHUNK) == {CALL: 3}
    assert _counts(books, c.TOKEN_USAGE) == {(*CALL, "input"): 1, (*CALL, "output"): 1}
    assert books.histograms[c.TOKEN_USAGE][*CALL, "input"].sum_s == 10
    served = ("POST", "http", "200", "", "/v1/chat/completions", "1.1")
    assert _counts(books, c.SERVER_DURATION) == {served: 1}
    assert _counts(books, c.CLIENT_DURATION) == {("POST", "api.openai.com", "443", "200", ""): 1}


class _Nothing:
    def feed(self, data: bytes) -> list[int]:
        return []

    def end(self) -> list[int]:
        return []


def test_what_was_estimated_is_not_told(new_record: _NewRecord) -> None:
    books = _books()
    books.settle(
        new_record(operation="chat", usage=Tokens(10, 5), usage_source="estimated"), None, "1.1"
    )
    assert _counts(books, c.TOKEN_USAGE) == {}


def test_what_is_no_operation_of_the_conventions_is_http_alone(new_record: _NewRecord) -> None:
    books = _books()
    books.settle(new_record(operation="rerank"), None, "1.1")
    assert _counts(books, c.OPERATION_DURATION) == {}
    assert sum(_counts(books, c.SERVER_DURATION).values()) == 1


@pytest.mark.parametrize(
    ("changes", "operation", "server"),
    [
        ({}, "", ""),
        ({"outcome": "upstream_5xx", "reason": "http_5xx", "upstream_status": 503, "status": 503},
         "503", "503"),
        ({"outcome": "upstream_4xx", "reason": "http_4xx", "upstream_status": 404, "status": 404},
         "404", ""),
        ({"outcome": "connect_failed", "reason": "dns_failed", "upstream_status": None,
          "status": 502}, "dns_failed", "502"),
        ({"outcome": "truncated", "reason": "upstream_cut"}, "upstream_cut", "upstream_cut"),
        ({"outcome": "client_cancelled", "reason": "client_left"}, "", ""),
        ({"outcome": "refused", "reason": "no_route", "upstream_status": None, "status": 404},
         "no_route", ""),
    ],
)  # fmt: skip
def test_what_is_an_error_and_whose(
    new_record: _NewRecord, changes: dict[str, object], operation: str, server: str
) -> None:
    record = new_record(**changes)
    assert (error_type(record), server_error(record)) == (operation, server)


def test_an_attempt_fails_from_400_on() -> None:
    assert attempt_error("http_4xx", 404) == "404"
    assert attempt_error("connect_failed", None) == "connect_failed"
    assert attempt_error(None, 200) == ""
    assert attempt_error("client_left", 200) == ""


def test_methods_and_routes_are_of_bounded_number(new_record: _NewRecord) -> None:
    assert known_method("BREW") == "_OTHER" == known_method(None)
    assert route_of(new_record(operation=None)) == ""
    for path, route in {
        "/groq/openai/v1/chat/completions": "/v1/chat/completions",
        "/v1beta/models/gemini-2:streamGenerateContent": "/models/{model}:streamGenerateContent",
        "/model/any/converse-stream": "/model/{model}/converse-stream",
        "/v2/chat": "/v2/chat",
        "/v1/audio/speech": "/v1/audio/speech",
    }.items():
        assert route_of(new_record(operation="x", path=path)) == route


def test_an_attempt_at_each_upstream_is_counted_where_it_went(new_record: _NewRecord) -> None:
    books = _books()
    attempts = (Attempt("gone", None, 200, 5.0), Attempt("openai", "http_5xx", 500, 5.0))
    books.settle(new_record(attempts=attempts), None, "1.1")
    assert _counts(books, c.CLIENT_DURATION) == {("POST", "api.openai.com", "443", "500", "500"): 1}
