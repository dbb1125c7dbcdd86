"""The log never holds up the caller, and counts what it could not write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.core.records import Record
from sidecar.telemetry.lines import encoded
from sidecar.telemetry.log import LogWriter

_NewRecord = Callable[..., Record]


def log(writer: LogWriter, record: Record) -> None:
    writer.exchange(record, encoded(record))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """(read end, write end); the writer closes its end."""
    read_fd, write_fd = os.pipe()
    yield read_fd, write_fd
    os.close(read_fd)


@pytest.fixture
def lost() -> Counter[str]:
    return Counter()


def _writer(
    fd: int | None, lost: Counter[str], level: str = "info", queue_lines: int = 4096
) -> LogWriter:
    def drop(reason: str, count: int) -> None:
        lost[reason] += count

    return LogWriter(fd, drop, "json", level, queue_lines)


def _fill(fd: int) -> int:
    """Write until the pipe takes no more; the number of bytes."""
    os.set_blocking(fd, False)
    size = 0
    try:
        while True:
            size += os.write(fd, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(fd, True)
        return size


def _read_all(fd: int) -> bytes:
    pieces = []
    while piece := os.read(fd, 65536):
        pieces.append(piece)
    return b"".join(pieces)


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < end, "it did not happen within 10 s"
        time.sleep(0.005)


def test_lines_arrive_in_order_and_whole(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    writer = _writer(pipe[1], lost)
    for number in range(150):
        log(writer, new_record(request_id=f"req-{number}"))
    writer.event("info", "draining", seconds=3)
    # More than a pipe holds, so somebody has to read while it is written.
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(_read_all(pipe[0])))
    reader.start()
    writer.close(5)
    reader.join()
    *exchanges, event = map(json.loads, read[0].splitlines())
    assert [line["request_id"] for line in exchanges] == [f"req-{n}" for n in range(150)]
    assert (event["event"], event["seconds"]) == ("draining", 3)
    assert not lost


def test_a_line_does_not_wait_for_the_next(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    writer = _writer(pipe[1], lost)
    began = time.monotonic()
    for _ in range(2):
        log(writer, new_record())
        assert os.read(pipe[0], 65536).endswith(b"}\n")
    assert time.monotonic() - began < 2
    writer.close(5)


def test_a_full_pipe_holds_up_nobody_and_every_line_is_written_or_counted(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    stuffing = _fill(pipe[1])
    writer = _writer(pipe[1], lost, queue_lines=10)
    began = time.monotonic()
    for number in range(100):
        log(writer, new_record(request_id=f"req-{number}"))
    assert time.monotonic() - began < 2
    # Ten are queued; ten more, if the thread was quick enough to take the first away.
    assert 80 <= lost["queue_full"] <= 90
    left = stuffing
    while left:
        left -= len(os.read(pipe[0], left))
    writer.close(5)
    written = _read_all(pipe[0]).splitlines()
    assert len(written) + lost["queue_full"] == 100
    assert all(json.loads(line) for line in written)


def test_a_descriptor_that_does_not_block_is_waited_for(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    stuffing = _fill(pipe[1])
    os.set_blocking(pipe[1], False)
    writer = _writer(pipe[1], lost)
    log(writer, new_record())
    time.sleep(0.1)
    left = stuffing
    while left:
        left -= len(os.read(pipe[0], left))
    writer.close(5)
    assert len(_read_all(pipe[0]).splitlines()) == 1
    assert not lost


def test_a_reader_who_is_gone_costs_lines_and_nothing_else(
    lost: Counter[str], new_record: _NewRecord
) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    writer = _writer(write_fd, lost)
    for _ in range(70):
        log(writer, new_record())
    _until(lambda: lost["write_failed"] == 70)
    log(writer, new_record())
    writer.close(5)
    assert lost == {"write_failed": 71}


if sys.platform == "linux":  # other systems have no such device

    def test_a_full_disk_costs_lines_and_nothing_else(
        lost: Counter[str], new_record: _NewRecord
    ) -> None:
        writer = _writer(os.open("/dev/full", os.O_WRONLY), lost)
        for _ in range(3):
            log(writer, new_record())
        writer.close(5)
        assert lost == {"write_failed": 3}


def test_without_standard_output_lines_are_counted(
    lost: Counter[str], new_record: _NewRecord
) -> None:
    writer = _writer(None, lost)
    log(writer, new_record())
    writer.close(5)
    assert lost == {"write_failed": 1}


def test_closing_waits_no_longer_than_it_was_told(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    _fill(pipe[1])
    writer = _writer(pipe[1], lost)
    for _ in range(100):
        log(writer, new_record())
    began = time.monotonic()
    writer.close(0.2)
    assert time.monotonic() - began < 2
    # One batch (at most 64 lines) is stuck in the pipe; the rest never got that far.
    assert list(lost) == ["not_flushed"]
    assert 36 <= lost["not_flushed"] < 100


def test_after_the_close_lines_are_counted(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    writer = _writer(pipe[1], lost)
    writer.close(5)
    log(writer, new_record())
    assert lost == {"queue_full": 1}


def test_the_level_decides_what_is_written(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    writer = _writer(pipe[1], lost, level="warning")
    log(writer, new_record())
    writer.event("info", "listening")
    writer.event("warning", "slow")
    writer.event("error", "broken")
    writer.close(5)
    written = [json.loads(line)["event"] for line in _read_all(pipe[0]).splitlines()]
    assert written == ["slow", "broken"]
    assert not lost


def test_one_line_that_cannot_be_made_is_lost_alone(
    pipe: tuple[int, int], lost: Counter[str], new_record: _NewRecord
) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError

    writer = _writer(pipe[1], lost)
    writer.event("info", "odd", what=Unspeakable())
    log(writer, new_record())
    writer.close(5)
    assert len(_read_all(pipe[0]).splitlines()) == 1
    assert lost == {"not_encodable": 1}


_DISK_FILLS_AND_IS_CLEARED = """
import os, resource, sys, time
from collections import Counter
from sidecar.telemetry.lines import encoded
from sidecar.telemetry.log import LogWriter

