"""A model's name as stage directions: `mock,ttft=200ms,gap=20ms,tokens=100,fault=cut@50x3`.

Knows: which items such a name may hold, and what each means.
Must not know: dialects, HTTP or clocks.
Why the model's name: it is the one field that every SDK of every provider lets its user write
freely, so any client can ask for any fault without a header, a port or a second API.
A name that does not begin with `mock` is somebody's real model and gets the default script.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import unquote

from sidecar.core.errors import SidecarError
from sidecar.core.units import BadUnitError, parse_count, parse_duration

_T = TypeVar("_T")

DEFAULT_TTFT_S: Final = 0.3
DEFAULT_GAP_S: Final = 0.025
MAX_TOKENS: Final = 1_000_000
MAX_NAME_CHARS: Final = 1_000
_MAX_RETRY_AFTER_S: Final = 24 * 3600


class BadScriptError(SidecarError):
    """The model's name begins with `mock` and cannot be played. Its text says what is wrong."""


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """An error status with the provider's own body."""
    CUT = "cut"
    """A clean end of the body, without the dialect's last event."""
    RESET = "reset"
    """TCP RST."""
    STALL = "stall"
    """Silence; the connection stays open."""
    ERROR = "error"
    """The dialect's error event inside the stream, then the end."""
    GARBAGE = "garbage"
    """One event that is no JSON and no UTF-8; then everything goes on."""
    DRIP = "drip"
    """The whole body, a byte at a time."""
    REFUSE = "refuse"
    """The connection is closed instead of an answer."""
    HANG = "hang"
    """No answer, not even its head."""


_ITEMS: Final = (
    "ttft",
    "gap",
    "tokens",
    "reasoning",
    "tools",
    "fault",
    "status",
    "retry-after",
)
_AFTER_EVENTS: Final = frozenset(
    {FaultKind.CUT, FaultKind.RESET, FaultKind.STALL, FaultKind.ERROR, FaultKind.GARBAGE}
)
_KINDS: Final = {str(kind): kind for kind in FaultKind if kind is not FaultKind.STATUS}
_FAULTS: Final = "status=503, cut@N, reset@N, stall@N, error@N, garbage@N, drip, refuse, hang"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `times` None: always."""

    kind: FaultKind
    status: int | None = None
    """For STATUS only."""
    after_events: int | None = None
    """It strikes after so many generated events, or after the last if there are fewer."""
    times: int | None = None
    """Only so many requests with this very model name meet it."""


@dataclass(frozen=True, slots=True)
class Script:
    """How one answer shall go. None: not said, the request or a default decides."""

    model: str
    """The name, percent-decoded: what the answer names, and what `times` is counted by."""
    ttft_s: float = DEFAULT_TTFT_S
    """Request read whole -> first generated event leaves."""
    gap_s: float = DEFAULT_GAP_S
    tokens: int | None = None
    """Output tokens, those of reasoning included. One token, one generated event."""
    reasoning: int | None = None
    calls_tool: bool = False
    """Call the request's first tool, without being told to by `tool_choice`."""
    fault: Fault | None = None
    retry_after_s: int | None = None


def parse_model(name: str) -> Script:
    """Raises BadScriptError with one sentence."""
    if len(name) > MAX_NAME_CHARS:
        raise BadScriptError(f"a model name has at most {MAX_NAME_CHARS} characters")
    model = unquote(name)
    first, *items = model.split(",")
    if first != "mock":
        return Script(model)
    found: dict[str, str] = {}
    for item in items:
        key, has_value, value = item.strip().partition("=")
        if key not in _ITEMS:
            raise BadScriptError(f"unknown item {item.strip()!r}; known are {', '.join(_ITEMS)}")
        if key in found:
            raise BadScriptError(f"{key} is given twice")
        if (key == "tools") == bool(has_value):
            raise BadScriptError("tools has no value" if has_value else f"{key} needs a value")
        found[key] = value
    tokens = _read(found, "tokens", _tokens)
    reasoning = _read(found, "reasoning", _tokens)
    if tokens is not None and reasoning is not None and reasoning > tokens:
        raise BadScriptError(
            f"reasoning={reasoning} is more than tokens={tokens}, which include it"
        )
    if "status" in found and "fault" in found:
        raise BadScriptError("status and fault: one fault at a time")
    ttft_s = _read(found, "ttft", parse_duration)
    gap_s = _read(found, "gap", parse_duration)
    return Script(
        model=model,
        ttft_s=DEFAULT_TTFT_S if ttft_s is None else ttft_s,
        gap_s=DEFAULT_GAP_S if gap_s is None else gap_s,
        tokens=tokens,
        reasoning=reasoning,
        calls_tool="tools" in found,
        fault=_read(found, "fault", _fault) or _read(found, "status", _status_fault),
        retry_after_s=_read(found, "retry-after", _retry_after),
    )


def _read(found: dict[str, str], key: str, reader: Callable[[str], _T]) -> _T | None:
    if key not in found:
        return None
    try:
        return reader(found[key])
    except BadUnitError as error:
        raise BadScriptError(f"{key}={found[key]}: {error}") from None


def _tokens(text: str) -> int:
    count = parse_count(text)
    if count > MAX_TOKENS:
        raise BadUnitError(f"at most {MAX_TOKENS} tokens")
    return count


def _retry_after(text: str) -> int:
    seconds = parse_count(text)
    if seconds > _MAX_RETRY_AFTER_S:
        raise BadUnitError("at most a day, in whole seconds")
    return seconds


_TIMES: Final = re.compile(r"(.+?)x(\d{1,6})", re.ASCII)


def _fault(text: str) -> Fault:
    counted = _TIMES.fullmatch(text)
    what, times = (counted[1], int(counted[2])) if counted else (text, None)
    if what.startswith("status="):
        return _status(what.removeprefix("status="), times)
    word, at, number = what.partition("@")
    kind = _KINDS.get(word)
    if kind is None:
        raise BadUnitError(f"there is no such fault; known are {_FAULTS}")
    if kind not in _AFTER_EVENTS:
        if at:
            raise BadUnitError(f"{kind} takes no @N")
        return Fault(kind, times=times)
    if not at:
        raise BadUnitError(f"{kind} needs the number of generated events before it: {kind}@5")
    return Fault(kind, after_events=_tokens(number), times=times)


def _status_fault(text: str) -> Fault:
    counted = _TIMES.fullmatch(text)
    return _status(counted[1], int(counted[2])) if counted else _status(text, None)


def _status(text: str, times: int | None) -> Fault:
    if not (text.isascii() and text.isdigit() and 400 <= int(text[:4]) <= 599):
        raise BadUnitError("a status is a number from 400 to 599")
    return Fault(FaultKind.STATUS, status=int(text), times=times)
