"""The threads that send: one for spans, one for metrics.

Knows: queues, batches, patience, and what is dropped and why.
Must not know: what a message says or how it travels.
Why threads: making a message and waiting for a collector both take longer than a stream may wait.
Why small batches: making one holds the interpreter, and that is time which streams wait; see also
`sys.setswitchinterval` in the composition root. Why one each: a collector that hangs with spans
must not keep metrics from leaving.
What does not fit into the queue, or does not arrive in time, is dropped and counted; nothing here
ever waits for room.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from sidecar.telemetry.otlp.metrics import MetricMaker
from sidecar.telemetry.otlp.sending import Sender, Sent
from sidecar.telemetry.otlp.spans import SpanMaker, spans_in
from sidecar.telemetry.page import Page
from sidecar.telemetry.traced import Traced

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 5.0
_SPANS_EACH: Final = 3
"""Of the usual exchange."""
_LATEST_PAGES: Final = 1
"""A page that was not sent in time is worth nothing beside the next one."""
Drop = Callable[[str, int], None]


class _Courier:
    """Repeats what is worth repeating, until the time of a batch is over or we have to go."""

    def __init__(self, sender: Sender, timeout_s: float, closing: threading.Event) -> None:
        self._sender = sender
        self._timeout_s = timeout_s
        self._closing = closing
        self.deadline: float | None = None
        """Of everything, once we have to go."""
        self.trouble: str | None = None
        """Why the last message has not arrived; None: it has."""

    def deliver(self, message: bytes) -> Sent:
        """The last try's end."""
        until = time.monotonic() + self._timeout_s
        wait_s = _FIRST_WAIT_S
        while True:
            left_s = (
                until if self.deadline is None else min(until, self.deadline)
            ) - time.monotonic()
            if left_s <= 0.0:
                sent = Sent(self.trouble or "no time was left")
                break
            sent = self._sender.send(message, left_s)
            self.trouble = sent.trouble
            if sent.trouble is None or not sent.is_worth_repeating:
                break
            # Chance spreads the sidecars of a fleet that all lost the same collector.
            pause_s = max(wait_s * random.uniform(0.8, 1.2), sent.wait_s or 0.0)  # noqa: S311  # guards nothing
            if time.monotonic() + pause_s >= until or self._closing.wait(pause_s):
                break
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        self.trouble = sent.trouble
        return sent


class SpanExporter:
    """`put` is for the event loop's thread; it never waits and never raises."""

    def __init__(
        self,
        make: SpanMaker,
        sender: Sender,
        drop: Drop,
        timeout_s: float,
        delay_s: float,
        queue_spans: int,
        batch_spans: int,
    ) -> None:
        """`drop(reason, spans)` is told of all that is lost."""
        self._make = make
        self._sender = sender
        self._drop = drop
        self._delay_s = delay_s
        self._room = max(queue_spans // _SPANS_EACH, 1)
        self._batch = max(batch_spans // _SPANS_EACH, 1)
        self._queue: deque[Traced] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._courier = _Courier(sender, timeout_s, self._closing)
        self._thread = threading.Thread(target=self._run, name="otlp traces", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why the last batch has not arrived; None: it has."""
        return self._courier.trouble

    def put(self, traced: Traced) -> None:
        """Queue the spans of one exchange."""
        queue = self._queue
        if len(queue) >= self._room:
            self._drop("queue_full", spans_in(traced))
            return
        queue.append(traced)
        if len(queue) == self._batch:
            self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Send what is queued, for at most so long; the rest is dropped and counted. To be called
        when nobody puts anything any more."""
        self._courier.deadline = time.monotonic() + timeout_s
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s + 0.1)
        left = sum(spans_in(traced) for traced in self._queue)
        self._queue.clear()
        if left:
            self._drop("not_flushed", left)
        if not self._thread.is_alive():
            self._sender.close()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._delay_s)
            self._wake.clear()
            while self._queue:
                self._send(self._next())
            if self._closing.is_set():
                return

    def _next(self) -> list[Traced]:
        batch: list[Traced] = []
        while len(batch) < self._batch:
            try:
                batch.append(self._queue.popleft())
            except IndexError:
                break
        return batch

    def _send(self, batch: Sequence[Traced]) -> None:
        try:
            message = self._make.encode(batch)
        except Exception:
            if len(batch) > 1:
                # One that cannot be said is lost alone.
                for traced in batch:
                    self._send([traced])
            else:
                self._drop("not_encodable", sum(spans_in(traced) for traced in batch))
            return
        sent = self._courier.deliver(message)
        if sent.trouble is not None:
            self._drop("not_sent", sum(spans_in(traced) for traced in batch))
        elif sent.rejected:
            self._drop("rejected", sent.rejected)


class MetricExporter:
    """`put` is for the event loop's thread; it never waits and never raises."""

    def __init__(self, make: MetricMaker, sender: Sender, drop: Drop, timeout_s: float) -> None:
        """`drop(reason, pages)`; rejected data points are counted one by one."""
        self._make = make
        self._sender = sender
        self._drop = drop
        self._pages: deque[Page] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._courier = _Courier(sender, timeout_s, self._closing)
        self._thread = threading.Thread(target=self._run, name="otlp metrics", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why the last page has not arrived; None: it has."""
        return self._courier.trouble

    def put(self, page: Page) -> None:
        """The latest figures. An older page that still waits is dropped: this one says more."""
        while len(self._pages) >= _LATEST_PAGES:
            try:
                self._pages.popleft()
            except IndexError:
                break
            self._drop("not_sent", 1)
        self._pages.append(page)
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Send the last page, for at most so long."""
        self._courier.deadline = time.monotonic() + timeout_s
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s + 0.1)
        if not self._thread.is_alive():
            self._sender.close()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._pages:
                try:
                    page = self._pages.popleft()
                except IndexError:
                    break
                self._send(page)
            if self._closing.is_set():
                return

    def _send(self, page: Page) -> None:
        try:
            for message in self._make.encode(page):
                sent = self._courier.deliver(message)
                if sent.trouble is not None:
                    # The rest would meet the same wall; all of it is in the next page.
                    self._drop("not_sent", 1)
                    return
                if sent.rejected:
                    self._drop("rejected", sent.rejected)
        except Exception:
            self._drop("not_encodable", 1)
