"""The Record is written as it is documented."""

from __future__ import annotations

import json

import msgspec
import pytest

from sidecar.core.records import SCHEMA, Attempt, Record


def record() -> Record:
    return Record(
        request_id="r1",
        started_at="2026-11-23T10:00:00.000Z",
        upstream="openai",
        route="built-in",
        dialect="openai",
        provider="openai",
        operation=None,
        method="POST",
        path="/v1/responses",
        status=200,
        upstream_status=200,
        outcome="ok",
        fault=None,
        reason=None,
        attempts=(Attempt("openai", None, 200, 12.5),),
        connection="new",
        headers_ms=10.0,
        duration_ms=12.5,
        request_bytes=10,
        response_bytes=20,
        config_hash=None,
    )


def test_unknown_is_null_and_the_schema_is_said():
    written = json.loads(msgspec.json.encode(record()))
    assert written["schema"] == SCHEMA == 1
    assert written["config_hash"] is None
    assert written["attempts"] == [
        {"upstream": "openai", "reason": None, "status": 200, "duration_ms": 12.5}
    ]


def test_a_record_is_never_changed():
    with pytest.raises(AttributeError):
        record().status = 500  # type: ignore[misc]  # that it is frozen is what is tested
