"""Two thousand exchanges on each event loop; `make fuzz` plays a hundred thousand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.mutate import write
from tests.fuzz.run import run
from tests.wire.relay import LOOPS

SEED = 20261123
EXCHANGES = 2000


@pytest.mark.parametrize("loop", LOOPS)
def test_no_damage_on_either_side_breaks_the_relay_or_another_exchange(
    loop: str, tmp_path: Path
) -> None:
    report = run(tmp_path, SEED, range(EXCHANGES), loop, told=lambda _: None).report
    again = f"make fuzz ARGS='--seed {SEED} --loop {loop} --only NUMBER'"
    assert report.faults == [], again
    assert report.exchanges == EXCHANGES
    # It really was played, and most of it had something wrong with it.
    assert report.answers["the provider's"] > EXCHANGES // 2
    assert report.outcomes.total() > EXCHANGES
    assert {"ok", "truncated", "timeout", "refused", "client_cancelled"} <= set(report.outcomes)


def test_a_story_is_told_again_by_its_seed_and_number() -> None:
    assert [write(7, number) for number in range(50)] == [write(7, number) for number in range(50)]
    assert write(7, 1) != write(8, 1)
    assert write(7, 1).turns[0].token != write(8, 1).turns[0].token


def test_all_kinds_of_damage_come_up() -> None:
    kinds = Counter(kind for n in range(1500) for kind in write(3, n).kind.split(" + "))
    assert set(kinds) == {
        "none",
        *("caller: bytes", "caller: a header twice", "caller: garbage behind", "caller: cut"),
        *("caller: leaves", "caller: says its end and waits"),
        *("provider: bytes", "provider: a header twice", "provider: garbage behind"),
        *("provider: cut", "provider: early, and ends", "provider: silent"),
    }
    assert min(kinds.values()) >= 5, kinds
