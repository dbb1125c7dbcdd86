"""The admin port's socket: opened, shown, closed.

Knows: aiohttp's server, and what can go wrong when an address is taken.
Must not know: what is served there (`pages`), nor anything of the data port.
Why aiohttp's public server here: a few requests a minute need no engine of their own.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sidecar.admin import gate, pages
from sidecar.core.address import Address
from sidecar.core.errors import StartError

_SHUTDOWN_S: Final = 1.0
# `localhost` means both families; a machine without IPv6 has only one of them.
_NO_SUCH_FAMILY: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class AdminPort:
    """The open port."""

    addresses: tuple[Address, ...]
    """Where it listens, with the port that was really bound."""
    _runner: web.AppRunner

    async def close(self) -> None:
        """Stop listening; answers under way get a second."""
        await self._runner.cleanup()


async def start(address: Address, sources: pages.Sources) -> AdminPort:
    """Listen and serve everything. Raises StartError where the address cannot be had."""
    return await _start(address, _app(sources, address.is_unix), "admin")


async def start_scrape(address: Address, sources: pages.Sources) -> AdminPort:
    """Listen and serve what scrapers and probes read, to whoever asks. Raises StartError."""
    app = web.Application(middlewares=[gate.make_gate(lambda: None, None, sources.failed)])
    for path, (handler, _) in pages.scrape_paths(sources).items():
        app.router.add_get(path, handler)
    app.on_response_prepare.append(gate.dress)
    return await _start(address, app, "scrape")


async def _start(address: Address, app: web.Application, block: str) -> AdminPort:
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    bound: list[Address] = []
    try:
        if address.path is not None:
            await _listen_unix(runner, address, block)
            return AdminPort((address,), runner)
        for host in address.hosts:
            # Port 0: the second family gets the number that the system chose for the first.
            port = bound[0].port if bound else address.port
            try:
                bound.append(await _listen(runner, host, port))
            except OSError as problem:
                if not bound or problem.errno not in _NO_SUCH_FAMILY:
                    raise StartError(_sentence(block, address, problem)) from None
    except BaseException:
        await runner.cleanup()
        raise
    return AdminPort(tuple(bound), runner)


def _app(sources: pages.Sources, is_unix: bool) -> web.Application:
    # No web page reaches a unix socket.
    allowed_hosts = (lambda: None) if is_unix else sources.allowed_hosts
    app = web.Application(
        middlewares=[gate.make_gate(allowed_hosts, sources.token, sources.failed)]
    )
    for path, (handler, _) in pages.actions(sources).items():
        app.router.add_post(path, handler)
    for path, (handler, _) in pages.paths(sources).items():
        app.router.add_get(path, handler)
    app.on_response_prepare.append(gate.dress)
    return app


async def _listen_unix(runner: web.AppRunner, address: Address, block: str) -> None:
    assert address.path is not None
    try:
        await web.UnixSite(runner, address.path).start()
    except OSError as problem:
        raise StartError(_sentence(block, address, problem)) from None


async def _listen(runner: web.AppRunner, host: str, port: int) -> Address:
    await web.TCPSite(runner, host, port).start()
    return Address(host, runner.addresses[-1][1])


def _sentence(block: str, address: Address, problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        variable = " (or SIDECAR_ADMIN)" if block == "admin" else ""
        return (
            f"{block}.address {address}: the port is in use by another process;"
            f" stop that one, or set {block}.address{variable} to another port"
        )
    if isinstance(problem, socket.gaierror) or problem.errno is None:
        why = "no such host"
    else:
        why = os.strerror(problem.errno).lower()
    return f"{block}.address {address}: cannot listen there ({why}); set it to another address"
