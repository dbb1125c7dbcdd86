"""The data port: sockets, arrivals, and one task per request into the pipeline.

Knows: how a parsed (or unparsable) head becomes an Inbound, which ports are bound, who finds room,
and how all of it comes to its end.
Must not know: routing or policies.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sidecar.core.address import Address
from sidecar.core.heads import UNREADABLE, RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.net.caller import Caller
from sidecar.net.crowd import Crowd
from sidecar.net.departures import Departures
from sidecar.net.factory import Server
from sidecar.net.nobody import NO_BODY, NOBODY
from sidecar.net.requests import RequestBody
from sidecar.net.server import ServerConnection
from sidecar.net.sockets import Door, open_door
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client
from sidecar.policies import patience

_GRACE_S: Final = 1.0
"""A caller that has just decided to send on an idle connection may still do so."""
_POLL_S: Final = 0.02
_NO_ROOM: Final = Refusal(
    Reason.TOO_MANY_CONNECTIONS,
    "there are as many connections as listen.max_connections allows, and none is idle",
    retry_after_s=1,
)
_DRAINING: Final = Refusal(
    Reason.DRAINING, "the sidecar is about to stop; send it again", retry_after_s=1
)
_SURPLUS: Final = patience.Rule(headers_s=1.0)

Handle = Callable[[Inbound, Client], Awaitable[None]]
Refuse = Callable[[Inbound, Client, Refusal | None], None]
Report = Callable[[Exception], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may do to us."""

    max_connections: int = 4096
    patience: patience.Rule = field(default_factory=patience.Rule)


class Listener:
    """Serves the data port. `handle` takes a request; `refuse` counts and answers what never
    became one (None: its caller left before its turn); `report` hears of bugs."""

    def __init__(
        self, handle: Handle, refuse: Refuse, report: Report, limits: Limits | None = None
    ) -> None:
        self._handle = handle
        self._refuse = refuse
        self._report = report
        self._limits = limits or Limits()
        self._server = Server(self)
        self._crowd = Crowd(self._limits.max_connections, self._callers)
        self._door: Door | None = None
        self.departures = Departures()
        self.is_draining = False
        self._is_past_grace = False

    async def bind(self, address: Address, context: ssl.SSLContext | None = None) -> Address:
        """Listen; the answer names the real port. Raises StartError."""
        self._door = await open_door(
            self._server, address, context, handshake_s=self._limits.patience.headers_s
        )
        return self._door.address

    # --- what connections tell ---

    def opened(self, connection: ServerConnection) -> None:
        """One more caller."""
        one_to_go = self._crowd.one_to_go(connection)
        if one_to_go is connection:
            connection.is_surplus = True
            if self._crowd.is_beyond_surplus:
                connection.give_up(_NO_ROOM)
        elif isinstance(one_to_go, ServerConnection) and one_to_go.transport is not None:
            one_to_go.transport.close()

    async def serve(
        self,
        connection: ServerConnection,
        head: RequestHead,
        body: RequestBody,
        read_at: float,
        ready_at: float,
    ) -> bool:
        """One request; True if the connection may serve another."""
        will_close = head.must_close or self.is_draining
        caller = Caller(connection, head.minor_version == 1, will_close)
        inbound = Inbound(head, body, read_at, ready_at)
        if connection.is_surplus or self._is_past_grace:
            caller.will_close = True
            self._refuse(inbound, caller, _NO_ROOM if connection.is_surplus else _DRAINING)
            return False
        connection.caller = caller
        try:
            await self._handle(inbound, caller)
        except Exception as error:
            # Settled, and answered or cut, by the pipeline already.
            self._report(error)
            return False
        finally:
            connection.caller = None
        return not caller.will_close

    def refuse(self, connection: ServerConnection, refusal: Refusal) -> None:
        """Bytes that were no request."""
        inbound = Inbound(UNREADABLE, NO_BODY, connection.read_at)
        caller = Caller(connection, speaks_chunked=True, will_close=True)
        self._refuse(inbound, caller, _NO_ROOM if connection.is_surplus else refusal)

    def never_served(self, count: int) -> None:
        """So many heads were parsed, but their caller left before their turn."""
        for _ in range(count):
            self._refuse(Inbound(UNREADABLE, NO_BODY, monotonic()), NOBODY, None)

    # --- time ---

    def tick(self, now: float) -> None:
        """Give up callers that have taken too long."""
        rule = self._limits.patience
        for connection in self._callers():
            connection.look(_SURPLUS if connection.is_surplus else rule, now)

    @property
    def connections(self) -> int:
        """Callers' connections that are open."""
        return len(self._server.connections)

    @property
    def busy(self) -> int:
        """Those of them that wait for an answer or get one."""
        return sum(connection.is_busy for connection in self._callers())

    async def drain(self, limit_s: float) -> None:
        """Let what runs come to its end. First every answer becomes its connection's last; after
        a moment nobody new is let in and idle connections are closed; then it is waited for the
        rest, until the limit."""
        ends_at = monotonic() + limit_s
        self.is_draining = True
        for connection in self._callers():
            if connection.caller is not None:
                connection.caller.will_close = True
        if self.connections:
            await asyncio.sleep(min(_GRACE_S, limit_s))
        self._is_past_grace = True
        self._stop_listening()
        for connection in self._callers():
            if connection.is_idle and connection.transport is not None:
                connection.transport.close()
        while self.busy and monotonic() < ends_at:
            await asyncio.sleep(_POLL_S)

    async def end_all(self) -> None:
        """End every connection, and wait until all is settled."""
        await self._server.end_all()

    async def close(self) -> None:
        """Stop listening, end every connection, and wait until all is settled."""
        self._stop_listening()
        await self.end_all()
        self.departures.close()

    def _stop_listening(self) -> None:
        if self._door is not None:
            self._door.close()

    def _callers(self) -> list[ServerConnection]:
        return self._server.callers
