"""The Record of an exchange: made once, at its end.

Knows: what of marks, facts and counts becomes which field.
Must not know: who reads it. What could not be known is None.
"""

from __future__ import annotations

from sidecar.core.facts import Facts
from sidecar.core.heads import UNREADABLE
from sidecar.core.outcome import MEANING, Fault, Outcome, Reason, reason_of_status
from sidecar.core.records import ErrorTold, Phases, Record, TokenCounts
from sidecar.dialects.model import model_asked
from sidecar.metering.meter import Meter
from sidecar.metering.phases import Marks, phases_s
from sidecar.metering.tokens import Tokens, alike, rate_per_s
from sidecar.pipeline.exchange import Exchange, shown_path

_MAX_MESSAGE: int = 256


def record_of(exchange: Exchange, now: float, started_at: str) -> Record:
    """The finished exchange; `now` is its end."""
    outcome, fault, reason = _verdict(exchange)
    target, head, answer = exchange.target, exchange.head, exchange.answer_head
    meter, t0 = exchange.meter, exchange.t0
    facts = None if meter is None else meter.facts
    stream = meter if exchange.is_streamed else None
    tokens = None
    if facts is not None and facts.usage is not None:
        tokens = alike(facts.usage, _family(exchange))
    return Record(
        request_id=exchange.request_id,
        upstream_request_id=None if answer is None else _latin(answer.request_id),
        response_id=None if facts is None else facts.response_id,
        started_at=started_at,
        upstream=target.name if target else None,
        route=exchange.route,
        dialect=target.dialect if target else None,
        provider=target.provider if target else None,
        operation=exchange.operation,
        method=None if head is UNREADABLE else head.method,
        path=shown_path(head),
        request_model=_model(exchange),
        response_model=None if facts is None else facts.model,
        service_tier=None if facts is None else facts.service_tier,
        stream=exchange.is_streamed,
        status=exchange.status,
        upstream_status=exchange.upstream_status,
        outcome=outcome.value,
        fault=None if fault is None else fault.value,
        reason=None if reason is None else reason.value,
        finish_reasons=() if facts is None else tuple(facts.finish_reasons),
        attempts=tuple(exchange.attempts),
        connection=exchange.connection,
        usage=_counts(tokens),
        usage_source=None if tokens is None else "reported",
        output_events=None if stream is None else stream.output_events,
        phases_ms=_phases(exchange, now),
        headers_ms=_since(t0, exchange.answered_at),
        first_event_ms=None if stream is None else _since(t0, stream.first_event_at),
        ttft_ms=None if stream is None else _since(t0, stream.first_token_at),
        ttfa_ms=None if stream is None else _since(t0, stream.first_answer_at),
        duration_ms=_ms(now - t0),
        longest_gap_ms=_longest_gap(stream),
        client_blocked_ms=_ms(exchange.blocked_s),
        provider_processing_ms=None if answer is None else _number(answer.processing_ms),
        overhead_ms=_ms(exchange.overhead_s) if exchange.answered_at is not None else None,
        output_tokens_per_s=_rate(stream, tokens),
        error=_error(facts),
        request_bytes=exchange.request_bytes,
        response_bytes=exchange.response_bytes,
        config_hash=exchange.plan.hash,
    )


def _verdict(exchange: Exchange) -> tuple[Outcome, Fault | None, Reason | None]:
    reason = exchange.reason
    if reason is None and exchange.upstream_status is not None:
        reason = reason_of_status(exchange.upstream_status)
    if reason is None:
        return Outcome.OK, None, None
    meaning = MEANING[reason]
    if reason is Reason.DEADLINE_EXCEEDED and exchange.is_callers_deadline:
        return meaning.outcome, Fault.CALLER, reason
    return meaning.outcome, meaning.fault, reason


def _model(exchange: Exchange) -> str | None:
    if exchange.operation is None:
        return None
    return model_asked(exchange.head.path, exchange.body, exchange.is_replayable)


def _family(exchange: Exchange) -> str:
    """In whose way tokens are counted."""
    path = exchange.head.path
    if "/messages" in path or "/publishers/anthropic/" in path:
        return "anthropic"
    if ":generateContent" in path or ":streamGenerateContent" in path:
        return "gemini"
    return "bedrock" if "/converse" in path else "openai"


def _counts(tokens: Tokens | None) -> TokenCounts | None:
    if tokens is None:
        return None
    return TokenCounts(
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_tokens,
        tokens.cache_write_tokens,
        tokens.reasoning_tokens,
    )


def _phases(exchange: Exchange, now: float) -> Phases | None:
    if exchange.target is None:
        return None
    meter = exchange.meter
    marks = Marks(
        exchange.t0,
        received_at=exchange.received_at,
        attempted_at=exchange.attempted_at,
        connected_at=exchange.connected_at,
        sent_at=exchange.sent_at,
        headers_at=exchange.answered_at,
        is_stream=bool(exchange.is_streamed),
    )
    if meter is not None and exchange.is_streamed:
        marks.first_token_at = meter.first_token_at
        marks.first_answer_at = meter.first_answer_at
        marks.last_token_at = meter.last_token_at if meter.first_answer_at is not None else None
    return Phases(*[_ms(spent) if spent else 0.0 for spent in phases_s(marks, now)])


def _longest_gap(stream: Meter | None) -> float | None:
    if stream is None or stream.longest_gap_s is None:
        return None
    return _ms(stream.longest_gap_s)


def _rate(stream: Meter | None, tokens: Tokens | None) -> float | None:
    if stream is None or tokens is None:
        return None
    rate = rate_per_s(
        tokens,
        stream.first_token_at,
        stream.last_token_at,
        stream.output_events,
        stream.reasoning_events,
    )
    return None if rate is None else round(rate, 3)


def _error(facts: Facts | None) -> ErrorTold | None:
    if facts is None or facts.error is None:
        return None
    error = facts.error
    message = error.message
    if message is not None and len(message) > _MAX_MESSAGE:
        message = message[: _MAX_MESSAGE - 1] + "\u2026"
    return ErrorTold(error.type, error.code, message)


def _number(text: bytes | None) -> float | None:
    """Milliseconds in a header; whatever else stands there is not known."""
    if text is None or len(text) > 12 or not text.replace(b".", b"", 1).isdigit():
        return None
    return float(text)


def _latin(text: bytes | None) -> str | None:
    if text is None or not 1 <= len(text) <= 128 or not all(32 < byte < 127 for byte in text):
        return None
    return text.decode()


def _since(t0: float, moment: float | None) -> float | None:
    return None if moment is None else _ms(moment - t0)


def _ms(seconds: float) -> float:
    """Milliseconds with three places. (`round` takes three times as long.)"""
    return int(seconds * 1e6 + 0.5) / 1e3
