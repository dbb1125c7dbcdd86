"""`sidecar demo`: simulated providers, the proxy before them, traffic through it, figures.

Knows: how the parts are started as a user would start them, waited for and ended; what to paste.
Must not know: how any of them works inside. The figures come from the proxy's own admin port, so
what is shown here is what an operator would see.
Why child processes and not one loop: the proxy is measured alone, a fault in one part cannot hide
in another, and the demo proves the very command lines that it prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sidecar.core.errors import SidecarError, StartError
from sidecar.lab.figures import (
    Figures,
    ModelFigures,
    by_model,
    line_of,
    read_metrics,
    summary_of,
    table_of,
)
from sidecar.lab.traffic import Tally, send_traffic

_HOST: Final = "127.0.0.1"
_READY_WITHIN_S: Final = 15.0
_POLL_S: Final = 0.05
_END_WITHIN_S: Final = 10.0
_FINISH_WITHIN_S: Final = 2.5
_LIVE_EVERY_S: Final = 1.0
_PLAIN_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, all on 127.0.0.1."""

    data: int = 8484
    admin: int = 8486
    mock: int = 8488


class DemoError(SidecarError):
    """A part ended by itself."""


def run(for_s: float | None, ports: Ports | None = None) -> int:
    """Until Ctrl-C, or for so long. Raises StartError and DemoError."""
    ports = Ports() if ports is None else ports
    _check_free(ports)
    folder = Path(tempfile.mkdtemp(prefix="sidecar-demo-"))
    # Not in a `finally`: after a failure the log in it is what the message points to.
    asyncio.run(_Demo(ports, folder).run(for_s))
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _check_free(ports: Ports) -> None:
    for port, what in (
        (ports.data, "the proxy"),
        (ports.admin, "the proxy's admin port"),
        (ports.mock, "the simulated providers"),
    ):
        with socket.socket() as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                raise StartError(
                    f"the demo needs port {port} of {_HOST} for {what}, and it is taken:"
                    " end what listens there and start the demo again"
                ) from None


def how_to_try(ports: Ports) -> str:
    """What to paste into another terminal."""
    origin = f"http://{_HOST}:{ports.data}"
    return f"""\
The proxy listens on {origin}, before simulated providers: no key, no network.
Sample traffic is on its way, with a scripted failure now and then.
Paste into another terminal:

# curl
curl -N {origin}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "mock,tokens=30,gap=50ms", "stream": true, "messages": []}}'

# OpenAI's SDK
export OPENAI_BASE_URL={origin}/v1 OPENAI_API_KEY=none
python -c '
import openai
for chunk in openai.OpenAI().chat.completions.create(
    model="gpt-4o", stream=True, messages=[{{"role": "user", "content": "hi"}}]
):
    print(chunk.choices[0].delta.content or "", end="", flush=True)'

# Anthropic's SDK
export ANTHROPIC_BASE_URL={origin} ANTHROPIC_API_KEY=none
python -c '
import anthropic
with anthropic.Anthropic().messages.stream(
    model="claude-sonnet-5-5", max_tokens=100, messages=[{{"role": "user", "content": "hi"}}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)'

# what passed, and figures
curl 'http://{_HOST}:{ports.admin}/exchanges?limit=5'
curl http://{_HOST}:{ports.admin}/metrics

# faults: any client, any model name as `sidecar mock --help` says
curl -N {origin}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "mock,fault=cut@5", "stream": true, "messages": []}}'
"""


def config_of(ports: Ports) -> str:
    """The proxy's YAML: both names point at the mock."""
    url = f"http://{_HOST}:{ports.mock}"
    return (
        "version: 1\n"
        f'listen: {{address: "{_HOST}:{ports.data}"}}\n'
        f'admin: {{address: "{_HOST}:{ports.admin}"}}\n'
        "upstreams:\n"
        f'  openai: {{url: "{url}"}}\n'
        f'  anthropic: {{url: "{url}"}}\n'
    )


# --- parts ---------------------------------------------------------------------------------------


