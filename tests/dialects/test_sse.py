"""Server-sent events, however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, NOTHING, UNREADABLE, Facts
from sidecar.dialects.sse import END_BYTES, MAX_EVENT_BYTES, SseReader


class Kept:
    """Keeps events; `broken` ones cannot be read, `empty` ones bring nothing."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.events: list[tuple[bytes, bytes]] = []

    def event(self, name: bytes, data: bytes) -> int:
        self.events.append((name, data))
        return UNREADABLE if data == b"broken" else NOTHING if data == b"empty" else CONTENT

    def whole(self, body: bytes) -> int:
        raise AssertionError("events are no body")


def read(*pieces: bytes) -> tuple[Kept, list[int]]:
    kept = Kept()
    reader = SseReader(kept)
    kinds = [kind for piece in pieces for kind in reader.feed(piece)]
    return kept, kinds + reader.end()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_lines_may_end_in_three_ways_and_be_cut_anywhere(end: bytes, step: int) -> None:
    lines = [
        b": hello",
        b"event: a",
        b"data: 1",
        b"data:2",
        b"id: 5",
        b"",
        b"data",
        b"",
        b"retry: 3",
    ]
    stream = end.join([*lines, b"", b"data:  x", b"", b""])
    kept, kinds = read(*(stream[at : at + step] for at in range(0, len(stream), step)))
    assert kept.events == [(b"a", b"1\n2"), (b"", b""), (b"", b" x")]
    assert (kept.facts.events, kept.facts.comments, kinds) == (3, 1, [CONTENT] * 3)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read(b"\xef\xbb\xbfdata: a\n\n")[0].events == [(b"", b"a")]


def test_several_events_of_one_read_are_told_in_order() -> None:
    first, rest = b"data: 0\n\n", b"data: 1\n\nevent: n\ndata: 2\n\n: c\n\ndata: 3\ndata: 4\n\n"
    kept, _ = read(first, rest)
    assert [data for _, data in kept.events] == [b"0", b"1", b"2", b"3\n4"]
    assert kept.events[2] == (b"n", b"2")
    assert kept.facts.comments == 1


@pytest.mark.parametrize(
    "done", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data:  [DONE] \n\n", b"data: [DONE]"]
)
def test_the_mark_of_the_end_is_no_event(done: bytes) -> None:
    kept, _ = read(b"data: a\n\n", done)
    assert kept.facts.is_over
    assert kept.facts.events == 1


def test_what_brings_nothing_or_cannot_be_read_is_still_an_event() -> None:
    kept, kinds = read(b"data: empty\n\n", b"data: broken\n\n", b"data: a\n\n")
    assert kinds == [CONTENT]
    assert (kept.facts.events, kept.facts.skipped) == (3, {"unreadable": 1})


def test_a_last_event_without_its_blank_line_counts_if_it_is_whole() -> None:
    assert read(b"data: a\n\n", b"data: b\n")[1] == [CONTENT, CONTENT]
    assert read(b"data: a\n\n", b"data: b")[1] == [CONTENT, CONTENT]
    kept, kinds = read(b"data: a\n\n", b"data: broken")
    assert kinds == [CONTENT]
    assert (kept.facts.events, kept.facts.skipped) == (1, {})


@pytest.mark.parametrize("step", [1000, 70_000, 1 << 20])
@pytest.mark.parametrize("line_bytes", [100, 1 << 20])
def test_an_event_that_is_too_long_is_passed_over_and_told(step: int, line_bytes: int) -> None:
    line = b"data: " + b"x" * line_bytes + b"\n"
    stream = b"data: 1\n\n" + line * (MAX_EVENT_BYTES * 2 // len(line) + 1) + b"\ndata: 2\n\n"
    kept, _ = read(*(stream[at : at + step] for at in range(0, len(stream), step)))
    assert [data for _, data in kept.events] == [b"1", b"2"]
    assert kept.facts.skipped == {"event_too_large": 1}
    assert kept.facts.events == 3


class KeptEnds(Kept):
    """Wants the ends of what is too long."""

    def __init__(self) -> None:
        super().__init__()
        self.ends_told: list[tuple[bytes, bytes, bytes]] = []

    def ends(self, name: bytes, head: bytes, tail: bytes) -> int:
        self.ends_told.append((name, head, tail))
        return CONTENT


@pytest.mark.parametrize("step", [999, 16 * 1024, 70_000, 1 << 20])
@pytest.mark.parametrize("lines", [1, 2, 30_000])
@pytest.mark.parametrize("is_named_first", [True, False])
def test_of_an_event_that_is_too_long_the_ends_are_told(
    step: int, lines: int, is_named_first: bool
) -> None:
    part = bytes(b"abcdefghij"[at % 10] for at in range(300_000 // lines))
    event = b"".join(b"data: %b\n" % part for _ in range(lines))
    event = b"event: n\n" + event if is_named_first else event + b"event: n\n"
    stream = b"data: 1\n\n" + event + b"\ndata: 2\n\n"
    kept = KeptEnds()
    reader = SseReader(kept)
    kinds = []
    for at in range(0, len(stream), step):
        kinds += reader.feed(stream[at : at + step])
        assert len(reader._line) + len(reader._cut) <= MAX_EVENT_BYTES
    whole = b"\n".join([part] * lines)
    ((name, head, tail),) = kept.ends_told
    assert (name, head, tail) == (b"n", whole[:END_BYTES], whole[-END_BYTES:])
    assert kinds == [CONTENT] * 3
    assert [data for _, data in kept.events] == [b"1", b"2"]
    assert kept.facts.skipped == {"event_too_large": 1}


def test_a_comment_that_is_too_long_has_no_ends() -> None:
    kept = KeptEnds()
    reader = SseReader(kept)
    for piece in (b": ", b"x" * 100_000, b"\n", b"data: 1\n\n", b"data: 2\n\n"):
        reader.feed(piece)
    assert kept.ends_told == []
    assert [data for _, data in kept.events] == [b"2"]


def test_no_more_than_the_limit_is_kept() -> None:
    reader = SseReader(Kept())
    for _ in range(1000):
        reader.feed(b"x" * 10_000)
        assert len(reader._line) <= MAX_EVENT_BYTES + 10_000
    reader.feed(b"\n\ndata: a\n\n")
    assert len(reader._line) == 0


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"event: n", b": c", b"", b"id:1", b"\xff"])),
    st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_cuts_change_nothing(lines: list[bytes], ends: list[bytes], steps: list[int]) -> None:
    stream = b"".join(line + ends[at % len(ends)] for at, line in enumerate(lines))
    pieces, at, turn = [], 0, 0
    while at < len(stream):
        step = steps[turn % len(steps)]
        pieces.append(stream[at : at + step])
        at, turn = at + step, turn + 1
    whole, cut = read(stream), read(*pieces)
    assert whole[0].events == cut[0].events
    assert whole[1] == cut[1]
    assert whole[0].facts.comments == cut[0].facts.comments


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_read_without_a_word(data: bytes, step: int) -> None:
    whole = read(data)
    cut = read(*(data[at : at + step] for at in range(0, len(data), step)))
    assert whole[0].events == cut[0].events


def test_empty_lines_of_data_fill_an_event_too() -> None:
    interpreter = Kept()
    reader = SseReader(interpreter)
    for _ in range(3000):
        reader.feed(b"data:\n" * 100)
    assert sum(map(len, reader._data)) + len(reader._data) <= MAX_EVENT_BYTES
    reader.feed(b"\n")
    assert interpreter.facts.skipped == {"event_too_large": 1}
