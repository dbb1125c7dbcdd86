"""All connections are known, and end together."""

from __future__ import annotations

import asyncio

from .test_listener import call, get, open_house


async def test_every_open_connection_is_known() -> None:
    async with open_house() as (_, address, listener):
        writers = [(await call(address))[1] for _ in range(3)]
        await asyncio.sleep(0.02)
        assert len(listener._server.callers) == 3
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.02)
        assert listener._server.callers == []


async def test_ending_all_waits_until_all_that_was_served_is_settled() -> None:
    async with open_house() as (house, address, listener):
        house.hangs = True
        connected = [await call(address, get("/")) for _ in range(3)]
        await listener.end_all()
        assert house.cancelled == 3
        for reader, writer in connected:
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()
