"""Our own answers, in the caller's own dialect.

Knows: how a Refusal becomes a whole HTTP response.
Must not know: why; the Refusal says that. Never used once a byte of an upstream's answer went out:
then only a visible cut is honest.
"""

from __future__ import annotations

from http import HTTPStatus

from sidecar.core.framing import Framing
from sidecar.core.heads import UNREADABLE
from sidecar.core.outcome import Reason, Refusal
from sidecar.dialects.replies import dialect_of_path, error_body, error_headers
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.ports import Desk
from sidecar.pipeline.reveal import revealed

_RETRYABLE = frozenset({408, 502, 503, 504})
_INTERNAL = Refusal(Reason.INTERNAL_ERROR, "the sidecar failed; its log says how")


def answer(exchange: Exchange, refusal: Refusal, desk: Desk) -> None:
    """Write the whole reply and note it; the connection stays only if the body was consumed."""
    exchange.fail(refusal.reason)
    if exchange.status is not None:
        return
    status = exchange.status = refusal.status
    head = exchange.head
    dialect = exchange.target.dialect if exchange.target else "auto"
    if dialect in ("auto", "generic"):
        dialect = dialect_of_path(head.path)
    body = error_body(
        dialect,
        status,
        refusal.reason.value,
        refusal.message,
        {
            "code": refusal.reason.value,
            "request_id": exchange.request_id,
            "timestamp": desk.started_at(desk.now()),
            "upstream": exchange.upstream,
            "retryable": status in _RETRYABLE,
            "consecutive_errors": None,
            "attempts": exchange.attempts,
        },
    )
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"x-sidecar-error: {refusal.reason.value}",
        *(f"{name}: {value}" for name, value in error_headers(dialect, status)),
    ]
    if status == 401:
        lines.append("www-authenticate: Bearer")  # RFC 9110 §15.5.2 asks for it
    if refusal.retry_after_s is not None:
        lines.append(f"retry-after: {refusal.retry_after_s}")
    plan = exchange.plan
    if plan.reveals_id or plan.reveals_timing:
        lines += revealed(exchange, desk.now()).decode("latin-1").splitlines()
    is_consumed = exchange.is_body_read or head.framing is Framing.NONE
    if not is_consumed or head is UNREADABLE or exchange.client.will_close:
        exchange.client.will_close = True
        lines.append("connection: close")
    if head.method == "HEAD":
        body = b""
    exchange.response_bytes = len(body)
    exchange.client.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def answer_failure(exchange: Exchange, desk: Desk) -> None:
    """Something of ours broke: a plain 500 if nothing was sent yet, else a visible cut."""
    if exchange.status is None:
        answer(exchange, _INTERNAL, desk)
    else:
        exchange.fail(Reason.INTERNAL_ERROR)
        exchange.client.cut(must_reset=False)
