"""A whole Record to vary."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sidecar.core.records import Attempt, Record

_WHOLE = Record(
    request_id="req-1",
    started_at="2026-11-23T12:00:00.000Z",
    upstream="openai",
    route="builtin",
    dialect="openai",
    provider="openai",
    operation=None,
    method="POST",
    path="/v1/chat/completions",
    status=200,
    upstream_status=200,
    outcome="ok",
    fault=None,
    reason=None,
    attempts=(Attempt("openai", None, 200, 800.5),),
    connection="reused",
    headers_ms=301.25,
    duration_ms=812.5,
    request_bytes=1234,
    response_bytes=56789,
    config_hash="0123456789ab",
)


@pytest.fixture(scope="session")
def new_record() -> Callable[..., Record]:
    """`new_record(outcome="truncated", …)`: an exchange that ended well, but for what is given."""

    def new(**changes: object) -> Record:
        return msgspec.structs.replace(_WHOLE, **changes)

    return new
