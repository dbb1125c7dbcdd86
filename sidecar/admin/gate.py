"""Who may ask the admin port, and how it says no.

Knows: the Host and Origin rules, the token, the shape of an error, what every answer bears.
Must not know: what the pages show.
Why one middleware around everything: a path that does not exist must be as closed to a foreign
web page as one that does, and must answer in the same shape.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from sidecar.core.secret import Secret
from sidecar.policies import hosts

_COOKIE: Final = "sidecar_admin"
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
    allowed_hosts: Callable[[], tuple[str, ...] | None],
    token: Secret | None,
    failed: Callable[[str], None],
) -> Middleware:
    """The middleware. `failed(text)` is told of a page that broke: that is a bug of ours."""
    ticket = None if token is None else _Ticket(token)

    @web.middleware
    async def gate(request: web.Request, handler: _Handler) -> web.StreamResponse:
        refusal = hosts.refuse(
            request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN), allowed_hosts()
        )
        if refusal is not None:
            return error(refusal.status, refusal.reason.value, refusal.message)
        if ticket is not None:
            if ticket.is_in_query(request):
                return ticket.welcome()
            if not ticket.is_shown(request):
                return _unauthorized()
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


class _Ticket:
    """How a caller shows that it has the token: as a Bearer, or with the cookie that a browser
    gets for it. The cookie holds a digest, so that the token itself is not left lying there."""

    def __init__(self, token: Secret) -> None:
        self._token = token.reveal().encode()
        self._cookie = hmac.new(self._token, b"the cookie of the admin port", "sha256").hexdigest()

    def is_shown(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        cookie = request.cookies.get(_COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self._cookie.encode())

    def is_in_query(self, request: web.Request) -> bool:
        """A browser cannot set a header: it brings the token once, to the first page."""
        return request.path == "/" and self._is_token(request.query.get("token", ""))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    def welcome(self) -> web.StreamResponse:
        """Keep the digest, and take the token out of the address line."""
        response = web.Response(status=303, headers={hdrs.LOCATION: "/"})
        response.set_cookie(_COOKIE, self._cookie, httponly=True, samesite="Strict", path="/")
        return response


def _unauthorized() -> web.Response:
    message = "admin.token is needed: Authorization: Bearer, or /?token= in a browser"
    answer = error(401, "unauthorized", message)
    answer.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return answer


async def dress(_: web.Request, response: web.StreamResponse) -> None:
    """Last touch on every answer: nothing to cache, nothing to guess, no name of the engine."""
    response.headers.pop(hdrs.SERVER, None)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
