"""Our own errors, in the shape that each SDK expects."""

from __future__ import annotations

import json

import pytest

from sidecar.dialects.replies import dialect_of_path, error_body, error_headers

SIDECAR = {"code": "circuit_open", "request_id": "r-1"}


def _body(dialect: str, status: int) -> dict[str, object]:
    body: dict[str, object] = json.loads(
        error_body(dialect, status, "circuit_open", "try later", SIDECAR)
    )
    return body


def test_openais_shape_is_everybodys_who_has_none_of_its_own() -> None:
    expected = {
        "message": "try later",
        "type": "server_error",
        "param": None,
        "code": "circuit_open",
        "sidecar": SIDECAR,
    }
    assert _body("openai", 503) == {"error": expected}
    assert _body("generic", 503) == {"error": expected}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (421, "invalid_request_error"),
        (502, "api_error"),
    ],
)
def test_anthropics_shape(status: int, kind: str) -> None:
    error = {"type": kind, "message": "try later", "sidecar": SIDECAR}
    assert _body("anthropic", status) == {"type": "error", "error": error, "request_id": "r-1"}


@pytest.mark.parametrize(
    ("status", "word"),
    [(404, "NOT_FOUND"), (503, "UNAVAILABLE"), (421, "FAILED_PRECONDITION"), (500, "INTERNAL")],
)
def test_geminis_shape(status: int, word: str) -> None:
    error = {"code": status, "message": "try later", "status": word, "sidecar": SIDECAR}
    assert _body("gemini", status) == {"error": error}


@pytest.mark.parametrize("dialect", ["bedrock", "cohere"])
def test_the_shape_of_those_with_a_bare_message(dialect: str) -> None:
    assert _body(dialect, 503) == {"message": "try later", "sidecar": SIDECAR}


def test_ollamas_shape() -> None:
    assert _body("ollama", 503) == {"error": "try later", "sidecar": SIDECAR}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ValidationException"),
        (429, "ThrottlingException"),
        (502, "InternalServerException"),
        (421, "ValidationException"),
    ],
)
def test_bedrocks_sdk_reads_the_kind_from_a_header(status: int, kind: str) -> None:
    assert error_headers("bedrock", status) == (("x-amzn-errortype", kind),)
    assert error_headers("openai", status) == ()


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages", "anthropic"),
        ("/anthropic/v1/messages", "anthropic"),
        ("/v1beta/models/x:generateContent", "gemini"),
        ("/v1/projects/p/locations/l", "gemini"),
        ("/v1/models/g:generateContent", "gemini"),
        ("/model/m/converse", "bedrock"),
        ("/v2/chat", "cohere"),
        ("/api/generate", "ollama"),
        ("/v1/chat/completions", "openai"),
        ("", "openai"),
    ],
)
def test_a_path_tells_the_callers_dialect(path: str, dialect: str) -> None:
    assert dialect_of_path(path) == dialect
