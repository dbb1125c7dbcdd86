"""Generated events and the times between them.

Knows: marks, gaps, stalls and their counts, as arithmetic on timestamped kinds.
Must not know: bytes or dialects (a reader turns bytes into kinds), a clock (`now` is the moment of
the read that completed an event), or what is done with the result.
A gap is the time from one generated event to the next; several that one read completes have gaps
of zero, which is what the caller sees, too.
Why reads are kept and read in bundles: right after a system call the processor knows nothing of
this code; eight reads in a row cost half of eight reads one by one (measured 2026-11).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, Protocol

from sidecar.core.facts import REASONING, Facts

GAP_BOUNDS_S: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 1.0, 2.5, 10.0)
BUNDLE_READS: Final = 8
BUNDLE_READ_BYTES: Final = 4096
"""A read that is larger is not kept for the sake of a bundle."""
_BUFFERED_EVENTS: Final = 8
_BUFFERED_AFTER_S: Final = 1.0
_BUFFERED_SHARE: Final = 0.9


class Reader(Protocol):
    """Bytes in, kinds out."""

    def feed(self, data: bytes) -> list[int]: ...

    def end(self) -> list[int]: ...


class _Deaf:
    """A reader that hears nothing."""

    def feed(self, data: bytes) -> list[int]:
        return []

    def end(self) -> list[int]:
        return []


class Meter:
    """Of one answer. Times are monotonic seconds."""

    __slots__ = (
        "_began_at",
        "_feed",
        "_longest_s",
        "_reader",
        "_stall_after_s",
        "_taken",
        "_waiting",
        "facts",
        "first_answer_at",
        "first_event_at",
        "first_token_at",
        "gap_counts",
        "gap_sum_s",
        "has_reasoned",
        "last_token_at",
        "output_events",
        "stalls",
    )

    def __init__(self, reader: Reader, facts: Facts, began_at: float, stall_after_s: float) -> None:
        self._reader = reader
        self._feed = reader.feed
        self._began_at = began_at
        self._stall_after_s = stall_after_s
        self._waiting: list[tuple[bytes, float]] = []
        """Reads, and their moments."""
        self.facts = facts
        self.first_event_at: float | None = None
        """The first event with data, whatever it brought."""
        self.first_token_at: float | None = None
        self.first_answer_at: float | None = None
        self.last_token_at: float | None = None
        self.output_events = 0
        self.has_reasoned = False
        """Reasoning was shown, not only counted."""
        self.gap_counts = [0] * (len(GAP_BOUNDS_S) + 1)
        self.gap_sum_s = 0.0
        self._longest_s = -1.0
        self._taken: tuple[list[int], float] | None = None
        """Gaps that somebody has counted already."""
        self.stalls = 0

    def feed(self, data: bytes, now: float) -> None:
        """One read of the body. Once there is a first token nothing hangs on the rest at once: it
        is read in bundles."""
        waiting = self._waiting
        waiting.append((data, now))
        if (
            self.first_token_at is None
            or len(waiting) >= BUNDLE_READS
            or len(data) > BUNDLE_READ_BYTES
        ):
            self.catch_up()

    def end(self, now: float) -> None:
        """The body is over."""
        self.catch_up()
        try:
            self._take(self._reader.end(), now)
        except Exception:
            self._go_deaf()

    def catch_up(self) -> None:
        """Read what is waiting. To be called before anything is looked at. Never raises."""
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        feed, take = self._feed, self._take
        try:
            for data, now in waiting:
                take(feed(data), now)
        except Exception:
            self._go_deaf()

    def _go_deaf(self) -> None:
        """The reader failed: nothing of what it said is trusted, and it hears no more."""
        deaf = _Deaf()
        self.__init__(deaf, Facts(is_lost=True), self._began_at, self._stall_after_s)  # type: ignore[misc]  # begins anew, on purpose
        self.facts.skip("reader_failed")

    def _take(self, kinds: list[int], now: float) -> None:
        if self.first_answer_at is None:
            self._begin(kinds, now)
        if kinds:
            self._count(kinds, now)

    def _begin(self, kinds: list[int], now: float) -> None:
        """Until there is an answer: which of the first moments is this?"""
        if self.first_event_at is None and self.facts.events:
            self.first_event_at = now
        for kind in kinds:
            if kind & ~REASONING:
                self.first_answer_at = now
            if kind & REASONING:
                self.has_reasoned = True

    def _count(self, kinds: list[int], now: float) -> None:
        last = self.last_token_at
        self.last_token_at = now
        count = len(kinds)
        self.output_events += count
        if REASONING in kinds:
            self.has_reasoned = True
        if last is None:
            self.first_token_at = now
        else:
            gap_s = now - last
            self.gap_counts[bisect_left(GAP_BOUNDS_S, gap_s)] += 1
            self.gap_sum_s += gap_s
            if gap_s > self._longest_s:
                self._longest_s = gap_s
            if gap_s > self._stall_after_s:
                self.stalls += 1
        if count > 1:
            # Those that came together with the first of this read.
            self.gap_counts[0] += count - 1
            if self._longest_s < 0.0:
                self._longest_s = 0.0

    def take_gaps(self) -> tuple[list[int], float]:
        """(gaps per bucket, their sum) since this was last asked."""
        taken, self._taken = self._taken, (self.gap_counts.copy(), self.gap_sum_s)
        if taken is None:
            return self._taken
        counts = [now - before for now, before in zip(self.gap_counts, taken[0], strict=True)]
        return counts, self.gap_sum_s - taken[1]

    @property
    def longest_gap_s(self) -> float | None:
        """Between two generated events; None: there were no two."""
        return None if self._longest_s < 0.0 else self._longest_s

    @property
    def is_buffered(self) -> bool:
        """Somebody on the way holds the answer back and lets it go at once: at least eight
        generated events, the first later than a second, nine of ten gaps under a millisecond."""
        if self.output_events < _BUFFERED_EVENTS or self.first_token_at is None:
            return False
        gaps = self.output_events - 1
        is_late = self.first_token_at - self._began_at > _BUFFERED_AFTER_S
        return is_late and self.gap_counts[0] >= _BUFFERED_SHARE * gaps
