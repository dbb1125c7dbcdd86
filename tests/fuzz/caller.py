"""The caller's side: plays its steps, keeps every byte that comes back, and how it all ended.

Knows: sockets of one event loop. Must not know: what the answers ought to be.
"""

from __future__ import annotations

import asyncio
from typing import cast

from tests.fuzz.provider import reset_on_close
from tests.fuzz.story import End, Send, Story, Until, Wait
from tests.fuzz.strict import Message, State, read_answer


class Caller(asyncio.Protocol):
    """One connection. `over` is done when it has ended, from whichever side."""

    def __init__(self, story: Story) -> None:
        self._loop = asyncio.get_running_loop()
        self._story = story
        self._steps = story.steps[::-1]
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: Until | None = None
        self._at = 0
        self.received = bytearray()
        self.answers: list[Message] = []
        """Those that came whole."""
        self.has_left = False
        """It was the caller that ended it."""
        self.has_fin = False
        """The other side did, in order."""
        self.over: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._step()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._read()

    def eof_received(self) -> None:
        self.has_fin = not self.has_left
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.over.done():
            self.over.set_result(None)

    def give_up(self) -> None:
        """The bound has passed."""
        self._transport.abort()

    def rest(self) -> Message | None:
        """What came after the whole answers; None if nothing did."""
        return self._next() if self._at < len(self.received) else None

    def _next(self) -> Message:
        turns, n = self._story.turns, len(self.answers)
        is_head = n < len(turns) and turns[n].ask.method == b"HEAD"
        return read_answer(self.received, self._at, is_head=is_head, has_ended=self.has_fin)

    def _read(self) -> None:
        while self._at < len(self.received):
            answer = self._next()
            if answer.state is not State.WHOLE:
                break
            self.answers.append(answer)
            self._at = answer.end
        if self._wanted is not None and len(self.answers) >= self._wanted.answers:
            if self._timer is not None:
                self._timer.cancel()
            self._step()

    def _step(self) -> None:
        self._timer = self._wanted = None
        while self._steps and not self._transport.is_closing():
            step = self._steps.pop()
            match step:
                case Send():
                    self._transport.write(step.data)
                case Wait():
                    self._timer = self._loop.call_later(step.wait_s, self._step)
                    return
                case Until():
                    if len(self.answers) < step.answers:
                        self._wanted = step
                        if step.patience_s is not None:
                            self._timer = self._loop.call_later(step.patience_s, self._step)
                        return
                case End.HALF:
                    self._transport.write_eof()
                case _:
                    self._leave(step)

    def _leave(self, how: End) -> None:
        self.has_left = True
        if how is End.RST:
            reset_on_close(self._transport)
            self._transport.abort()
        else:
            self._transport.close()
