"""What is it, who asks, which route; and its body, up to the replay limit.

Knows: the edge rules that need the whole head, and how much of a body is read before sending.
Must not know: how bytes are parsed. Refusals are values; nothing has reached an upstream yet.
Why bodies are read whole first: a request that can be sent again survives a connection that died
in the pool, and the upstream sees head and body in one write. Larger bodies stream.
"""

from __future__ import annotations

from typing import Final

from sidecar.core.framing import Framing
from sidecar.core.headers import UNREMOVABLE
from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason, Refusal
from sidecar.dialects.model import model_asked
from sidecar.dialects.operations import operation_of
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import BodyError, Desk
from sidecar.policies import auth, hosts, keys, paths
from sidecar.policies.routing import Asked, Routed

_CHUNKED: Final = [b"chunked"]
_SIGNED: Final = b"AWS4-HMAC-SHA256"
_WHY_NOT_SIGNED: Final = (
    "a SigV4 signature holds for the host that it was made for, so AWS would refuse this request;"
    " use a Bedrock API key (AWS_BEARER_TOKEN_BEDROCK), or give this upstream an api_key"
)


async def accept(exchange: Exchange, desk: Desk) -> Refusal | None:
    """None once the exchange has a route and its body (or the first `replay_limit` bytes)."""
    plan, head = exchange.plan, exchange.head
    refusal = _refuse_head(head)
    if refusal is not None:
        # What follows on this connection may not be what it seems.
        exchange.client.will_close = True
        return refusal
    refusal = hosts.refuse(_text(head.host), _text(head.origin), plan.allowed_hosts)
    if refusal is None and plan.tokens is not None:
        refusal = _admit(head, plan.tokens)
    if refusal is None:
        refusal = _too_large(exchange, head.content_length or 0)
    if refusal is None and not plan.router.wants_model:
        refusal = _route(exchange, desk)
    if refusal is None:
        refusal = await _read_body(exchange, desk)
    if refusal is None and plan.router.wants_model:
        refusal = _route(exchange, desk)
    return refusal


def _refuse_head(head: RequestHead) -> Refusal | None:
    """What the parser lets through and no upstream must see."""
    if head.method in ("TRACE", "CONNECT"):
        return Refusal(Reason.METHOD_NOT_ALLOWED, f"{head.method} is not relayed")
    if not head.target.startswith("/") and not (head.method == "OPTIONS" and head.target == "*"):
        return Refusal(
            Reason.BAD_REQUEST, "the request target is not a path; this is no forward proxy"
        )
    if "#" in head.target:
        # RFC 9112 §3.2: a fragment is never sent. Some would take it for the end of the path.
        return Refusal(Reason.BAD_REQUEST, "the request target has a fragment")
    if head.removed & UNREMOVABLE:
        return Refusal(Reason.BAD_REQUEST, "the Connection header names one that it must not")
    if head.transfer_encodings and (
        head.transfer_encodings != _CHUNKED
        or head.minor_version == 0
        or head.content_length is not None
    ):
        return Refusal(
            Reason.BAD_REQUEST,
            "Transfer-Encoding must be exactly 'chunked', without Content-Length, in HTTP/1.1",
        )
    if head.expect is not None and head.expect.lower() != b"100-continue":
        return Refusal(Reason.EXPECTATION_FAILED, "only 'Expect: 100-continue' is understood")
    return None


def _admit(head: RequestHead, tokens: tuple[bytes, ...]) -> Refusal | None:
    admitted = auth.admit(head.credentials, head.sidecar_token, tokens)
    if isinstance(admitted, Refusal):
        return admitted
    if admitted.spent is not None:
        head.spend(*admitted.spent)
    return None


def _route(exchange: Exchange, desk: Desk) -> Refusal | None:
    head, router = exchange.head, exchange.plan.router
    mark = keys.UNMARKED
    if head.credentials or head.has_anthropic_version or head.query:
        mark = keys.read_mark(head.credentials, head.query, head.has_anthropic_version)
    asked = Asked(head.method, head.target, mark)
    if router.wants_headers:
        asked = asked._replace(headers=head.lower_case())
    if router.wants_model:
        model = model_asked(head.path, exchange.body, exchange.is_replayable)
        asked = asked._replace(model=model)
    routed = router.route(asked)
    if isinstance(routed, Routed):
        target = exchange.plan.targets[routed.upstream]
        if target.has_base_path and paths.climbs(routed.target):
            return Refusal(Reason.BAD_REQUEST, "the path leads out of the upstream's base path")
        if target.refuses_signed and any(v.startswith(_SIGNED) for _, v in head.credentials):
            return Refusal(Reason.BAD_REQUEST, _WHY_NOT_SIGNED)
        exchange.target = target
        if target.dialect != "generic":
            exchange.operation = operation_of(head.method, head.path)
        exchange.route = routed.route
        exchange.upstream_target = routed.target
        desk.begin(exchange)
        return None
    return routed


def _too_large(exchange: Exchange, size_bytes: int) -> Refusal | None:
    limit = exchange.plan.max_request_body_bytes
    if limit is None or size_bytes <= limit:
        return None
    return Refusal(
        Reason.REQUEST_TOO_LARGE,
        f"the request body is larger than listen.max_request_body ({limit} bytes)",
    )


async def _read_body(exchange: Exchange, desk: Desk) -> Refusal | None:
    head, body = exchange.head, exchange.inbound.body
    if head.framing is Framing.NONE:
        exchange.is_body_read = exchange.is_replayable = True
        return None
    limit = exchange.plan.replay_limit_bytes
    if body.is_whole:
        # The usual case: head and body came in one read, and no task has to wait.
        exchange.body = body.take()
        exchange.is_body_read = True
    elif (head.content_length or 0) <= limit or exchange.plan.router.wants_model:
        try:
            await _fill(exchange, min(limit, exchange.plan.max_request_body_bytes or limit))
        except BodyError as error:
            return Refusal(error.reason, str(error))
        exchange.ready_at = desk.now()
    exchange.request_bytes = len(exchange.body)
    exchange.is_replayable = exchange.is_body_read
    return _too_large(exchange, exchange.request_bytes)


async def _fill(exchange: Exchange, limit_bytes: int) -> None:
    """Read until the body is whole or longer than the limit."""
    body = exchange.inbound.body
    pieces: list[bytes] = []
    while exchange.request_bytes <= limit_bytes:
        exchange.is_body_read = body.is_whole
        piece = body.take() if exchange.is_body_read else await body.more()
        pieces.append(piece)
        # What the caller has sent so far counts, should it leave before the end.
        exchange.request_bytes += len(piece)
        if exchange.is_body_read or not piece:
            exchange.is_body_read = True
            break
    exchange.body = b"".join(pieces)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
