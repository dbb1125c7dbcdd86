"""One exchange while it lives: a caller's request and its answer.

Knows: the marks, counts and names gathered on the way, and the one verdict at the end.
Must not know: who gathers them; every file of this folder writes its own part.
Why one mutable object: it has one owner, `handle`, from the head to the Record; the frozen Record
is what leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.core.heads import UNREADABLE, RequestHead
from sidecar.core.outcome import MEANING, Fault, Outcome, Reason, reason_of_status
from sidecar.core.records import Attempt, Record

if TYPE_CHECKING:
    from sidecar.pipeline.graph import Plan, Target
    from sidecar.pipeline.ports import Body, Client, Desk


class Inbound:
    """A parsed request head, its body to come, and the moment it was read (monotonic seconds).
    `head` is UNREADABLE where the bytes that came were no request."""

    __slots__ = ("body", "head", "read_at")

    def __init__(self, head: RequestHead, body: Body, read_at: float) -> None:
        self.head = head
        self.body = body
        self.read_at = read_at


class Exchange:
    """All times are monotonic seconds; unknown is None."""

    __slots__ = (
        "answered_at",
        "attempts",
        "body",
        "client",
        "connection",
        "head",
        "inbound",
        "is_begun",
        "is_body_read",
        "is_callers_deadline",
        "is_delivered",
        "is_replayable",
        "operation",
        "plan",
        "ready_at",
        "reason",
        "request_bytes",
        "request_id",
        "response_bytes",
        "route",
        "status",
        "t0",
        "target",
        "upstream_status",
        "upstream_target",
    )

    def __init__(self, inbound: Inbound, client: Client, plan: Plan, desk: Desk) -> None:
        self.inbound = inbound
        self.head = inbound.head
        self.client = client
        self.plan = plan
        """Pinned: a reload does not touch an exchange that has begun."""
        self.t0 = inbound.read_at
        self.request_id = _request_id(inbound.head) or desk.new_id()
        self.route: str | None = None
        self.target: Target | None = None
        self.upstream_target = ""
        """The raw target to send, after routing took its prefix off."""
        self.body = b""
        """The request body if it is held whole, else the first bytes of it."""
        self.is_body_read = False
        """The caller's whole body was taken from its connection."""
        self.is_replayable = False
        """`body` is the whole body, so the request can be sent again."""
        self.ready_at = inbound.read_at
        """The moment from which we could have sent: head and held body were in."""
        self.attempts: list[Attempt] = []
        self.connection: str | None = None
        self.operation: str | None = None
        self.is_callers_deadline = False
        """`total` was lowered by the caller, who is then to blame if it is passed."""
        self.status: int | None = None
        self.upstream_status: int | None = None
        self.answered_at: float | None = None
        """The final response head was parsed."""
        self.request_bytes = 0
        self.response_bytes = 0
        self.reason: Reason | None = None
        self.is_begun = False
        self.is_delivered = False
        """The caller has all it can want: the whole answer, or a stream's terminal event."""

    @property
    def upstream(self) -> str | None:
        """The route's first choice; None where no route was reached."""
        return self.target.name if self.target else None

    @property
    def state(self) -> str:
        """`waiting` until the answer's head is there, then `streaming`."""
        return "waiting" if self.answered_at is None else "streaming"

    def fail(self, reason: Reason) -> None:
        """Say why it did not end well. The first reason stands."""
        if self.reason is None:
            self.reason = reason

    def snapshot(self, now: float) -> dict[str, object]:
        """The row of `/streams`."""
        head = self.head
        return {
            "request_id": self.request_id,
            "upstream": self.upstream,
            "route": self.route,
            "operation": self.operation,
            "method": head.method,
            "path": _path(head),
            "phase": self.state,
            "age_ms": _ms(now - self.t0),
            "headers_ms": None if self.answered_at is None else _ms(self.answered_at - self.t0),
            "response_bytes": self.response_bytes,
        }

    def record(self, now: float, started_at: str) -> Record:
        """The finished exchange; `now` is its end."""
        reason = self.reason
        if reason is None and self.upstream_status is not None:
            reason = reason_of_status(self.upstream_status)
        outcome, fault = Outcome.OK, None
        if reason is not None:
            meaning = MEANING[reason]
            outcome, fault = meaning.outcome, meaning.fault
            if reason is Reason.DEADLINE_EXCEEDED and self.is_callers_deadline:
                fault = Fault.CALLER
        target, head = self.target, self.head
        return Record(
            request_id=self.request_id,
            started_at=started_at,
            upstream=target.name if target else None,
            route=self.route,
            dialect=target.dialect if target else None,
            provider=target.provider if target else None,
            operation=self.operation,
            method=None if head is UNREADABLE else head.method,
            path=_path(head),
            status=self.status,
            upstream_status=self.upstream_status,
            outcome=outcome.value,
            fault=_value(fault),
            reason=_value(reason),
            attempts=tuple(self.attempts),
            connection=self.connection,
            headers_ms=None if self.answered_at is None else _ms(self.answered_at - self.t0),
            duration_ms=_ms(now - self.t0),
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            config_hash=self.plan.hash,
        )


def _request_id(head: RequestHead) -> str | None:
    """The caller's own id, if it is 1-128 visible ASCII characters."""
    given = head.request_id
    if given is None or not 1 <= len(given) <= 128:
        return None
    return given.decode() if all(32 < byte < 127 for byte in given) else None


def _path(head: RequestHead) -> str | None:
    """The raw path. Other forms of a target may hold a user name and password: not told."""
    return head.path if head.path.startswith("/") else None


def _value(word: Fault | Reason | None) -> str | None:
    return None if word is None else word.value


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
