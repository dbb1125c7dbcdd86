"""What providers really sent, replayed byte for byte: whole, in hurtful pieces, and cut.

The recordings of WebSockets are left out here: an upgraded connection is another path.
"""

from __future__ import annotations

import json
from functools import cache
from http.client import responses
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .caller import LAST_CHUNK, Caller, End, chunk, request
from .conftest import Side
from .origin import Script, answer, fin, send_many
from .relay import Relay

_FOLDER = Path(__file__).parent.parent / "transcripts"
_NAMES = sorted(
    file.stem for file in _FOLDER.glob("*.json") if json.loads(file.read_bytes())["kind"] != "ws"
)


@cache
def _read(name: str) -> tuple[dict[str, Any], bytes]:
    facts: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_bytes())
    return facts, (_FOLDER / f"{name}.body").read_bytes()


def _head(facts: dict[str, Any], body: bytes) -> bytes:
    """The recorded status and headers, framed as they were: chunked, or of fixed length."""
    status = facts["status"]
    lines = [f"HTTP/1.1 {status} {responses.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in facts["headers"].items()]
    if "transfer-encoding" not in facts["headers"]:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def _pieces(facts: dict[str, Any], body: bytes) -> list[bytes]:
    edges = [0, *facts.get("chunks", []), len(body)]
    return [body[a:b] for a, b in pairwise(edges) if a < b]


def _scripts(facts: dict[str, Any], head: bytes, body: bytes) -> list[Script]:
    """Whole; and in the recorded pieces, each in a write of its own."""
    is_chunked = b"transfer-encoding" in head
    last = LAST_CHUNK if is_chunked else b""
    frame = chunk if is_chunked else bytes
    scripts = [answer(head + (frame(body) if body else b"") + last)]
    if "chunks" in facts:
        framed = [frame(piece) for piece in _pieces(facts, body)]
        scripts.append(answer(head, send_many([*framed, last])))
    return scripts


def _ask(facts: dict[str, Any], target: str) -> bytes:
    asked = facts["request"]
    body = json.dumps(asked["json"]).encode() if asked.get("json") is not None else None
    headers = [
        f"{name}: {value}".encode("latin-1")
        for name, value in (asked.get("headers") or {}).items()
        if name.lower() not in ("content-length", "host", "connection", "transfer-encoding")
    ]
    return request(target, body, *headers, method=asked.get("method") or "POST")


@pytest.mark.parametrize("name", _NAMES)
def test_a_recorded_answer_arrives_byte_for_byte(relay: Relay, side: Side, name: str) -> None:
    facts, body = _read(name)
    head = _head(facts, body)
    scripts = _scripts(facts, head, body)
    target, path = side.script(*scripts)
    with Caller(relay.data) as caller:
        for _ in scripts:
            got = caller.ask(_ask(facts, target))
            assert (got.head, got.body, got.end) == (head, body, End.WHOLE)
    assert len(side.origin.seen(path)) == len(scripts)


@pytest.mark.parametrize("name", [name for name in _NAMES if ".truncated." in name])
def test_a_recorded_answer_that_is_cut_arrives_cut(relay: Relay, side: Side, name: str) -> None:
    """Every byte up to the cut, and no sign of an end."""
    facts, body = _read(name)
    whole = _head(facts, body + b"the rest that never came")
    is_chunked = b"transfer-encoding" in whole
    sent = chunk(body) if is_chunked else body
    target, path = side.script(answer(whole + sent, fin))
    request_id = f"cut-{relay.loop}{side.prefix[1:]}-{name}"[:128]
    ask = _ask(facts, target).replace(b"\r\n", b"\r\nx-request-id: %b\r\n" % request_id.encode(), 1)
    with Caller(relay.data) as caller:
        got = caller.ask(ask)
    assert (got.head, got.body, got.end) == (whole, body, End.FIN)
    record = relay.record(request_id)
    assert record["outcome"] == "truncated"
    assert record["reason"] == ("upstream_cut" if is_chunked else "short_body")
    assert len(side.origin.seen(path)) == 1
