"""The judge is not blind: each thing that no relay may do is told, and a good exchange is not."""

from __future__ import annotations

import dataclasses

import pytest

from tests.fuzz.caller import Caller
from tests.fuzz.judge import Result, faults
from tests.fuzz.mutate import write
from tests.fuzz.provider import UNKNOWN, Play
from tests.fuzz.story import End, Story
from tests.fuzz.strict import State, read_request

OWN = (
    b"HTTP/1.1 502 Bad Gateway\r\nx-sidecar-error: upstream_reset\r\nContent-Length: 12\r\n\r\n"
    b'{"error":{}}'
)


def _sound() -> Story:
    """One POST of fixed length, one answer of fixed length with a body."""
    for number in range(10_000):
        story = write(1, number)
        [turn, *more] = story.turns
        ask, said = turn.ask, turn.said
        if (
            story.kind == "none"
            and not more
            and (ask.method, turn.reply.status, turn.end) == (b"POST", 200, End.KEEP)
            and ask.target.endswith(b"/files")
            and b" HTTP/1.1\r\n" in ask.raw
            and b"Content-Length: " in ask.raw
            and b"Content-Length: " in said
            and said.startswith(b"HTTP/1.1 200")
            and 10 < len(turn.reply.body) < 5000
        ):
            return story
    raise AssertionError("no such story")


def _result(
    story: Story, received: bytes, *, has_fin: bool = True, asked: bytes | None = None
) -> Result:
    caller = Caller(story)
    caller.data_received(received)
    if has_fin:
        caller.eof_received()
    turn = story.turns[0]
    message = read_request(asked if asked is not None else _as_sent(story))
    return Result(story, caller, [Play(turn, message, is_spoiled_connection=False)])


def _as_sent(story: Story) -> bytes:
    """The request as a relay passes it on."""
    ask = story.turns[0].ask
    return ask.raw.replace(b" /sound/", b" /", 1)


async def test_a_good_exchange_has_no_fault() -> None:
    story = _sound()
    assert list(faults(_result(story, story.turns[0].said))) == []


SPOILED = {
    "nothing": (lambda said: b"", "missing"),
    "a cut": (lambda said: said[:-1], "is cut"),
    "another byte": (lambda said: said[:-1] + bytes([said[-1] ^ 1]), "another body"),
    "another status": (lambda said: said.replace(b" 200 ", b" 201 ", 1), "status 200"),
    "a header lost": (lambda said: said.replace(b"X-Turn", b"X-Tarn", 1), "other headers"),
    "two answers": (lambda said: said + said, "answer 1 to no request"),
    "an answer of its own": (lambda said: OWN, "of the relay's own"),
    "a failure": (
        lambda said: OWN.replace(b"upstream_reset", b"internal_error"),
        "the relay failed",
    ),
    "two framings": (
        lambda said: said.replace(b"\r\n", b"\r\nTransfer-Encoding: chunked\r\n", 1),
        "no valid form",
    ),
    "another's answer": (
        lambda said: (
            b"HTTP/1.1 599 Unknown\r\nContent-Length: %d\r\n\r\n%b" % (len(UNKNOWN), UNKNOWN)
        ),
        "status 200",
    ),
}


@pytest.mark.parametrize(("change", "told"), SPOILED.values(), ids=SPOILED)
async def test_what_the_caller_may_not_get_is_told(change, told: str) -> None:  # type: ignore[no-untyped-def]  # a lambda of the table
    story = _sound()
    found = list(faults(_result(story, change(story.turns[0].said))))
    assert found
    assert told in found[0]


async def test_an_answer_that_was_cut_may_be_cut_but_not_whole() -> None:
    story = _sound()
    [turn] = story.turns
    cut_at = len(turn.said) - 5
    cut = dataclasses.replace(turn, damage="cut", said=turn.said[:cut_at], end=End.FIN)
    told = dataclasses.replace(story, turns=[cut])
    assert list(faults(_result(told, cut.said))) == []
    assert list(faults(_result(told, OWN))) == []
    [fault] = faults(_result(told, turn.said))
    assert "came whole, but the provider's was part" in fault
    [fault] = faults(_result(told, cut.said[:-1] + b"?"))
    assert "other bytes than the provider's" in fault


REQUESTS = {
    "another method": (b"POST", b"PUT", "went up as"),
    "another header": (b"HTTP/1.1\r\n", b"HTTP/1.1\r\nX-New: 1\r\n", "went up with"),
}


@pytest.mark.parametrize(("old", "new", "told"), REQUESTS.values(), ids=REQUESTS)
async def test_what_the_provider_may_not_get_is_told(old: bytes, new: bytes, told: str) -> None:
    story = _sound()
    asked = _as_sent(story).replace(old, new, 1)
    [fault] = faults(_result(story, story.turns[0].said, asked=asked))
    assert told in fault


async def test_a_request_that_is_sent_twice_or_with_another_body_is_told() -> None:
    story = _sound()
    result = _result(story, story.turns[0].said)
    twice = dataclasses.replace(result, plays=[*result.plays, *result.plays])
    assert list(faults(twice)) == ["request 0 was sent 2 times"]
    asked = _as_sent(story)
    result = _result(story, story.turns[0].said, asked=asked[:-1] + bytes([asked[-1] ^ 1]))
    [fault] = faults(result)
    assert "another body" in fault


async def test_a_cut_request_that_arrives_whole_is_told() -> None:
    story = _sound()
    told = dataclasses.replace(story, damage="cut", damaged_at=0)
    result = _result(told, b"")
    assert result.plays[0].message.state is State.WHOLE
    [fault] = faults(result)
    assert "arrived as a whole one" in fault
