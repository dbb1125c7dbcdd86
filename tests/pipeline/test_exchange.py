"""One exchange: its ids, its reasons, its row in /streams."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import Reason
from sidecar.pipeline.exchange import Exchange

from .fakes import ListDesk, RecordingClient, ScriptedUpstream, inbound, plan


def _exchange(*headers: tuple[bytes, bytes], target: str = "/v1/x?key=secret") -> Exchange:
    request = inbound(*headers, target=target)
    return Exchange(request, RecordingClient(), plan(ScriptedUpstream()), ListDesk())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"abc-1", "abc-1"),
        (b"~" * 128, "~" * 128),
        (b"~" * 129, "ours-1"),
        (b"", "ours-1"),
        (b"two words", "ours-1"),
        (b"caf\xe9", "ours-1"),
    ],
)
def test_the_callers_id_is_kept_if_it_can_be(given: bytes, expected: str) -> None:
    assert _exchange((b"X-Request-ID", given)).request_id == expected


def test_the_first_reason_stands() -> None:
    exchange = _exchange()
    exchange.fail(Reason.IDLE_TIMEOUT)
    exchange.fail(Reason.CLIENT_LEFT)
    assert exchange.reason is Reason.IDLE_TIMEOUT


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/x?key=secret", "/v1/x"),
        ("/", "/"),
        ("http://user:secret@evil/", None),
        ("evil:443", None),
        ("*", None),
    ],
)
def test_only_a_path_is_told_and_never_its_query(target: str, path: str | None) -> None:
    exchange = _exchange(target=target)
    assert exchange.snapshot(1.0)["path"] == path


def test_an_exchange_waits_until_the_answers_head_is_there() -> None:
    exchange = _exchange()
    assert exchange.snapshot(0.5)["phase"] == "waiting"
    exchange.answered_at = 0.25
    row = exchange.snapshot(0.5)
    assert (row["phase"], row["headers_ms"], row["age_ms"]) == ("streaming", 250.0, 500.0)
