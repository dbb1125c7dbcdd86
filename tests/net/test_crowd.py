"""Who gives way when one more comes."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.net.crowd import Crowd


@dataclass(eq=False)
class One:
    idle_since: float
    may_give_way: bool = True


def test_while_there_is_room_nobody_goes() -> None:
    members = [One(1.0), One(2.0)]
    assert Crowd(2, lambda: members).one_to_go(members[-1]) is None


def test_the_longest_idle_goes_first_and_the_newcomer_never_for_itself() -> None:
    old, older, newcomer = One(2.0), One(1.0), One(0.0)
    members = [old, older, newcomer]
    crowd = Crowd(2, lambda: members)
    assert crowd.one_to_go(newcomer) is older
    members.remove(older)
    another = One(0.0)
    members.append(another)
    assert crowd.one_to_go(another) is old


def test_one_that_has_become_busy_since_the_search_is_passed_over() -> None:
    a, b, newcomer = One(1.0), One(2.0), One(9.0)
    members = [a, b, newcomer]
    crowd = Crowd(1, lambda: members)
    assert crowd.one_to_go(newcomer) is a
    b.may_give_way = False
    assert crowd.one_to_go(newcomer) is a, "a new search, for the last one has nobody left"


def test_where_none_may_give_way_the_newcomer_finds_no_room() -> None:
    members = [One(1.0, may_give_way=False), One(2.0)]
    assert Crowd(1, lambda: members).one_to_go(members[-1]) is members[-1]


def test_there_is_an_end_to_politeness() -> None:
    members = [One(1.0, may_give_way=False)] * 34
    assert Crowd(1, lambda: members).is_beyond_surplus
    assert not Crowd(2, lambda: members).is_beyond_surplus
