"""The log's queue and the thread that writes it.

Knows: how lines leave without ever holding up the event loop.
Must not know: what a line looks like (`lines`).
Why a thread: a write to a pipe or a disk can block for as long as it likes. Why woken at most
every 50 ms: waking a thread costs more than the line itself. Why at most 64 lines at a time: each
batch is made while holding the interpreter lock, and that is time which streams wait.
What cannot be queued or written is dropped and counted. The file descriptor is a copy of our own,
so that nothing else can close it and let a socket take its number.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from sidecar.core.records import Record
from sidecar.telemetry import lines

QUEUE_LINES: Final = 4096
BATCH_LINES: Final = 64
GATHER_S: Final = 0.05
_RETRY_S: Final = 0.01
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_Event = tuple[str, str, Mapping[str, object]]


def open_stdout() -> int | None:
    """A descriptor of our own for standard output; None where the process was started without."""
    try:
        # sys.stdout and not the number 1: if it was closed at start, 1 may be a socket by now.
        return None if sys.stdout is None else os.dup(sys.stdout.fileno())
    except (OSError, ValueError):
        return None


class LogWriter:
    """Writes to `fd`, which it owns (None: everything is counted as not written).

    `drop(reason, count)` is told of every line that was lost. `sample_ratio`: of the exchanges that
    ended well, drawn with `draw`. `exchange` and `event` are for the
    event loop's thread; they never wait and never raise.
    """

    def __init__(
        self,
        fd: int | None,
        drop: Callable[[str, int], None],
        log_format: str = "json",
        level: str = "info",
        queue_lines: int = QUEUE_LINES,
        sample_ratio: float = 1.0,
        draw: Callable[[], float] | None = None,
    ) -> None:
        self._fd = fd
        self._drop = drop
        self._is_json = log_format == "json"
        self._threshold = _LEVELS.get(level, 20)
        self._takes_exchanges = self._threshold <= 20
        self._sample_ratio = sample_ratio
        # None: every line is written.
        self._draw = draw if sample_ratio < 1.0 else None
        self._room = queue_lines
        self._queue: deque[bytes | tuple[float, _Event]] = deque()
        self._time = time.time
        self._is_woken = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._is_mid_line = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def exchange(self, record: Record, body: bytes) -> None:
        """Queue the line of one finished exchange; `body`: it as JSON."""
        if not self._takes_exchanges:
            return
        draw = self._draw
        # What did not end well is never left out.
        if draw is not None and record.outcome == "ok" and draw() >= self._sample_ratio:
            return
        # Made here and not by the thread: it is hot now, and would be kept alive for nothing.
        now = self._time()
        try:
            if self._is_json:
                self._put(lines.json_exchange(now, record, body))
            else:
                self._put(lines.text_exchange(now, record))
        except Exception:
            self._drop("not_encodable", 1)

    def event(self, level: str, name: str, /, **fields: object) -> None:
        """Queue the line of something that happened to the process."""
        if _LEVELS.get(level, 20) >= self._threshold:
            self._put((self._time(), (level, name, fields)))

    def close(self, timeout_s: float) -> None:
        """Write what is queued, for at most so long; the rest is dropped and counted."""
        self._room = 0
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s)
        if self._queue:
            self._drop("not_flushed", len(self._queue))
            self._queue.clear()
        if self._fd is not None and not self._thread.is_alive():
            os.close(self._fd)
            self._fd = None

    def _put(self, item: bytes | tuple[float, _Event]) -> None:
        queue = self._queue
        if len(queue) >= self._room:
            self._drop("queue_full", 1)
            return
        queue.append(item)
        if not self._is_woken:
            self._is_woken = True
            self._wake.set()

    def _run(self) -> None:
        """The thread."""
        while True:
            self._wake.wait()
            self._wake.clear()
            self._closing.wait(GATHER_S)
            # Lowered before the queue is emptied: whoever queues later raises it again.
            self._is_woken = False
            while self._queue:
                self._write(self._batch())
            if self._closing.is_set():
                return

    def _batch(self) -> list[bytes]:
        """The next lines. One that cannot be made is lost alone."""
        made: list[bytes] = []
        queue = self._queue
        for _ in range(BATCH_LINES):
            try:
                item = queue.popleft()
            except IndexError:
                break
            try:
                made.append(item if isinstance(item, bytes) else self._event_line(*item))
            except Exception:
                self._drop("not_encodable", 1)
        return made

    def _event_line(self, ts: float, event: _Event) -> bytes:
        make = lines.json_event if self._is_json else lines.text_event
        return make(ts, *event)

    def _write(self, batch: list[bytes]) -> None:
        """All of it, or what the system takes; never raises."""
        data = b"".join(batch)
        if self._is_mid_line and data:
            # The disk was full in the middle of a line: that one is lost, the next begins afresh.
            data = b"\n" + data
        done = 0
        try:
            while done < len(data):
                done += self._write_some(data[done:])
        except OSError:
            self._drop("write_failed", len(batch) - data.count(b"\n", 1, done))
        if done:
            self._is_mid_line = data[done - 1] != 10

    def _write_some(self, data: bytes) -> int:
        """Bytes taken; 0 where the descriptor does not block and is full. Raises OSError."""
        if self._fd is None:
            raise OSError("there is no standard output")
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            time.sleep(_RETRY_S)
            return 0
