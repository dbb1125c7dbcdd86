"""The fault server in a thread of its own, for tests that block on sockets.

Knows: threads and loops. Must not know: what is played; that is `sidecar.lab`, whose steps
are named here again so that a story needs one import.
Why its own thread: a provider that shared the test's could not answer while the test waits.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from sidecar.lab.fault_server import DeafServer, FaultServer, FullQueue
from sidecar.lab.faults import (
    Script,
    Seen,
    Step,
    Turn,
    answer,
    at_once,
    bare_fin,
    drip,
    fin,
    read_body,
    read_bytes,
    rst,
    send,
    send_many,
    send_until_left,
    sleep,
    until_left,
    wait_for,
)

__all__ = [
    "Deaf",
    "FullQueue",
    "Origin",
    "Script",
    "Seen",
    "Step",
    "Turn",
    "answer",
    "at_once",
    "bare_fin",
    "drip",
    "fin",
    "read_body",
    "read_bytes",
    "rst",
    "send",
    "send_many",
    "send_until_left",
    "sleep",
    "until_left",
    "wait_for",
]
T = TypeVar("T")


class _Thread:
    """A loop that runs in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Origin(FaultServer):
    """A scripted provider."""

    def __init__(self, context: ssl.SSLContext | None = None, greeting: Script = ()) -> None:
        super().__init__(greeting)
        self._numbers = itertools.count(1)
        self._thread = _Thread()
        self._thread.run(self.start(context))

    def script(self, *scripts: Script, end: str = "") -> str:
        """`at` a path that nobody else uses, which ends in `end`; tells the path."""
        return self.at(f"/s/{next(self._numbers)}{end}", *scripts)

    def close(self) -> None:
        """Stop listening and drop all connections."""
        self._thread.run(self.stop())
        self._thread.end()


class Deaf(DeafServer):
    """One that says nothing."""

    def __init__(self, hangs_up: bool = False) -> None:
        super().__init__(hangs_up)
        self._thread = _Thread()
        self._thread.run(self.start())

    def close(self) -> None:
        self._thread.run(self.stop())
        self._thread.end()
