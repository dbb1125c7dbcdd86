"""The provider's side: reads requests without mercy, and plays what the story says.

Knows: sockets of one event loop, and to which story a request belongs.
Must not know: what is right; it writes down what came, and what no relay may ever send.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

from tests.fuzz.story import End, Send, Step, Story, Turn, Until, Wait
from tests.fuzz.strict import Message, State, read_request

UNKNOWN: Final = b"this is no request of any story"
_UNKNOWN_ANSWER: Final = b"HTTP/1.1 599 Unknown\r\nContent-Length: %d\r\n\r\n%b" % (
    len(UNKNOWN),
    UNKNOWN,
)
_TOKEN: Final = re.compile(rb"/f/((\d{1,9})-(\d)-[0-9a-f]{8})[/?]")
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Play:
    """One request of a story as it came; while it comes, `message` grows."""

    turn: Turn
    message: Message
    is_spoiled_connection: bool
    """An answer on this connection was damaged before: what came after it may be taken for ours."""


@dataclass(slots=True)
class Live:
    """A story that is being played."""

    story: Story
    plays: list[Play] = field(default_factory=list)


@dataclass(slots=True)
class Stage:
    """All stories that are being played, and what should never have come from the relay."""

    live: dict[int, Live] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def turn_of(self, target: bytes) -> tuple[Live, Turn] | None:
        found = _TOKEN.search(target)
        live = self.live.get(int(found[2])) if found else None
        if live is None or found is None:
            return None
        return next(((live, turn) for turn in live.story.turns if turn.token == found[1]), None)


def reset_on_close(transport: asyncio.Transport) -> None:
    """The next close of this socket is a reset."""
    pseudo = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(pseudo.fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


class Provider(asyncio.Protocol):
    """One connection to it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._play: Play | None = None
        self._steps: list[Step] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_answered = self._is_read = False
        self._is_over = False
        self._is_spoiled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._stage.counts["provider's connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and not self._is_over:
            if self._is_read and not self._is_answered:
                self._behind("sent before the answer was there")
                return
            if not self._read():
                return

    def _read(self) -> bool:
        """One request, or more of it; True if it is whole."""
        message = read_request(self._buffer)
        if message.state is State.BROKEN:
            self._fault(f"{message.why}: {bytes(self._buffer[:300])!r}")
            return False
        if self._play is not None:
            self._play.message = message
        elif message.has_head:
            self._begin(message)
        is_whole = self._is_read = message.state is State.WHOLE
        was_answered = self._is_answered
        if self._play is not None and (is_whole or self._play.turn.is_early):
            self._answer()
        elif self._play is None and is_whole:
            self._transport.write(_UNKNOWN_ANSWER.partition(UNKNOWN)[0])
            if message.start[0] != b"HEAD":
                self._transport.write(UNKNOWN)
            self._is_answered = True
        if is_whole:
            del self._buffer[: message.end]
            if self._buffer and not was_answered:
                self._behind("one request behind the other")
            self._next()
        return is_whole

    def _begin(self, message: Message) -> None:
        found = self._stage.turn_of(message.start[1])
        if found is not None:
            live, turn = found
            self._play = Play(turn, message, self._is_spoiled)
            self._is_spoiled = self._is_spoiled or bool(turn.damage)
            live.plays.append(self._play)
            self._steps = turn.steps[::-1]

    def _answer(self) -> None:
        if self._timer is None and not self._is_answered:
            self._step()

    def _step(self) -> None:
        self._timer = None
        while self._steps and not self._is_over:
            step = self._steps.pop()
            match step:
                case Send():
                    self._transport.write(step.data)
                case Wait():
                    self._timer = self._loop.call_later(step.wait_s, self._step)
                    return
                case Until():
                    raise AssertionError("a provider waits for no answers")
                case End.HALF:
                    self._transport.write_eof()
                    self._is_over = True
                case _:
                    self._end(step)
        self._is_answered = True
        self._next()

    def _next(self) -> None:
        """Ready for the next request, if this one is over on both sides."""
        if self._is_read and self._is_answered:
            self._play = None
            self._is_read = self._is_answered = False

    def _end(self, how: End) -> None:
        self._is_over = True
        if how is End.RST:
            reset_on_close(self._transport)
            self._transport.abort()
        else:
            self._transport.close()

    def _behind(self, what: str) -> None:
        if self._play is not None and self._play.turn.damage:
            # The other side takes less for the answer than we still have to say.
            self._end(End.RST)
        else:
            self._fault(f"{what}: {bytes(self._buffer[:200])!r}")

    def _fault(self, what: str) -> None:
        names = "" if self._play is None else f"exchange {self._play.turn.token.decode()}: "
        self._stage.faults.append(names + what)
        self._end(End.RST)
