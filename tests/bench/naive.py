"""The yardstick: how one would write this relay on aiohttp's public API. No metering, no rules.

python -m tests.bench.naive PORT ORIGIN
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

_NOT_ON = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def make(origin: str, session: aiohttp.ClientSession) -> web.Application:
    async def relay(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _NOT_ON]
        async with session.request(
            request.method,
            origin + request.path_qs,
            headers=headers,
            data=body,
            allow_redirects=False,
        ) as answer:
            down = [(k, v) for k, v in answer.headers.items() if k.lower() not in _NOT_ON]
            response = web.StreamResponse(status=answer.status, headers=down)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", relay)
    return app


async def main(port: int, origin: str) -> None:
    async with aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
    ) as session:
        runner = web.AppRunner(make(origin, session), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
