"""Errors of all providers, in words that are alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecar.metering.errors import class_of

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
CLASSES = {
    *("overloaded", "rate_limited", "quota", "auth", "bad_request"),
    *("context_length", "content_filter", "server", "network"),
}


@pytest.mark.parametrize(
    ("status", "type_", "code", "message", "class_"),
    [
        (429, "insufficient_quota", "insufficient_quota", "You exceeded your quota", "quota"),
        (429, "requests", "rate_limit_exceeded", "Rate limit reached for gpt-4o", "rate_limited"),
        (429, "rate_limit_error", None, "This request would exceed", "rate_limited"),
        (429, None, None, None, "rate_limited"),
        (429, "RESOURCE_EXHAUSTED", "429", "Resource exhausted", "rate_limited"),
        (529, "overloaded_error", None, "Overloaded", "overloaded"),
        (200, "overloaded_error", None, "Overloaded", "overloaded"),
        (200, "throttlingException", None, "Too many requests", "rate_limited"),
        (503, "UNAVAILABLE", "503", "The model is overloaded.", "overloaded"),
        (400, "invalid_request_error", "context_length_exceeded", "too long", "context_length"),
        (400, "invalid_request_error", None, "prompt is too long: 210000 tokens", "context_length"),
        (413, "request_too_large", None, None, "context_length"),
        (400, None, "content_filter", "The response was filtered", "content_filter"),
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided", "auth"),
        (403, None, None, None, "auth"),
        (402, None, None, "Insufficient Balance", "quota"),
        (404, "not_found_error", None, "model: nothing", "bad_request"),
        (400, "invalid_request_error", None, "messages: required", "bad_request"),
        (500, "server_error", None, "The server had an error", "server"),
        (200, None, "402", "no money", "quota"),
        (200, None, None, "an error was encountered", "server"),
        (None, None, None, None, "server"),
    ],
)
def test_an_error_has_its_class(
    status: int | None, type_: str | None, code: str | None, message: str | None, class_: str
) -> None:
    assert class_of(status, type_, code, message) == class_


def test_every_recorded_error_has_a_class_that_fits_its_status() -> None:
    seen = set()
    for file in sorted(TRANSCRIPTS.glob("*.json")):
        known = json.loads(file.read_bytes())
        error = known["expect"].get("error")
        if not error:
            continue
        code = None if error.get("code") is None else str(error["code"])
        found = class_of(known["status"], error.get("type"), code, error.get("message"))
        seen.add(found)
        assert found in CLASSES
        if known["status"] == 401:
            assert found == "auth", file.name
        if known["status"] == 429:
            assert found in ("rate_limited", "quota", "overloaded"), file.name
    assert {"auth", "rate_limited", "bad_request", "overloaded"} <= seen


def test_digits_of_other_scripts_are_no_status() -> None:
    assert class_of(400, None, "\u00b2\u00b2\u00b2\u00b2", None) == "bad_request"
    assert class_of(None, None, "503", None) == "overloaded"
