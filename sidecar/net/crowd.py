"""How many callers may be connected at once, and who gives way when one more comes.

Knows: the limit, and how to find the connection that has been idle for longest.
Must not know: requests. Whoever finds no room is told so by the listener.
Why idle ones give way: a kept-alive connection that is closed between two requests is the usual
thing to every HTTP client, which opens another; a refused one is an error to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final, Protocol

# A few more are let in to be told in their own dialect that there is no room; beyond these the
# answer is said at once, to whoever it is.
_MAX_SURPLUS: Final = 32


class Member(Protocol):
    """A connection."""

    idle_since: float

    @property
    def may_give_way(self) -> bool: ...


class Crowd:
    """Decides about each new connection. `members`: all that are open, the new one included."""

    def __init__(self, limit: int, members: Callable[[], Collection[Member]]) -> None:
        self._limit = limit
        self._members = members
        self._longest_idle: deque[Member] = deque()
        """What the last search found and is not used up: one search serves many arrivals."""

    def one_to_go(self, newcomer: Member) -> Member | None:
        """Who must give way: nobody, an idle one, or the newcomer itself."""
        members = self._members()
        if len(members) <= self._limit:
            return None
        return self._idle_one(newcomer, members) or newcomer

    @property
    def is_beyond_surplus(self) -> bool:
        """There is not even room to be refused politely."""
        return len(self._members()) > self._limit + _MAX_SURPLUS

    def _idle_one(self, newcomer: Member, members: Collection[Member]) -> Member | None:
        found = self._longest_idle
        for is_second_search in (False, True):
            while found:
                candidate = found.popleft()
                if candidate is not newcomer and candidate.may_give_way:
                    return candidate
            if not is_second_search:
                idle = (one for one in members if one.may_give_way and one is not newcomer)
                found.extend(sorted(idle, key=lambda one: one.idle_since))
        return None
