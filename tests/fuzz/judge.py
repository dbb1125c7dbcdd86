"""May what came out be what came out?

Knows: what a relay owes each side: whole sound answers to the byte, no cut that looks whole, no
request that the caller did not send. Must not know: how the program works, or its reasons.
A damaged answer is read by `strict` as it was sent: the caller's reading must agree with that, or
be an answer of the relay itself, or visibly cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.fuzz.caller import Caller
from tests.fuzz.provider import UNKNOWN, Play
from tests.fuzz.story import End, Story, Turn
from tests.fuzz.strict import Fields, Message, State, read_answer

_OF_THIS_HOP = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"host", b"expect"}
)
_REPEATABLE = (b"GET", b"HEAD", b"OPTIONS")


@dataclass(frozen=True, slots=True)
class Result:
    """What a story came to."""

    story: Story
    caller: Caller
    plays: Sequence[Play]
    was_late: bool = False
    """The machine stood still for a while: limits of time may have passed by nobody's fault."""


def faults(result: Result) -> Iterator[str]:
    """What no relay may do; nothing if all is well."""
    story, caller = result.story, result.caller
    for n, answer in enumerate(caller.answers):
        if n >= len(story.turns) and not story.damage:
            yield f"answer {n} to no request: {_short(answer)}"
        elif why := _wrong(result, n, answer):
            yield f"answer {n}: {why}; got {_short(answer)}"
    rest = caller.rest()
    n = len(caller.answers)
    if rest is not None:
        if rest.state is State.BROKEN:
            yield f"answer {n} has no valid form: {rest.why}"
        elif rest.has_head and not any(
            _is_part(turn, rest, result.plays) for turn in _turns(story, n)
        ):
            yield f"answer {n} is cut, and other bytes than the provider's: {_short(rest)}"
    is_excused = result.was_late or (story.damage and caller.has_left)
    if n < story.sound_turns and not is_excused:
        yield f"answer {n} is {'cut' if rest else 'missing'}, and nobody had damaged anything"
    yield from _requests(result)


def _turns(story: Story, n: int) -> list[Turn]:
    """Those which the answer `n` may belong to."""
    if story.damaged_at is None or n < story.damaged_at:
        return story.turns[n : n + 1]
    return story.turns


def _wrong(result: Result, n: int, answer: Message) -> str | None:
    story = result.story
    is_free = story.damaged_at is not None and n >= story.damaged_at
    if (code := answer.value(b"x-sidecar-error")) is not None:
        return _own(result, n, answer, code, is_free)
    if is_free and (answer.status, answer.body) == (599, UNKNOWN):
        return None
    whys = [_differs(turn, answer, result.plays) for turn in _turns(story, n)]
    return None if None in whys else " / ".join(map(str, whys)) or "it belongs to nothing"


def _own(result: Result, n: int, answer: Message, code: bytes, is_free: bool) -> str | None:
    """An answer of the relay's own."""
    if code == b"internal_error":
        return "the relay failed"
    if answer.body and "error" not in json.loads(answer.body):
        return "an answer of the relay's own in an unknown form"
    if is_free or result.was_late or result.story.turns[n].damage:
        return None
    return "an answer of the relay's own although nobody had damaged anything"


def said(turn: Turn) -> Message:
    """The provider's answer, as a merciless reader of the provider's own bytes sees it."""
    return read_answer(
        turn.said,
        is_head=turn.ask.method == b"HEAD",
        has_ended=turn.end in (End.FIN, End.HALF),
        is_plain=False,
    )


def _differs(turn: Turn, answer: Message, plays: Sequence[Play]) -> str | None:
    """Why this whole answer is not the turn's."""
    if turn.damage:
        if _may_be_anothers(turn, plays):
            return None
        sent = said(turn)
        if sent.state is not State.WHOLE:
            return f"it came whole, but the provider's was {sent.state.value} ({sent.why})"
        if (sent.status, sent.body) != (answer.status, answer.body):
            return f"the provider's was {_short(sent)}"
        return None
    reply = turn.reply
    if answer.status != reply.status:
        return f"status {reply.status} was sent"
    if answer.body != reply.body:
        return f"another body ({len(reply.body)} bytes) was sent"
    if _ends(answer.fields) != reply.fields:
        return f"other headers were sent: {reply.fields}"
    return None


def _may_be_anothers(turn: Turn, plays: Sequence[Play]) -> bool:
    """What was left of an earlier damaged answer may have come as this one's."""
    played = [play for play in plays if play.turn is turn]
    return not played or any(play.is_spoiled_connection for play in played)


def _is_part(turn: Turn, rest: Message, plays: Sequence[Play]) -> bool:
    """Could this be the beginning of the turn's answer?"""
    if rest.value(b"x-sidecar-error") is not None or rest.status == 599:
        return True
    if turn.damage and _may_be_anothers(turn, plays):
        return True
    sent = said(turn)
    return sent.has_head and rest.status == sent.status and sent.body.startswith(rest.body)


def _requests(result: Result) -> Iterator[str]:
    """What the provider got."""
    story = result.story
    for n, turn in enumerate(story.turns):
        played = [play.message for play in result.plays if play.turn is turn]
        ask = turn.ask
        if len(played) > 1 and not _may_repeat(turn):
            yield f"request {n} was sent {len(played)} times"
        if story.damaged_at is None or n < story.damaged_at:
            for message in played:
                yield from _differs_from_ask(n, turn, message)
        elif story.damage == "cut" and any(m.state is State.WHOLE for m in played):
            yield f"request {n} was cut and arrived as a whole one: {ask.raw[:200]!r}"


def _may_repeat(turn: Turn) -> bool:
    """Only where a damaged answer may have left a dead connection behind."""
    is_safe = turn.ask.method in _REPEATABLE or turn.ask.target.endswith(b"/chat/completions")
    return bool(turn.damage) and is_safe


def _differs_from_ask(n: int, turn: Turn, message: Message) -> Iterator[str]:
    ask = turn.ask
    if message.start != (ask.method, ask.target):
        yield f"request {n} went up as {message.start}"
    if _ends(message.fields) != ask.fields:
        yield f"request {n} went up with {message.fields}, not {ask.fields}"
    is_whole = message.state is State.WHOLE
    if not ask.body.startswith(message.body) or (is_whole and message.body != ask.body):
        yield f"request {n} went up with another body of {len(message.body)} bytes"


def _ends(fields: Fields) -> Fields:
    """Those that go from end to end."""
    return [pair for pair in fields if pair[0] not in _OF_THIS_HOP]


def _short(message: Message) -> str:
    return f"{message.start} {message.fields} {message.body[:60]!r} ({len(message.body)} bytes)"
