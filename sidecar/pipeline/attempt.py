"""Send to one target and have its answer relayed.

Knows: the order of connect, send, relay; the timers of an attempt; when a dead pooled connection
may be replaced by a new one; and how a failure is shown: an answer of ours while nothing was sent
to the caller, a visible cut after that.
Must not know: sockets. The wire it takes is ended exactly once, however the attempt ends.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sidecar.core.outcome import MEANING, Outcome, Reason, Refusal, reason_of_status
from sidecar.core.records import Attempt
from sidecar.core.units import milliseconds
from sidecar.dialects import ask
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.graph import Target
from sidecar.pipeline.ports import Desk, Wire
from sidecar.pipeline.relay import Relay
from sidecar.pipeline.tunnel import carry
from sidecar.pipeline.upload import framed_whole, stream_up
from sidecar.pipeline.watch import Watch
from sidecar.policies.resend import Loss, is_effect_free, may_resend
from sidecar.policies.sampling import FORWARD
from sidecar.policies.timeouts import Rule, lowered

_WORDS: Final = {
    Reason.DNS_FAILED: "the name of upstream '{0}' could not be resolved",
    Reason.CONNECT_FAILED: "no connection to upstream '{0}'; is its `url` right and reachable?",
    Reason.TLS_FAILED: "the TLS handshake with upstream '{0}' failed; see its `tls` settings",
    Reason.UPSTREAM_RESET: "upstream '{0}' closed the connection before it answered",
    Reason.BAD_UPSTREAM_RESPONSE: "upstream '{0}' answered with something that is not HTTP/1.1",
    Reason.BAD_REQUEST: "the request body breaks its own framing; '{0}' never saw it whole",
    Reason.CLIENT_TIMEOUT: "the request body did not come on within listen.timeouts.body",
    Reason.REQUEST_TOO_LARGE: "the request body is larger than listen.max_request_body",
    Reason.FIRST_BYTE_TIMEOUT: "upstream '{0}' did not answer within `timeouts.first_byte`",
    Reason.DEADLINE_EXCEEDED: "upstream '{0}' did not finish in time (`timeouts.total`, or the"
    " caller's x-sidecar-timeout-ms)",
}


async def attempt(exchange: Exchange, target: Target, desk: Desk) -> Refusal | None:
    """None once the answer is relayed (or visibly cut); a Refusal if nothing was sent yet."""
    head = exchange.head
    limits = lowered(target.timeouts, head.read_timeout, head.timeout_ms)
    exchange.is_callers_deadline = limits.is_callers_total
    rule = limits.rule
    exchange.received_at = exchange.ready_at
    must_be_new = False
    while True:
        began = desk.now()
        if must_be_new:
            exchange.attempted_at = began
        left_s = None if rule.total_s is None else exchange.t0 + rule.total_s - began
        wire = await target.upstream.connect(must_be_new, left_s)
        if isinstance(wire, Reason):
            if left_s is not None and desk.now() - began >= left_s:
                wire = Reason.DEADLINE_EXCEEDED
            _note(exchange, target, wire, began, desk.now())
            return _refusal(target, wire)
        connect_wait_s = 0.0 if wire.is_reused else desk.now() - began
        exchange.ready_at += connect_wait_s
        exchange.connected_at = began + connect_wait_s
        exchange.connection = "reused" if wire.is_reused else "new"
        relay = Relay(exchange, desk)
        try:
            reason = await _exchange_with(exchange, target, wire, relay, rule, desk)
        except asyncio.CancelledError:
            left = None if exchange.is_delivered else Reason.CLIENT_LEFT
            left = exchange.reason or left
            if exchange.client.has_stalled:
                left = Reason.CLIENT_WRITE_STALL
            _note(exchange, target, left, began, desk.now())
            raise
        _note(exchange, target, reason, began, desk.now())
        if reason is None:
            return None
        if relay.has_begun:
            exchange.fail(reason)
            if not relay.is_whole:
                relay.let_go()
                exchange.client.cut(relay.must_reset)
            return None
        if must_be_new or not _was_already_dead(exchange, wire, desk):
            return _refusal(target, reason)
        must_be_new = True


async def _exchange_with(
    exchange: Exchange, target: Target, wire: Wire, relay: Relay, rule: Rule, desk: Desk
) -> Reason | None:
    """None if the whole response was relayed, else why not. Ends the wire."""
    client = exchange.client
    head = exchange.head
    watch = Watch(rule, exchange.t0, wire)
    desk.watches.add(watch)
    upload: asyncio.Task[None] | None = None
    try:
        ending = wire.receive(relay, head.method == "HEAD", head.wants_websocket)
        client.follow(wire)
        body = _body_for(exchange, target)
        own = None if target.propagate == FORWARD else desk.own_trace(exchange, target.propagate)
        message = target.upstream.head(head, exchange.upstream_target, own)
        if exchange.is_replayable:
            wire.send(message + framed_whole(exchange, body))
            wire.mark_sent()
            exchange.sent_at = wire.sent_at
            exchange.overhead_s = desk.now() - exchange.ready_at
            desk.overhead_request.add(exchange.overhead_s)
            if head.wants_websocket:
                relay.switched = asyncio.Event()
                upload = asyncio.create_task(carry(exchange, wire, relay.switched), name="tunnel")
        else:
            wire.send(message)
            upload = asyncio.create_task(stream_up(exchange, wire), name="upload")
        reason = await ending
    except asyncio.CancelledError:
        exchange.is_delivered = relay.is_delivered
        failure = relay.failure
        # Who leaves because of an error that the stream told has not broken it off.
        if failure is Reason.IN_STREAM_ERROR or (relay.is_whole and failure is not None):
            exchange.fail(failure)
        # With a request that is not whole the next one on this connection would be its rest.
        if exchange.is_delivered and wire.sent_at is not None:
            wire.linger()
        else:
            wire.drop()
            if relay.must_reset:
                # It may be us who end it. To this caller a plain end would be a good one.
                client.cut(must_reset=True)
        raise
    except BaseException:
        wire.drop()
        raise
    finally:
        client.follow(None)
        desk.watches.discard(watch)
        exchange.sent_at = wire.sent_at
        exchange.blocked_s += wire.held_s
        if upload is not None:
            upload.cancel()
    if reason is None and wire.sent_at is not None:
        wire.give_back()
    else:
        wire.drop()
    if reason is None or relay.failure is Reason.IN_STREAM_ERROR:
        return relay.failure
    return reason


def _body_for(exchange: Exchange, target: Target) -> bytes:
    """The caller's body; where this target is to be asked for usage, with one member more."""
    asked, operation = None, exchange.operation
    if target.asks_usage and exchange.is_replayable and operation is not None:
        asked = ask.with_usage(exchange.body) if operation.family in ask.FAMILIES else None
    body = exchange.body if asked is None else asked
    if asked is not None or exchange.asks_usage:
        exchange.head.resize(len(body))
    exchange.asks_usage = asked is not None
    return body