lost = Counter()
def drop(reason, count):
    lost[reason] += count

resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
full = LogWriter(fd, drop)
for number in range(5):
    full.event("info", "before", number=number)
while not lost:
    time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
full.event("info", "after")
full.close(5)
print(lost["write_failed"])
"""


def test_a_line_that_was_cut_by_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A limit on the file's size fails a write in the middle, as a full disk does."""
    file = tmp_path / "log"
    file.touch()
    run = subprocess.run(
        [sys.executable, "-c", _DISK_FILLS_AND_IS_CLEARED, str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    *whole, cut, after = file.read_text().splitlines()
    assert [json.loads(line)["number"] for line in whole] == [0, 1]
    assert '"ts"' in cut
    assert not cut.endswith("}")
    assert json.loads(after)["event"] == "after"
    assert run.stdout == "3\n"


def test_a_process_without_standard_output_does_not_write_to_another_descriptor() -> None:
    """Where 1 was closed at start, the next file or socket gets that number."""
    script = (
        "import os, sys; from sidecar.telemetry.log import open_stdout;"
        "first = os.open('/dev/null', os.O_WRONLY);"
        "sys.exit(0 if first == 1 and open_stdout() is None else 1)"
    )
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, script], timeout=30, check=False
    )
    assert run.returncode == 0


def test_queueing_costs_the_caller_next_to_nothing(
    lost: Counter[str], new_record: _NewRecord
) -> None:
    """About 0.2 us; a hundred times that is allowed, for a busy machine."""
    writer = _writer(os.open(os.devnull, os.O_WRONLY), lost)
    record, best_s = new_record(), 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            log(writer, record)
        best_s = min(best_s, (time.perf_counter() - began) / 100)
        time.sleep(0.01)
    writer.close(5)
    assert best_s < 0.00002
