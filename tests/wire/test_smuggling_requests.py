"""No request is read in two ways: it is refused, or the provider sees exactly one thing.

The provider reads with h11, another parser than the relay's. All vectors go at once, each on a
connection of its own, and each test looks at what became of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .judge import Heard, Judge, hear
from .relay import LOOPS, Relay
from .request_mutations import Message, Vector, vectors

VECTORS = [vector.numbered(n) for n, vector in enumerate(vectors())]
_AT_ONCE = 64
_SILENCE_S = 0.4


def test_the_grid_is_as_large_as_it_should_be() -> None:
    assert len(VECTORS) >= 130
    assert len({vector.data for vector in VECTORS}) == len(VECTORS)


@dataclass(frozen=True, slots=True)
class Outcome:
    heard: Heard
    messages: list[Message]


@pytest.fixture(scope="module", params=LOOPS)
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Outcome]]:
    """What became of each vector."""
    judge = Judge()
    relay = Relay(
        tmp_path_factory.mktemp("smuggling"),
        f'  up: {{url: "http://127.0.0.1:{judge.port}"}}\n',
        request.param,
        log_level="error",
    )
    try:
        heard = asyncio.run(_send_all(relay))
        relay.assert_settled()
        assert judge.unreadable == []
        yield [Outcome(heard[n], judge.by_number[str(n)].messages) for n in range(len(VECTORS))]
        _assert_nothing_leaked(judge)
    finally:
        assert relay.stop() == 0
        judge.close()
    assert "Traceback" not in relay.text


def _assert_nothing_leaked(judge: Judge) -> None:
    """Trailers and framing of one request are not found in the head of another."""
    for judgement in judge.by_number.values():
        for head in judgement.heads:
            names = [name for name, _ in head]
            assert names.count(b"host") == 1
            assert b"x-trailer" not in names
            assert b"upgrade" not in names
            assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1


async def _send_all(relay: Relay) -> list[Heard]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(vector: Vector) -> Heard:
        async with gate:
            return await _send(relay, vector)

    return list(await asyncio.gather(*map(one, VECTORS)))


async def _send(relay: Relay, vector: Vector) -> Heard:
    reader, writer = await asyncio.open_connection(*relay.data)
    writer.write(vector.data)
    got, has_ended = b"", False
    try:
        while True:
            piece = await asyncio.wait_for(reader.read(65536), _SILENCE_S)
            if not piece:
                has_ended = True
                break
            got += piece
    except TimeoutError:
        pass
    except ConnectionError:
        has_ended = True
    writer.close()
    return hear(got, has_ended)


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[v.name for v in VECTORS])
def test_it_is_refused_or_read_in_one_way(outcomes: list[Outcome], number: int) -> None:
    vector, outcome = VECTORS[number], outcomes[number]
    heard = outcome.heard
    assert heard.error is None
    codes = [code for _, _, code in heard.answers]
    if not outcome.messages:
        assert not vector.must_pass, heard
        assert all(code is not None for code in codes), heard
        assert all(400 <= status < 600 for status, _, _ in heard.answers), heard
        # Refused, or still waited for: then nothing reached anybody.
        assert heard.answers or not heard.is_cut, heard
        return
    assert tuple(outcome.messages) in vector.readings, outcome.messages
    assert [status for status, _, code in heard.answers if code is None] == [200] * len(
        outcome.messages
    )
