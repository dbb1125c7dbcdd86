"""The caller's body on its way up.

Knows: how a body is framed for the upstream: a chunked request stays chunked, one with a length
keeps it.
Must not know: sockets. Where the upstream is slow the caller is held: at most 64 KiB wait here.
"""

from __future__ import annotations

from sidecar.core.framing import Framing
from sidecar.core.outcome import Reason
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import BodyError, Wire

_LAST_CHUNK = b"0\r\n\r\n"


def framed_whole(exchange: Exchange, body: bytes) -> bytes:
    """The whole body as it goes on the wire; b"" where there is none."""
    if exchange.head.framing is not Framing.CHUNKED:
        return body
    return b"%x\r\n%b\r\n%b" % (len(body), body, _LAST_CHUNK) if body else _LAST_CHUNK


async def stream_up(exchange: Exchange, wire: Wire) -> None:
    """Send the body while it is read. A body that breaks its own framing, or the limit, fails the
    attempt: the upstream then never sees a complete request."""
    body = exchange.inbound.body
    is_chunked = exchange.head.framing is Framing.CHUNKED
    limit = exchange.plan.max_request_body_bytes
    piece = exchange.body
    exchange.body = b""
    try:
        while True:
            if piece:
                wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
                await wire.writable()
            if exchange.is_body_read:
                break
            exchange.is_body_read = body.is_whole
            piece = body.take() if exchange.is_body_read else await body.more()
            exchange.is_body_read = exchange.is_body_read or not piece
            exchange.request_bytes += len(piece)
            if limit is not None and exchange.request_bytes > limit:
                wire.fail(Reason.REQUEST_TOO_LARGE)
                return
    except BodyError as error:
        wire.fail(error.reason)
        return
    if is_chunked:
        wire.send(_LAST_CHUNK)
    wire.mark_sent()
