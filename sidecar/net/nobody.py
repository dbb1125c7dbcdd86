"""Stand-ins: a body that was not sent, a caller that has left.

Knows: the ports of the pipeline.
Must not know: why there is nobody.
"""

from __future__ import annotations

from typing import Final

from sidecar.pipeline.ports import Source


class _NoBody:
    """Nothing was sent, or nothing that could be read."""

    is_whole = True

    def take(self) -> bytes:
        return b""

    async def more(self) -> bytes:
        return b""


class _Nobody:
    """A caller that has left."""

    will_close = True
    speaks_chunked = True
    is_flushed = True
    is_tunnel = False
    has_stalled = False

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def follow(self, source: Source | None) -> None:
        """Nobody is slow."""

    async def flushed(self) -> None:
        """Nothing waits."""

    def cut(self, must_reset: bool) -> None:
        """Gone already."""


NO_BODY: Final = _NoBody()
NOBODY: Final = _Nobody()
