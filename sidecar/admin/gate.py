"""Who may ask the admin port, and how it says no.

Knows: the Host and Origin rules, the shape of an error, the headers that every answer bears.
Must not know: what the pages show.
Why one middleware around everything: a path that does not exist must be as closed to a foreign
web page as one that does, and must answer in the same shape.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from sidecar.policies import hosts

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageError(Exception):
    """The request cannot be answered as asked; raised by the pages."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error(status: int, code: str, message: str) -> web.Response:
    """`{"error": {"code", "message"}}`."""
    body = msgspec.json.encode({"error": {"code": code, "message": message}}) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json")


def make_gate(
    allowed_hosts: Callable[[], tuple[str, ...] | None], failed: Callable[[str], None]
) -> Middleware:
    """The middleware. `failed(text)` is told of a page that broke: that is a bug of ours."""

    @web.middleware
    async def gate(request: web.Request, handler: _Handler) -> web.StreamResponse:
        refusal = hosts.refuse(
            request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN), allowed_hosts()
        )
        if refusal is not None:
            return error(refusal.status, refusal.reason.value, refusal.message)
        try:
            return await handler(request)
        except PageError as problem:
            return error(problem.status, problem.code, str(problem))
        except web.HTTPMethodNotAllowed as problem:
            methods = ", ".join(sorted(problem.allowed_methods))
            answer = error(405, "method_not_allowed", f"this path answers {methods}")
            answer.headers[hdrs.ALLOW] = methods
            return answer
        except web.HTTPNotFound:
            return error(404, "not_found", "there is no such page; / lists them")
        except web.HTTPException as problem:
            phrase = HTTPStatus(problem.status).phrase
            return error(problem.status, phrase.lower().replace(" ", "_"), phrase)
        except Exception as problem:
            failed(f"{request.path}: {type(problem).__name__}: {problem}")
            return error(500, "internal_error", "this page failed; the log says why")

    return gate


async def dress(_: web.Request, response: web.StreamResponse) -> None:
    """Last touch on every answer: nothing to cache, nothing to guess, no name of the engine."""
    response.headers.pop(hdrs.SERVER, None)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
