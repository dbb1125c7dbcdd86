"""What providers really sent, replayed byte for byte: whole, in hurtful pieces, and cut."""

from __future__ import annotations

import pytest

from . import transcript
from .caller import Caller, End
from .conftest import Side
from .relay import Relay

_NAMES = transcript.names()


def test_all_recordings_are_there() -> None:
    assert len(_NAMES) == 204


@pytest.mark.parametrize("name", _NAMES)
def test_a_recorded_answer_arrives_byte_for_byte(relay: Relay, side: Side, name: str) -> None:
    recorded = transcript.read(name)
    scripts = [script for script in (recorded.whole(), recorded.in_pieces()) if script]
    target, path = side.script(*scripts)
    with Caller(relay.data) as caller:
        for _ in scripts:
            got = caller.ask(recorded.ask(target))
            assert (got.head, got.body, got.end) == (recorded.head(), recorded.body, End.WHOLE)
    assert len(side.origin.seen(path)) == len(scripts)


@pytest.mark.parametrize("name", [name for name in _NAMES if transcript.read(name).is_cut])
def test_a_recorded_answer_that_is_cut_arrives_cut(relay: Relay, side: Side, name: str) -> None:
    """Every byte up to the cut, and no sign of an end."""
    recorded = transcript.read(name)
    target, path = side.script(recorded.cut())
    request_id = f"{relay.loop}{side.prefix}-{name}"[:128]
    with Caller(relay.data) as caller:
        got = caller.ask(recorded.ask(target, b"x-request-id: " + request_id.encode()))
    assert (got.head, got.body, got.end) == (recorded.head(missing=1), recorded.body, End.FIN)
    record = relay.record(request_id)
    assert record["outcome"] == "truncated"
    assert record["reason"] == ("upstream_cut" if recorded.is_chunked else "short_body")
    assert len(side.origin.seen(path)) == 1
