"""Queues that never wait, and losses that are counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sidecar.core.records import Record
from sidecar.telemetry.otlp.exporter import MetricExporter, SpanExporter
from sidecar.telemetry.otlp.sending import Sent
from sidecar.telemetry.page import Page

_NewRecord = Callable[..., Record]
AGAIN = Sent("down", is_worth_repeating=True)


class Receiver:
    """Answers as it is told, then with success; waits at a gate if there is one."""

    def __init__(self, *answers: Sent, gate: threading.Event | None = None) -> None:
        self.answers = list(answers)
        self.gate = gate
        self.came: list[bytes] = []
        self.is_closed = False

    def send(self, message: bytes, timeout_s: float) -> Sent:
        self.came.append(message)
        if self.gate is not None:
            self.gate.wait(timeout_s)
        return self.answers.pop(0) if self.answers else Sent()

    def close(self) -> None:
        self.is_closed = True


class Numbers:
    """Stands for the maker of spans: a message is how many there were."""

    def __init__(self, broken: object = None) -> None:
        self._broken = broken

    def encode(self, batch: Sequence[Any]) -> bytes:
        if self._broken in batch:
            raise ValueError("cannot be said")
        return str(len(batch)).encode()


class Item:
    """As much of what is queued as an exporter looks at."""

    class record:  # noqa: N801  # stands for an instance
        attempts = (1,)


def _exporter(
    receiver: Receiver,
    lost: Counter[str],
    make: Any = None,
    queue: int = 300,
    timeout_s: float = 5.0,
) -> SpanExporter:
    def drop(reason: str, count: int) -> None:
        lost[reason] += count

    return SpanExporter(make or Numbers(), receiver, drop, timeout_s, 0.01, queue, 63)


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_put_arrives_in_batches_and_at_the_latest_at_the_end() -> None:
    receiver, lost = Receiver(), Counter[str]()
    exporter = _exporter(receiver, lost)
    for _ in range(50):
        exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
    exporter.close(2.0)
    assert sum(int(message) for message in receiver.came) == 50
    assert max(int(message) for message in receiver.came) <= 21
    assert lost == {}
    assert receiver.is_closed


def test_a_full_queue_drops_and_counts_and_nobody_waits() -> None:
    gate, lost = threading.Event(), Counter[str]()
    receiver = Receiver(gate=gate)
    exporter = _exporter(receiver, lost, queue=30)
    began = time.monotonic()
    for _ in range(5000):
        exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
    assert time.monotonic() - began < 1.0
    assert lost["queue_full"] >= 3 * (5000 - 10 - 2 * 21)
    gate.set()
    exporter.close(2.0)
    arrived = sum(int(message) for message in receiver.came)
    assert arrived * 3 + lost["queue_full"] == 5000 * 3


def test_what_is_worth_repeating_is_repeated_until_it_arrives() -> None:
    receiver, lost = Receiver(AGAIN), Counter[str]()
    exporter = _exporter(receiver, lost)
    exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
    _until(lambda: len(receiver.came) == 2)
    _until(lambda: exporter.trouble is None)
    exporter.close(1.0)
    assert receiver.came == [b"1", b"1"]
    assert lost == {}


def test_what_is_not_worth_it_or_takes_too_long_is_dropped_and_told() -> None:
    for answers, timeout_s in (((Sent("status 500"),), 5.0), ((AGAIN,) * 9, 0.3)):
        receiver, lost = Receiver(*answers), Counter[str]()
        exporter = _exporter(receiver, lost, timeout_s=timeout_s)
        exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
        _until(lambda lost=lost: lost["not_sent"] == 3)  # type: ignore[misc]  # bound at once
        assert exporter.trouble == answers[0].trouble
        exporter.close(1.0)


def test_what_the_receiver_rejects_is_counted() -> None:
    receiver, lost = Receiver(Sent(rejected=2)), Counter[str]()
    exporter = _exporter(receiver, lost)
    exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
    exporter.close(1.0)
    assert lost == {"rejected": 2}


def test_one_that_cannot_be_said_is_lost_alone() -> None:
    broken = Item()
    receiver, lost = Receiver(), Counter[str]()
    exporter = _exporter(receiver, lost, make=Numbers(broken))
    for item in (Item(), broken, Item()):
        exporter.put(item)  # type: ignore[arg-type]  # it looks at no more
    exporter.close(1.0)
    assert sum(int(message) for message in receiver.came) == 2
    assert lost == {"not_encodable": 3}


def test_the_end_does_not_wait_for_a_receiver_that_hangs() -> None:
    gate, lost = threading.Event(), Counter[str]()
    exporter = _exporter(Receiver(gate=gate), lost, timeout_s=60.0)
    for _ in range(30):
        exporter.put(Item())  # type: ignore[arg-type]  # it looks at no more
    began = time.monotonic()
    exporter.close(0.3)
    assert time.monotonic() - began < 2.0
    gate.set()
    assert lost["not_flushed"] + lost["not_sent"] > 0


def test_a_newer_page_takes_the_place_of_one_that_waits() -> None:
    gate, lost = threading.Event(), Counter[str]()
    receiver = Receiver(gate=gate)

    class Pages:
        def encode(self, page: Page) -> Iterator[bytes]:
            yield str(page.at_ns).encode()

    def drop(reason: str, count: int) -> None:
        lost[reason] += count

    exporter = MetricExporter(Pages(), receiver, drop, 5.0)  # type: ignore[arg-type]  # a stand-in
    exporter.put(Page((), 1))
    _until(lambda: receiver.came == [b"1"])
    for at_ns in (2, 3, 4):
        exporter.put(Page((), at_ns))
    gate.set()
    exporter.close(1.0)
    assert receiver.came == [b"1", b"4"]
    assert lost == {"not_sent": 2}
