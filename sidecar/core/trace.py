"""Whose trace a request belongs to: W3C Trace Context, read and written.

Knows: `traceparent` (https://www.w3.org/TR/trace-context/) and the ids of our own spans.
Must not know: chance (ids are handed in), or what a span says.
Why our own twenty lines: the caller's header must go on byte for byte, and what is needed of it is
two ids and a bit; a propagation framework would make a context, a carrier and a span of them.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

SAMPLED: Final = 1
_FORM: Final = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\x00-\x20\x7f-\xff]*)?"
)
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16


class Parent(NamedTuple):
    """The caller's span. Ids are lower-case hexadecimal, 32 and 16 digits."""

    trace_id: str
    span_id: str
    is_sampled: bool


class OwnTrace(NamedTuple):
    """What goes up in place of the caller's trace headers."""

    instead_of: frozenset[bytes]
    """Names in lower case; these are left out."""
    traceparent: bytes | None
    """Put at the end; None: nothing is."""


def parse_traceparent(value: bytes | None) -> Parent | None:
    """None where there is no valid one; a version from the future is read as version 00."""
    if value is None or (found := _FORM.fullmatch(value.strip(b" \t"))) is None:
        return None
    version, trace, span, flags, rest = found.groups()
    trace_id, span_id = trace.decode(), span.decode()
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & SAMPLED))


def write_traceparent(trace_id: str, span_id: str, is_sampled: bool) -> bytes:
    """Version 00."""
    return f"00-{trace_id}-{span_id}-{SAMPLED if is_sampled else 0:02x}".encode()


class Trace:
    """One exchange's place in a trace. `is_recorded`: spans of it are made."""

    __slots__ = ("attempt_ids", "is_recorded", "parent", "span_id", "trace_id")

    def __init__(
        self, trace_id: str | None, span_id: str | None, parent: Parent | None, is_recorded: bool
    ) -> None:
        self.trace_id = trace_id
        """The caller's, or ours; None: there is neither."""
        self.span_id = span_id
        """Of our outermost span; None: it is not made."""
        self.parent = parent
        self.is_recorded = is_recorded
        self.attempt_ids: dict[int, str] = {}
        """By the attempt's number from 0: span ids that an upstream was told."""

    @property
    def example(self) -> tuple[str, str] | None:
        """(trace id, span id) that a figure may point to: of a sampled trace only."""
        if self.is_recorded and self.trace_id is not None and self.span_id is not None:
            return self.trace_id, self.span_id
        if self.parent is not None and self.parent.is_sampled:
            return self.parent.trace_id, self.parent.span_id
        return None
