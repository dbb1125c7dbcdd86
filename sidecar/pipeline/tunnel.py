"""The caller's bytes of a tunnel on their way up.

Knows: that nothing goes before the upstream has said 101, and how a tunnel that one side has left
comes to its end.
Must not know: the protocol within. The bytes down need no code of their own: the relay passes them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sidecar.core.outcome import Reason
from sidecar.dialects.operations import Operation
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Wire

OPERATION: Final = Operation("realtime", "realtime")
_PARTING_S: Final = 1.0
"""An upstream that was told of the caller's end may still say its own."""


async def carry(exchange: Exchange, wire: Wire, switched: asyncio.Event) -> None:
    """Until the caller ends its side; then the upstream is given a moment, and dropped."""
    await switched.wait()
    exchange.operation = OPERATION
    body = exchange.inbound.body
    while piece := await body.more():
        exchange.request_bytes += len(piece)
        wire.send(piece)
        # What the caller says is life, too: `timeouts.idle` counts from the later of both.
        wire.mark_sent()
        await wire.writable()
    wire.send_end()
    await asyncio.sleep(_PARTING_S)
    wire.fail(Reason.CLIENT_LEFT)
