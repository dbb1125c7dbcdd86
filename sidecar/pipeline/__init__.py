"""A request's life, one verb a file, in listing order: accept, assign, attempt, relay, settle.

`handle` tells the whole story. It has no hooks and no middlewares: whoever wants to know what
happens to a request, and in which order, reads it from top to bottom.
"""

from __future__ import annotations

import asyncio

from sidecar.core.outcome import Reason
from sidecar.pipeline.accept import accept
from sidecar.pipeline.answer import answer, answer_failure
from sidecar.pipeline.assign import assign
from sidecar.pipeline.attempt import attempt
from sidecar.pipeline.exchange import Exchange, Inbound
from sidecar.pipeline.graph import Plan
from sidecar.pipeline.ports import Client, Desk
from sidecar.pipeline.settle import settle

__all__ = ["Exchange", "Inbound", "Plan", "handle"]


async def handle(inbound: Inbound, client: Client, plan: Plan, desk: Desk) -> None:
    """One request's life, from its parsed head to its one outcome.

    A caller who leaves cancels this task: the exchange is settled all the same, and the
    cancellation goes on to whoever runs the connection.
    """
    exchange = Exchange(inbound, client, plan, desk)
    try:
        refusal = await accept(exchange, desk)
        if refusal is None:
            for target in assign(exchange):
                refusal = await attempt(exchange, target, desk)
        if refusal is not None:
            answer(exchange, refusal, desk)
        if not client.is_flushed:
            await client.flushed()
    except asyncio.CancelledError:
        if client.has_stalled:
            exchange.fail(Reason.CLIENT_WRITE_STALL)
        elif not exchange.is_delivered:
            exchange.fail(Reason.CLIENT_LEFT)
        raise
    except Exception:
        answer_failure(exchange, desk)
        raise
    finally:
        settle(exchange, desk)
