"""Bodies that are not streams."""

from __future__ import annotations

from sidecar.core.facts import CONTENT, UNREADABLE, Facts
from sidecar.core.response_heads import ResponseHead
from sidecar.dialects.whole import MAX_BODY_BYTES, WholeReader, is_cut_json


class Kept:
    def __init__(self) -> None:
        self.facts = Facts()
        self.bodies: list[bytes] = []

    def event(self, name: bytes, data: bytes) -> int:
        raise AssertionError("a body has no events")

    def whole(self, body: bytes) -> int:
        self.bodies.append(body)
        return UNREADABLE if body == b"broken" else CONTENT


def read(*pieces: bytes) -> tuple[Kept, list[int]]:
    kept = Kept()
    reader = WholeReader(kept)
    for piece in pieces:
        assert reader.feed(piece) == []
    return kept, reader.end()


def test_it_is_read_once_when_it_is_over() -> None:
    kept, kinds = read(b"  a", b"b", b"c")
    assert (kept.bodies, kinds, kept.facts.events) == ([b"  abc"], [CONTENT], 1)


def test_nothing_is_nothing() -> None:
    assert read()[0].bodies == read(b" \n", b"\n")[0].bodies == []


def test_what_cannot_be_read_is_said() -> None:
    kept, kinds = read(b"broken")
    assert (kinds, kept.facts.events, kept.facts.skipped) == ([], 0, {"unreadable": 1})


def test_a_long_one_is_passed_over_and_not_kept() -> None:
    kept, kinds = read(*[b"x" * 65536] * (MAX_BODY_BYTES // 65536 + 1))
    assert (kept.bodies, kinds, kept.facts.skipped) == ([], [], {"body_too_large": 1})


def _head(content_type: bytes, coding: bytes | None = None) -> ResponseHead:
    head = ResponseHead()
    head.add(b"Content-Type", content_type)
    if coding is not None:
        head.add(b"Content-Encoding", coding)
    return head


def test_json_that_breaks_off_is_cut_and_all_else_is_not() -> None:
    json_ = _head(b"Application/JSON; charset=utf-8")
    assert is_cut_json(json_, [b'{"a": [1, "half of'])
    assert is_cut_json(json_, [b'{"a": 1', b","])
    for whole in (b'{"a": 1}', b"[]  ", b'{"a": 1} tail', b"{a}", b"\xff", b"<html>"):
        assert not is_cut_json(json_, [whole])
    assert not is_cut_json(_head(b"text/plain"), [b"{"])
    assert not is_cut_json(_head(b"application/json", b"gzip"), [b"{"])
    assert not is_cut_json(json_, [])
    assert not is_cut_json(None, [b"{"])
