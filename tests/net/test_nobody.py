"""The stand-ins behave like somebody who is not there."""

from __future__ import annotations

from sidecar.net.nobody import NO_BODY, NOBODY


async def test_a_body_that_was_not_sent_is_empty_and_whole() -> None:
    assert NO_BODY.is_whole
    assert (NO_BODY.take(), await NO_BODY.more()) == (b"", b"")


async def test_a_caller_that_has_left_takes_everything_and_waits_for_nothing() -> None:
    NOBODY.write(b"x")
    NOBODY.follow(None)
    NOBODY.cut(must_reset=True)
    await NOBODY.flushed()
    assert NOBODY.is_flushed
    assert NOBODY.will_close
