"""What spans are made of: a Record, and what only a span says.

Knows: which marks and headers of a finished exchange belong into its spans.
Must not know: how a span is encoded or sent. Made in the event loop, of sampled exchanges only: a
handful of references, so that the exchange itself, with its bodies, can go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sidecar.core.heads import UNREADABLE
from sidecar.core.origin import BadUrlError, split_authority
from sidecar.core.records import Record
from sidecar.core.trace import Trace
from sidecar.dialects.asked import Value, parameters
from sidecar.dialects.words import input_messages, output_messages
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.summary import keyless

_MAX_STATE_BYTES: Final = 512
_MAX_AGENT_CHARACTERS: Final = 256
_MAX_HOST_BYTES: Final = 256


class Traced(NamedTuple):
    """All moments are Unix seconds; None where the thing did not happen."""

    record: Record
    trace: Trace
    trace_state: str
    """The caller's, as it came."""
    began_at: float
    ended_at: float
    attempts_at: tuple[float, ...]
    """When each attempt began."""
    received_at: float | None
    connected_at: float | None
    """This and those that follow: of the last attempt."""
    sent_at: float | None
    answered_at: float | None
    first_event_at: float | None
    first_token_at: float | None
    first_answer_at: float | None
    last_token_at: float | None
    parameters: Mapping[str, Value]
    family: str | None
    """Whose words the answer is written in."""
    user_agent: str | None
    version: str
    """Of the caller's HTTP."""
    host: tuple[str, int | None] | None = None
    """By which name and port the caller came here."""
    content: tuple[tuple[str, str], ...] = ()
    """Prompts and answers, where they are to be told: (attribute, JSON)."""


def traced_of(exchange: Exchange, record: Record, trace: Trace, wall_offset_s: float) -> Traced:
    """`wall_offset_s`: Unix time less monotonic time."""
    head, meter, operation = exchange.head, exchange.meter, exchange.operation

    def wall(moment: float | None) -> float | None:
        return None if moment is None else moment + wall_offset_s

    agent = head.value_of(b"user-agent")
    return Traced(
        record,
        trace,
        _state(exchange, trace),
        exchange.t0 + wall_offset_s,
        exchange.ended_at + wall_offset_s,
        tuple([moment + wall_offset_s for moment in exchange.attempt_starts]),
        wall(exchange.received_at),
        wall(exchange.connected_at),
        wall(exchange.sent_at),
        wall(exchange.answered_at),
        wall(None if meter is None else meter.first_event_at),
        wall(None if meter is None else meter.first_token_at),
        wall(None if meter is None else meter.first_answer_at),
        wall(None if meter is None else meter.last_token_at),
        {}
        if operation is None or not exchange.is_replayable
        else parameters(exchange.body, operation.name, record.provider),
        None if operation is None else operation.family,
        None if agent is None else agent.decode("latin-1")[:_MAX_AGENT_CHARACTERS],
        "" if head is UNREADABLE else f"1.{head.minor_version}",
        _host(head.host),
        _content(exchange),
    )


def _host(host: bytes | None) -> tuple[str, int | None] | None:
    """Of a request that was served it is one of `listen.allowed_hosts`, or any."""
    if host is None or len(host) > _MAX_HOST_BYTES:
        return None
    try:
        return split_authority(host.decode("ascii"))
    except (BadUrlError, UnicodeDecodeError):
        return None


def _content(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    """Nothing, unless the configuration asks for it."""
    limit_bytes = exchange.plan.captures_bytes
    if limit_bytes is None or exchange.operation is None:
        return ()
    asked = input_messages(exchange.body, limit_bytes) if exchange.is_replayable else None
    words = exchange.words
    answered = None if words is None else output_messages(words, limit_bytes)
    told = (("gen_ai.input.messages", asked), ("gen_ai.output.messages", answered))
    return tuple([(key, keyless(exchange, text)) for key, text in told if text is not None])


def _state(exchange: Exchange, trace: Trace) -> str:
    if trace.parent is None:
        return ""
    state = exchange.head.value_of(b"tracestate")
    if state is None or len(state) > _MAX_STATE_BYTES or not state.isascii():
        return ""
    return state.decode()
