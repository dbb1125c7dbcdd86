"""Where an answer goes: written, held, flushed, cut."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.net.caller import Caller
from sidecar.pipeline import Inbound
from sidecar.pipeline.ports import Client

from .test_listener import call, get, open_house


class Valve:
    """A source that notes what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


async def test_a_source_is_held_while_the_caller_does_not_read_and_all_arrives() -> None:
    valve = Valve()
    size = 8 << 20

    async def answer(inbound: Inbound, client: Client) -> None:
        assert isinstance(client, Caller)
        client.follow(valve)
        client.will_close = True
        client.write(b"a" * size)
        assert valve.calls == ["pause"]
        late = Valve()
        client.follow(late)
        assert late.calls == ["pause"], "a source that comes later is held at once"
        client.follow(valve)
        assert not client.is_flushed
        await client.flushed()
        assert client.is_flushed
        client.follow(None)

    async with open_house() as (house, address, _):
        house.handle = answer  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/"))
        await asyncio.sleep(0.05)
        assert len(await reader.read()) == size
        writer.close()
    assert valve.calls[-1] == "resume"


@pytest.mark.parametrize("must_reset", [False, True])
async def test_a_cut_comes_after_all_that_was_written(must_reset: bool) -> None:
    size = 4 << 20

    async def answer(inbound: Inbound, client: Client) -> None:
        client.write(b"a" * size)
        client.cut(must_reset)
        if not client.is_flushed:
            await client.flushed()

    async with open_house() as (house, address, _):
        house.handle = answer  # type: ignore[method-assign]  # plays the pipeline
        reader, writer = await call(address, get("/"))
        await asyncio.sleep(0.05)
        got = 0
        was_reset = False
        try:
            while data := await reader.read(65536):
                got += len(data)
        except ConnectionResetError:
            was_reset = True
        assert was_reset is must_reset
        if not must_reset:
            assert got == size
        writer.close()