class _Demo:
    """One run: its children, its traffic, what it shows."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        self._ports = ports
        self._folder = folder
        self._log = folder / "log.txt"
        self._tally = Tally()
        self._figures = Figures()
        self._models: list[ModelFigures] = []
        self._console = Console(highlight=False, markup=False, emoji=False)

    async def run(self, for_s: float | None) -> None:
        stopped = asyncio.Event()
        _on_signals(stopped)
        config = self._folder / "sidecar.yaml"
        config.write_text(config_of(self._ports))
        mock_url = f"http://{_HOST}:{self._ports.mock}"
        admin_url = f"http://{_HOST}:{self._ports.admin}"
        listen = f"{_HOST}:{self._ports.mock}"
        async with (
            aiohttp.ClientSession() as session,
            self._child("mock", "--listen", listen) as mock,
            self._child("run", "-c", str(config)) as proxy,
        ):
            await self._ready(session, f"{mock_url}/v1/models", mock, "the mock", stopped)
            await self._ready(session, f"{admin_url}/readyz", proxy, "the proxy", stopped)
            self._console.print(how_to_try(self._ports), soft_wrap=True)
            async with self._traffic():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(for_s):
                        await self._show(session, admin_url, (mock, proxy), stopped)
            await self._settle(session, admin_url)
        self._console.print(summary_of(self._figures, self._tally), soft_wrap=True)
        self._console.print(table_of(self._models))

    @contextlib.asynccontextmanager
    async def _traffic(self) -> AsyncIterator[None]:
        """Callers at work; at the end each may finish what it began."""
        over = asyncio.Event()
        base_url = f"http://{_HOST}:{self._ports.data}"
        callers = asyncio.create_task(send_traffic(base_url, self._tally, over))
        try:
            yield
        finally:
            over.set()
            await asyncio.wait([callers], timeout=_FINISH_WITHIN_S)
            callers.cancel()
            await asyncio.gather(callers, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _child(self, *arguments: str) -> AsyncIterator[Process]:
        """`sidecar …` as a process of its own, ended by its id however we leave."""
        # The user's SIDECAR_* would move it to other ports. Its own session: Ctrl-C reaches only
        # us, and we end the parts in their order.
        env = {k: v for k, v in os.environ.items() if not k.startswith("SIDECAR_")}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sidecar",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            await _end(process)

    async def _ready(
        self,
        session: aiohttp.ClientSession,
        url: str,
        process: Process,
        name: str,
        stopped: asyncio.Event,
    ) -> None:
        """Wait until it answers, or we are told to stop. Raises StartError."""
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                while process.returncode is None:
                    if stopped.is_set():
                        return
                    with contextlib.suppress(aiohttp.ClientError):
                        async with session.get(url) as response:
                            if response.status == 200:
                                return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise StartError(
                f"{name} was not ready within {_READY_WITHIN_S:.0f} s; its log: {self._log}"
            ) from None
        raise StartError(f"{name} did not start; its log: {self._log}")

    async def _show(
        self,
        session: aiohttp.ClientSession,
        admin_url: str,
        parts: tuple[Process, Process],
        stopped: asyncio.Event,
    ) -> None:
        """Figures until told to stop. Raises DemoError if a part ends by itself."""
        is_live = self._console.is_terminal
        every_s = _LIVE_EVERY_S if is_live else _PLAIN_EVERY_S
        live = Live(console=self._console, auto_refresh=False) if is_live else None
        with live or contextlib.nullcontext():
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(every_s):
                        await stopped.wait()
                for process, name in zip(parts, ("the mock", "the proxy"), strict=True):
                    if process.returncode is not None:
                        raise DemoError(f"{name} ended by itself; its log: {self._log}")
                await self._look(session, admin_url)
                line = line_of(self._figures, self._tally)
                if live is not None:
                    live.update(Group(table_of(self._models), Text(line)), refresh=True)
                else:
                    self._console.print(line, soft_wrap=True)

    async def _settle(self, session: aiohttp.ClientSession, admin_url: str) -> None:
        """Look until the requests that we broke off are accounted for, for a second at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._look(session, admin_url)
                while self._figures.in_flight:
                    await asyncio.sleep(_POLL_S)
                    await self._look(session, admin_url)

    async def _look(self, session: aiohttp.ClientSession, admin_url: str) -> None:
        # A look that fails shows the figures of the last one.
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{admin_url}/metrics") as response:
                self._figures = read_metrics(await response.text())
            async with session.get(f"{admin_url}/exchanges?limit=1000") as response:
                self._models = by_model((await response.json())["exchanges"])


async def _end(process: Process) -> None:
    """Ask it to end, and after a while make it."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(_END_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _on_signals(stopped: asyncio.Event) -> None:
    if sys.platform == "win32":
        return
    # A closed terminal must not leave the children behind either.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
