"""One process: signals, limits, the event loop, and what a person at the terminal reads.

Knows: how the process is set up before the first socket, and which signals end it.
Must not know: what is served (`app`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
from typing import Final

from sidecar import __version__
from sidecar.app import App, ledger_of
from sidecar.core.address import Address
from sidecar.settings.schema import Settings
from sidecar.telemetry.ledger import Ledger
from sidecar.telemetry.log import LogWriter, open_stdout

# A busy thread of Python else holds the interpreter for 5 ms while streams wait; with this value
# the wake-up of the loop was measured at 0.9 ms (median, 2026-11).
_SWITCH_INTERVAL_S: Final = 0.0005
# Nothing on the hot path makes cycles; the collector only has to find the rare ones.
_GC_THRESHOLDS: Final = (50_000, 20, 50)
_LOG_FLUSH_S: Final = 2.0
_ENDING_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
]


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit status. Raises StartError."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    descriptors = raise_descriptor_limit()
    ledger = ledger_of(settings)
    wanted = settings.telemetry.log
    log = LogWriter(
        open_stdout(),
        lambda reason, count: ledger.drop("log", reason, count),
        wanted.format,
        wanted.level,
        sample_ratio=wanted.sample_ratio,
        draw=random.random,
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_main(settings, log, ledger, descriptors))
    finally:
        log.close(_LOG_FLUSH_S)
    return 0


async def _main(
    settings: Settings, log: LogWriter, ledger: Ledger, descriptors: int | None
) -> None:
    app = App(settings, log, ledger, descriptors)
    asked, pressed = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (pressed if asked.is_set() else asked).set()

    loop = asyncio.get_running_loop()
    for number in _ENDING_SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers here
            loop.add_signal_handler(number, on_signal)
    try:
        await app.start()
        if sys.stderr.isatty():
            tls = settings.listen.tls is not None
            print(greeting(app.data_address, app.admin_address, tls), file=sys.stderr)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await asked.wait()
        await _let_end(app, pressed)
    finally:
        await app.stop()


async def _let_end(app: App, pressed: asyncio.Event) -> None:
    """Drain, unless a second signal comes."""
    if hasattr(signal, "SIGHUP"):
        # Whoever hangs up now changes nothing.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    draining = app.begin_drain()
    if app.in_flight and sys.stderr.isatty():
        print(
            f"waiting for {app.in_flight} requests in flight, at most"
            f" {app.settings.shutdown.drain_s:g} s; Ctrl-C again ends at once",
            file=sys.stderr,
        )
    hurried = asyncio.create_task(pressed.wait(), name="second signal")
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()


def greeting(data: Address, admin: Address, is_tls: bool) -> str:
    """For a person at a terminal; the log says the same to machines."""
    operators = f"operator's port {_reached(admin, is_tls=False)}"
    first = f"sidecar {__version__} listens on {_reached(data, is_tls)} ({operators})"
    if data.is_unix:
        return f"{first}\nCtrl-C ends."
    url = _reached(data, is_tls)
    return (
        f"{first}\n"
        f"  export OPENAI_BASE_URL={url}/v1\n"
        f"  export ANTHROPIC_BASE_URL={url}\n"
        "`sidecar env` has the variables of every SDK; Ctrl-C ends."
    )


def _reached(address: Address, is_tls: bool) -> str:
    return str(address) if address.is_unix else f"http{'s' if is_tls else ''}://{address}"


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; SIDECAR_LOOP=asyncio asks for the standard one."""
    if os.environ.get("SIDECAR_LOOP") == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def raise_descriptor_limit() -> int | None:
    """Two descriptors a stream: the usual soft limit of 1,024 ends at 500 of them. How many there
    may be now; None: without end, or unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
