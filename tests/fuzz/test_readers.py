"""Two thousand damaged answers for each reader; `make fuzz` goes on for minutes."""

from __future__ import annotations

import random

import pytest

from sidecar.core.facts import Facts
from tests.fuzz import readers

SEED = 20261123
CASES = 2000


@pytest.mark.parametrize("reader", readers.FAMILIES)
def test_no_damage_makes_a_reader_raise_grow_or_hang(reader: str) -> None:
    assert readers.seeds_of(reader)
    faults = [readers.play(reader, SEED, number) for number in range(CASES)]
    assert [fault for fault in faults if fault is not None] == []


def test_a_case_is_told_again_by_its_seed_and_number() -> None:
    body = b'data: {"choices":[]}\n\n' * 9
    told = [readers.damaged(body, random.Random("1/a/2")) for _ in range(2)]
    assert told[0] == told[1] != body


class Bad:
    """A reader that keeps all it gets, or raises."""

    __slots__ = ("kept", "raises")

    def __init__(self, raises: bool) -> None:
        self.kept: list[bytes] = []
        self.raises = raises

    def feed(self, data: bytes) -> list[int]:
        if self.raises:
            raise ValueError("no")
        self.kept.append(data)
        return []

    def end(self) -> list[int]:
        return []


def test_the_judge_is_not_blind() -> None:
    pieces = [b"x" * 1000 + bytes([n]) for n in range(250)]
    assert readers._read(Bad(raises=False), Facts(), iter(pieces), "openai-chat") > 250_000
    with pytest.raises(ValueError, match="no"):
        readers._read(Bad(raises=True), Facts(), iter(pieces), "openai-chat")
