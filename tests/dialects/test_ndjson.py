"""One JSON object a line."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, UNREADABLE, Facts
from sidecar.dialects.ndjson import MAX_LINE_BYTES, NdjsonReader


class Keeping:
    """Keeps its lines; one that begins with c is content, with x unreadable."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.lines: list[bytes] = []

    def event(self, name: bytes, data: bytes) -> int:
        self.lines.append(data)
        return {99: CONTENT, 120: UNREADABLE}.get(data[0], NOTHING)

    def whole(self, body: bytes) -> int:
        raise AssertionError


def read(*pieces: bytes) -> tuple[Keeping, list[int]]:
    kept = Keeping()
    reader = NdjsonReader(kept)
    kinds = [kind for piece in pieces for kind in reader.feed(piece)]
    return kept, kinds + reader.end()


@given(st.lists(st.sampled_from([b"c1", b"n", b"x", b"c22"]), max_size=6), st.data())
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    body = b"".join(line + data.draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])) for line in lines)
    edges = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=5)) | {0, len(body)})
    kept, kinds = read(*[body[a:b] for a, b in pairwise(edges)])
    assert [line.strip() for line in kept.lines] == lines
    assert kinds == [CONTENT for line in lines if line[:1] == b"c"]
    assert kept.facts.events == len(lines)
    assert kept.facts.skipped.get("unreadable", 0) == lines.count(b"x")


def test_the_last_line_may_lack_its_end() -> None:
    assert read(b"c\nc")[1] == [CONTENT, CONTENT]


def test_a_last_line_that_was_cut_says_nothing() -> None:
    kept, kinds = read(b"c\nx")
    assert (kinds, kept.facts.events, kept.facts.skipped) == ([CONTENT], 1, {})


@pytest.mark.parametrize("size", [1000, MAX_LINE_BYTES + 2])
def test_a_line_that_is_too_long_is_passed_over(size: int) -> None:
    body = b"c\n" + b"c" * (MAX_LINE_BYTES + 1) + b"\nc\n"
    kept, kinds = read(*[body[at : at + size] for at in range(0, len(body), size)])
    assert (kept.lines, kinds) == ([b"c", b"c"], [CONTENT, CONTENT])
    assert (kept.facts.events, kept.facts.skipped) == (3, {"event_too_large": 1})


def test_a_line_that_never_ends_is_not_kept() -> None:
    kept = Keeping()
    reader = NdjsonReader(kept)
    for _ in range(100):
        reader.feed(b"c" * 10_000)
    assert len(reader._line) <= MAX_LINE_BYTES
    assert (reader.end(), kept.lines) == ([], [])
