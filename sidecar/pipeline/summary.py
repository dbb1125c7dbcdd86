"""The Record of an exchange: made once, at its end.

Knows: what of marks, facts and counts becomes which field.
Must not know: who reads it. What could not be known is None.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from sidecar.core.facts import Facts, ProviderError
from sidecar.core.heads import UNREADABLE
from sidecar.core.outcome import MEANING, Fault, Outcome, Reason, reason_of_status
from sidecar.core.records import ErrorTold, Phases, Record, Tokens
from sidecar.core.units import milliseconds
from sidecar.dialects.choose import Recipe
from sidecar.dialects.model import model_asked
from sidecar.dialects.operations import FETCH_RESPONSE
from sidecar.dialects.whole import MAX_BODY_BYTES, read_whole
from sidecar.dialects.words import Words
from sidecar.metering.errors import class_of
from sidecar.metering.estimate import Ratios
from sidecar.metering.meter import Meter
from sidecar.metering.phases import Marks, phases_ms
from sidecar.metering.prices import cost_usd
from sidecar.metering.tokens import alike, rate_per_s
from sidecar.pipeline.exchange import Exchange, shown_path, visible
from sidecar.policies.redact import without_keys

MAX_TEXT: Final = 256
MAX_SCANNED_BYTES: Final = 64 * 1024
"""Of a body whose end is missing, for the name of its model: more would hold up streams."""
NO_FACTS: Final = Facts()
"""Of an answer that nobody read."""

_NO_WORDS: Final = frozenset({"openai-audio", "openai-images"})
"""Families whose events are sound and pictures: they are no tokens."""
_UNTOLD: Final = frozenset({"upstream_4xx", "upstream_429", "upstream_5xx"})
"""Errors all the same where their body says nothing that is understood."""
_BROKEN_OFF: Final = frozenset({"connect_failed", "truncated"})
_OK: Final = (Outcome.OK.value, None, None)
_WORDS: Final[dict[Reason, tuple[str, str | None, str | None]]] = {
    reason: (meaning.outcome.value, meaning.fault.value, reason.value)
    for reason, meaning in MEANING.items()
}


def record_of(
    exchange: Exchange, started_at: str, ratios: Ratios, labels: dict[str, str] | None = None
) -> Record:
    """The finished exchange, in words and figures. `ratios` learn from it, or help it out."""
    read_kept(exchange)
    head, t0, now = exchange.head, exchange.t0, exchange.ended_at
    outcome, fault, reason = _verdict(exchange)
    trace = exchange.trace
    operation, target, answer = exchange.operation, exchange.target, exchange.answer_head
    facts = exchange.facts or NO_FACTS
    asked = None if operation is None else _model(exchange)
    tokens = _tokens(exchange, facts)
    source = None if tokens is None else "reported"
    if (stream := exchange.meter) is not None and stream.output_events:
        tokens, source = _estimated(exchange, stream, tokens, (facts.model or asked or ""), ratios)
    record = Record(
        request_id=exchange.request_id,
        upstream_request_id=None if answer is None else visible(answer.request_id),
        response_id=_short(facts.response_id),
        trace_id=None if trace is None else trace.trace_id,
        span_id=None if trace is None else trace.span_id,
        started_at=started_at,
        upstream=None if target is None else target.name,
        route=exchange.route,
        dialect=None if target is None else target.dialect,
        provider=None if target is None else target.provider,
        operation=None if operation is None else operation.name,
        method=None if head is UNREADABLE else head.method,
        path=shown_path(head),
        request_model=asked,
        response_model=_short(facts.model),
        service_tier=_short(facts.service_tier),
        stream=exchange.is_streamed,
        status=exchange.status,
        upstream_status=exchange.upstream_status,
        outcome=outcome,
        fault=fault,
        reason=reason,
        finish_reasons=tuple([reason[:MAX_TEXT] for reason in facts.finish_reasons]),
        attempts=tuple(exchange.attempts),
        connection=exchange.connection,
        usage=tokens,
        usage_source=source,
        phases_ms=None if target is None else _phases(exchange, now),
        headers_ms=_since(t0, exchange.answered_at),
        duration_ms=milliseconds(now - t0),
        client_blocked_ms=milliseconds(exchange.blocked_s) if exchange.blocked_s else 0.0,
        provider_processing_ms=None if answer is None else number(answer.processing_ms),
        overhead_ms=None if exchange.answered_at is None else milliseconds(exchange.overhead_s),
        cost_usd=None if tokens is None else _cost(exchange, facts, asked, tokens),
        error=_error(exchange, facts.error, outcome),
        request_bytes=exchange.request_bytes,
        response_bytes=exchange.response_bytes,
        config_hash=exchange.plan.hash,
        labels=labels,
    )
    return record if exchange.meter is None else _with_times(record, exchange.meter, t0)


def read_kept(exchange: Exchange) -> None:
    """Read a body that is no stream, and is over; nothing if that is done. Never raises."""
    recipe, kept = exchange.recipe, exchange.kept
    if kept is None or recipe is None:
        return
    try:
        facts = _facts_of(recipe, kept)
        if exchange.response_bytes > MAX_BODY_BYTES:
            facts.skip("body_too_large")
    except Exception:
        # Nothing of what it said is trusted.
        facts = Facts(is_lost=True)
        facts.skip("reader_failed")
    exchange.kept, exchange.body_facts = None, facts
    if (limit_bytes := exchange.plan.captures_bytes) is not None:
        _take_words(exchange, recipe, kept, limit_bytes)
    status = exchange.upstream_status
    if facts.error is None or status is None or status >= 400:
        return
    if exchange.reason is None:
        # An error where the status promised success.
        exchange.fail(Reason.IN_STREAM_ERROR)
        told = msgspec.structs.replace(exchange.attempts[-1], reason=Reason.IN_STREAM_ERROR.value)
        exchange.attempts[-1] = told


def _take_words(exchange: Exchange, recipe: Recipe, kept: list[bytes], limit_bytes: int) -> None:
    words = Words(limit_bytes)
    with suppress(Exception):  # what was said is not worth what was measured
        _facts_of(recipe._replace(interpret=lambda: words), kept)
        exchange.words = words


def _facts_of(recipe: Recipe, kept: list[bytes]) -> Facts:
    if recipe.coding is None:
        interpreter = recipe.interpret()
        read_whole(interpreter, b"".join(kept))
        return interpreter.facts
    reader, facts = recipe.make()
    for piece in kept:
        reader.feed(piece)
    reader.end()
    return facts


def bare_record_of(exchange: Exchange, started_at: str) -> Record:
    """What is certain without measuring anything."""
    outcome, fault, reason = _verdict(exchange)
    target = exchange.target
    return Record(
        request_id=exchange.request_id,
        started_at=started_at,
        upstream=None if target is None else target.name,
        route=exchange.route,
        dialect=None,
        provider=None,
        operation=None,
        method=None,
        path=None,
        status=exchange.status,
        upstream_status=exchange.upstream_status,
        outcome=outcome,
        fault=fault,
        reason=reason,
        attempts=tuple(exchange.attempts),
        connection=exchange.connection,
        headers_ms=None,
        duration_ms=milliseconds(max(exchange.ended_at - exchange.t0, 0.0)),
        request_bytes=exchange.request_bytes,
        response_bytes=exchange.response_bytes,
        config_hash=exchange.plan.hash,
    )


def _with_times(record: Record, meter: Meter, t0: float) -> Record:
    """What only a stream has."""
    rate = None
    if record.usage is not None:
        rate = rate_per_s(
            record.usage,
            meter.first_token_at,
            meter.last_token_at,
            meter.output_events,
            meter.has_reasoned,
        )
    gap_s = meter.longest_gap_s
    return msgspec.structs.replace(
        record,
        output_events=meter.output_events,
        first_event_ms=_since(t0, meter.first_event_at),
        ttft_ms=_since(t0, meter.first_token_at),
        ttfa_ms=_since(t0, meter.first_answer_at),
        longest_gap_ms=None if gap_s is None else milliseconds(gap_s),
        output_tokens_per_s=None if rate is None else round(rate, 3),
    )


def _verdict(exchange: Exchange) -> tuple[str, str | None, str | None]:
    """(outcome, fault, reason), in words."""
    reason = exchange.reason
    if reason is None:
        status = exchange.upstream_status
        if status is None or (reason := reason_of_status(status)) is None:
            return _OK
    words = _WORDS[reason]
    if reason is Reason.DEADLINE_EXCEEDED and exchange.is_callers_deadline:
        return words[0], Fault.CALLER.value, words[2]
    return words


def _model(exchange: Exchange) -> str | None:
    body = exchange.body if exchange.is_replayable else exchange.body[:MAX_SCANNED_BYTES]
    return _short(model_asked(exchange.head.path, body, exchange.is_replayable))


def _tokens(exchange: Exchange, facts: Facts) -> Tokens | None:
    operation = exchange.operation
    if facts.usage is None or operation is None:
        return None
    return alike(facts.usage, operation.family)


def _estimated(
    exchange: Exchange, stream: Meter, told: Tokens | None, model: str, ratios: Ratios
) -> tuple[Tokens | None, str | None]:
    """(tokens, where they are from): what was not told of a stream of words is estimated."""
    if told is not None and told.input_tokens == 0 == told.output_tokens:
        # Something was generated: nobody counted (seen at Responses that broke off).
        told = None
    target, operation = exchange.target, exchange.operation
    if target is None or operation is None or operation.family in _NO_WORDS:
        return told, None if told is None else "reported"
    key, sizes = (target.name, model), (stream.output_events, exchange.request_bytes)
    filled = ratios.fill_in(key, told or Tokens(), *sizes)
    if filled is not None:
        return filled, "estimated"
    if told is not None:
        ratios.learn(key, told, *sizes)
    return told, "reported"


def _cost(exchange: Exchange, facts: Facts, asked: str | None, tokens: Tokens) -> float | None:
    book, target = exchange.plan.prices, exchange.target
    if book is None or target is None or exchange.operation is FETCH_RESPONSE:
        # A stored answer was paid for when it was made.
        return None
    price = book.price_of(target.provider, facts.model, asked)
    if price is None:
        return None
    cost = cost_usd(tokens, price, facts.service_tier)
    return None if cost is None else round(cost, 9)


def _phases(exchange: Exchange, now: float) -> Phases:
    meter = exchange.meter
    marks = Marks(
        exchange.t0,
        exchange.received_at,
        None,
        exchange.attempted_at,
        exchange.connected_at,
        exchange.sent_at,
        exchange.answered_at,
    )
    if meter is not None:
        marks.is_stream = True
        marks.first_token_at = meter.first_token_at
        marks.first_answer_at = meter.first_answer_at
        marks.last_token_at = meter.last_token_at if meter.first_answer_at is not None else None
    return phases_ms(marks, now)


def _error(exchange: Exchange, error: ProviderError | None, outcome: str) -> ErrorTold | None:
    status = exchange.upstream_status
    if error is not None:
        type_, code, message = [_told(exchange, said) for said in error.words]
        return ErrorTold(class_of(status, type_, code, message), type_, code, message)
    if outcome in _UNTOLD:
        return ErrorTold(class_of(status, None, None, None), None, None, None)
    return ErrorTold("network", None, None, None) if outcome in _BROKEN_OFF else None


def _told(exchange: Exchange, text: str | None) -> str | None:
    """In the provider's words, without any key: some repeat the one that they refuse."""
    return None if text is None else _short(keyless(exchange, text))


def keyless(exchange: Exchange, text: str) -> str:
    """A text of this exchange without any key that it had to do with."""
    head, target = exchange.head, exchange.target
    keys = [value.decode("latin-1") for _, value in head.credentials]
    keys += [value for _, value in parse_qsl(head.query)]
    return without_keys(text, (*keys, *(target.upstream.keys if target else ())))


def _short(text: str | None) -> str | None:
    """What a stranger wrote, in a length that can be kept."""
    if text is not None and len(text) > MAX_TEXT:
        return text[: MAX_TEXT - 1] + "\u2026"
    return text


def number(text: bytes | None) -> float | None:
    """A plain number in a header; whatever else stands there is not known."""
    if text is None or len(text) > 12 or not text.replace(b".", b"", 1).isdigit():
        return None
    return float(text)


def _since(t0: float, moment: float | None) -> float | None:
    return None if moment is None else milliseconds(moment - t0)