def _was_already_dead(exchange: Exchange, wire: Wire, desk: Desk) -> bool:
    """True where the pooled connection had died before the request came."""
    if wire.sent_at is None:
        return False
    loss = Loss(wire.is_reused, wire.bytes_received, desk.now() - wire.sent_at, wire.connect_s)
    head = exchange.head
    return may_resend(
        loss,
        is_repeatable=is_effect_free(head.method, head.path),
        is_replayable=exchange.is_replayable,
    )


def _note(
    exchange: Exchange, target: Target, reason: Reason | None, began: float, ended: float
) -> None:
    status = exchange.upstream_status
    if reason is None and status is not None:
        reason = reason_of_status(status)
    word = None if reason is None else reason.value
    exchange.attempts.append(Attempt(target.name, word, status, milliseconds(ended - began)))
    exchange.attempt_starts.append(began)


def _refusal(target: Target, reason: Reason) -> Refusal:
    words = _WORDS.get(reason)
    if words is None:
        # The connection was cut, or fell silent, before a whole head had come.
        is_silent = MEANING[reason].outcome is Outcome.TIMEOUT
        reason = Reason.FIRST_BYTE_TIMEOUT if is_silent else Reason.UPSTREAM_RESET
        words = _WORDS[reason]
    return Refusal(reason, words.format(target.name))
