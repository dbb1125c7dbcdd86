"""One exchange while it lives: a caller's request and its answer.

Knows: the marks, counts and names gathered on the way, and the one verdict at the end.
Must not know: who gathers them; every file of this folder writes its own part.
Why one mutable object: it has one owner, `handle`, from the head to the Record; the frozen Record
is what leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.core.facts import Facts
from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason
from sidecar.core.records import Attempt
from sidecar.core.response_heads import ResponseHead
from sidecar.core.trace import Trace
from sidecar.core.units import milliseconds
from sidecar.dialects.choose import Recipe
from sidecar.dialects.operations import Operation
from sidecar.dialects.words import Words
from sidecar.metering.meter import Meter

if TYPE_CHECKING:
    from sidecar.pipeline.graph import Plan, Target
    from sidecar.pipeline.ports import Body, Client, Desk


class Inbound:
    """A parsed request head, its body to come, and the moment it was read (monotonic seconds).
    `head` is UNREADABLE where the bytes that came were no request."""

    __slots__ = ("body", "head", "read_at", "ready_at")

    def __init__(
        self, head: RequestHead, body: Body, read_at: float, ready_at: float | None = None
    ) -> None:
        self.head = head
        self.body = body
        self.read_at = read_at
        self.ready_at = read_at if ready_at is None else ready_at
        """Later, where earlier requests of its connection had to be answered first."""


class Exchange:
    """All times are monotonic seconds; unknown is None."""

    __slots__ = (
        "answer_head",
        "answered_at",
        "asks_usage",
        "attempt_starts",
        "attempted_at",
        "attempts",
        "blocked_s",
        "body",
        "body_facts",
        "client",
        "connected_at",
        "connection",
        "ended_at",
        "head",
        "inbound",
        "is_begun",
        "is_body_read",
        "is_callers_deadline",
        "is_delivered",
        "is_replayable",
        "kept",
        "meter",
        "operation",
        "overhead_s",
        "plan",
        "ready_at",
        "reason",
        "received_at",
        "recipe",
        "request_bytes",
        "request_id",
        "response_bytes",
        "route",
        "sent_at",
        "status",
        "t0",
        "target",
        "trace",
        "upstream_status",
        "upstream_target",
        "words",
    )

    def __init__(self, inbound: Inbound, client: Client, plan: Plan, desk: Desk) -> None:
        self.inbound = inbound
        self.head = inbound.head
        self.client = client
        self.plan = plan
        """Pinned: a reload does not touch an exchange that has begun."""
        self.t0 = inbound.read_at
        self.request_id = visible(inbound.head.request_id) or desk.new_id()
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
        self.ready_at = inbound.ready_at
        """The moment from which we could have sent: head and held body were in."""
        self.attempts: list[Attempt] = []
        self.attempt_starts: list[float] = []
        """When each of them began."""
        self.trace: Trace | None = None
        """Its place in a trace; None until somebody asks for it."""
        self.connection: str | None = None
        self.operation: Operation | None = None
        """What is asked for; None: nothing that is known."""
        self.is_callers_deadline = False
        """`total` was lowered by the caller, who is then to blame if it is passed."""
        self.status: int | None = None
        self.upstream_status: int | None = None
        self.answered_at: float | None = None
        """The final response head was parsed."""
        self.answer_head: ResponseHead | None = None
        self.received_at: float | None = None
        """The held part of the body was in, and an attempt could begin."""
        self.attempted_at: float | None = None
        """The last attempt began; before it there was an earlier one."""
        self.connected_at: float | None = None
        self.sent_at: float | None = None
        """The last byte of the request was handed over."""
        self.body_facts: Facts | None = None
        """What was read in a body that is no stream."""
        self.meter: Meter | None = None
        """Of a stream that is read along."""
        self.recipe: Recipe | None = None
        """Of the answer's reader; None where nothing here can read it."""
        self.kept: list[bytes] | None = None
        """A body that is no stream, and is over: to be read when the Record is made."""
        self.blocked_s = 0.0
        """The provider was held because the caller did not read."""
        self.ended_at = inbound.read_at
        self.overhead_s = 0.0
        self.request_bytes = 0
        self.response_bytes = 0
        self.reason: Reason | None = None
        self.words: Words | None = None
        """What was said, where it is to be told."""
        self.is_begun = False
        self.asks_usage = False
        """We asked for usage where the caller did not: the event that tells it is withheld."""
        self.is_delivered = False
        """The caller has all it can want: the whole answer, or a stream's terminal event."""

    @property
    def upstream(self) -> str | None:
        """The route's first choice; None where no route was reached."""
        return self.target.name if self.target else None

    @property
    def facts(self) -> Facts | None:
        """What was read in the answer until now."""
        if self.meter is None:
            return self.body_facts
        self.meter.catch_up()
        return self.meter.facts

    @property
    def is_streamed(self) -> bool | None:
        """Events come one by one; None where no answer was read."""
        return None if self.recipe is None else self.recipe.is_stream

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
        facts, meter = self.facts, self.meter
        first_at = None if meter is None else meter.first_token_at
        return {
            "request_id": self.request_id,
            "upstream": self.upstream,
            "route": self.route,
            "model": None if facts is None else facts.model,
            "operation": None if self.operation is None else self.operation.name,
            "method": head.method,
            "path": shown_path(head),
            "phase": self.state,
            "age_ms": milliseconds(now - self.t0),
            "headers_ms": None
            if self.answered_at is None
            else milliseconds(self.answered_at - self.t0),
            "ttft_ms": None if first_at is None else milliseconds(first_at - self.t0),
            "output_events": None if meter is None else meter.output_events,
            "response_bytes": self.response_bytes,
        }


def visible(text: bytes | None) -> str | None:
    """An id, if it is 1-128 visible ASCII characters."""
    if text is None or not 1 <= len(text) <= 128 or not text.isascii():
        return None
    told = text.decode()
    return told if told.isprintable() and " " not in told else None


def shown_path(head: RequestHead) -> str | None:
    """The raw path. Other forms of a target may hold a user name and password: not told."""
    return head.path if head.path.startswith("/") else None
