"""Does the installed aiohttp still have what we stand on?

Knows: the oldest aiohttp that may serve, and every name of it that is not public and that `server`
and `connector` use.
Must not know: how they use it.
Why private names at all: aiohttp's public client and server cost twice as much per request and lose
bytes (docs/decisions/0001). So a start builds one of each and fails with a clear sentence if a
hook is gone; a test does the same against whatever aiohttp is installed.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

import aiohttp

from sidecar.core.errors import StartError
from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Refusal
from sidecar.net.connector import ClientConnection, Connector, request_template
from sidecar.net.departures import Departures
from sidecar.net.factory import Server
from sidecar.net.requests import RequestBody
from sidecar.net.server import ServerConnection

FLOOR: Final = (3, 14, 5)
"""Older ones have published faults in how they tell messages apart and in their parsers' memory."""
_SERVER_HOOKS: Final = (
    "_drain_helper",
    "_force_close",
    "_pause_transport_reading",
    "_request_in_progress",
    "_resume_transport_reading",
    "_task_handler",
    "_waiter",
    "start",
    "writing_paused",
)
_CLIENT_HOOKS: Final = (
    "_drain_helper",
    "_paused",
    "_pause_transport_reading",
    "_resume_transport_reading",
    "should_close",
)
_CONNECTOR_HOOKS: Final = (
    "_acquired",
    "_cleanup",
    "_cleanup_handle",
    "_closed",
    "_conns",
    "_create_connection",
    "_factory",
    "_keepalive_timeout",
    "_release",
)


class _NoEvents:
    """Stands in for listener and upstream during the self-check."""

    connect_timeout_s: float | None = None
    max_idle: int | None = None
    is_draining = False

    def __init__(self) -> None:
        self.departures = Departures()

    def opened(self, connection: ServerConnection) -> None:
        """Nobody is there."""

    async def serve(
        self,
        connection: ServerConnection,
        head: RequestHead,
        body: RequestBody,
        read_at: float,
        ready_at: float,
    ) -> bool:
        return False

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Nobody is there."""

    def never_served(self, count: int) -> None:
        """Nothing is counted."""

    def is_too_old(self, opened_at: float, now: float) -> bool:
        return False


async def self_check() -> None:
    """See that aiohttp is new enough, build one of each, and see that every hook and limit took
    effect. Raises StartError."""
    _refuse_older(aiohttp.__version__)
    events = _NoEvents()
    server = Server(events)()
    loop = asyncio.get_running_loop()
    template = request_template("http://localhost", loop, tls=True, proxy=None, proxy_headers=None)
    connector = Connector(events, template)
    client = ClientConnection(loop)
    missing = [
        f"{type(thing).__name__}.{name}"
        for thing, names in (
            (server, _SERVER_HOOKS),
            (client, _CLIENT_HOOKS),
            (connector, _CONNECTOR_HOOKS),
        )
        for name in names
        if not hasattr(thing, name)
    ]
    if not isinstance(connector._factory(), ClientConnection):
        missing.append("the connector's factory")
    await connector.close()
    events.departures.close()
    if missing:
        raise StartError(
            f"aiohttp {aiohttp.__version__} does not fit: {', '.join(missing)} not found;"
            " install the version that this release names"
        )


def _refuse_older(version: str) -> None:
    """An installer was told so already; an image that was built by other means was not."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[: len(FLOOR)])
    if numbers < FLOOR:
        floor = ".".join(map(str, FLOOR))
        raise StartError(
            f"aiohttp {version} is older than {floor} and has known security faults;"
            f" run: pip install 'aiohttp[speedups]>={floor}'"
        )
