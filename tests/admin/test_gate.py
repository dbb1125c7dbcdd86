"""Who may ask, and how a no looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from sidecar.admin import gate
from sidecar.core.secret import Secret

_Check = Callable[[ClientSession, str], Awaitable[None]]


def _serve(
    check: _Check,
    allowed: tuple[str, ...] | None,
    failed: list[str],
    token: Secret | None = None,
) -> None:
    async def fine(_: web.Request) -> web.Response:
        return web.Response(text="fine")

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("a bug")

    async def too_large(_: web.Request) -> web.Response:
        raise web.HTTPRequestEntityTooLarge(1, 2)

    async def run() -> None:
        app = web.Application(middlewares=[gate.make_gate(lambda: allowed, token, failed.append)])
        app.router.add_get("/fine", fine)
        app.router.add_get("/broken", broken)
        app.router.add_get("/too-large", too_large)
        app.on_response_prepare.append(gate.dress)
        async with TestServer(app) as server, ClientSession() as session:
            await check(session, str(server.make_url("")).rstrip("/"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/fine", {"Host": "evil.example"}, 421, "misdirected_host"),
        ("/fine", {"Host": "127.0.0.1.evil.example:8486"}, 421, "misdirected_host"),
        ("/nothing", {"Host": "evil.example"}, 421, "misdirected_host"),
        ("/fine", {"Origin": "https://evil.example"}, 403, "origin_forbidden"),
        ("/fine", {"Origin": "null"}, 403, "origin_forbidden"),
        ("/nothing", {}, 404, "not_found"),
        ("/broken", {}, 500, "internal_error"),
        ("/too-large", {}, 413, "request_entity_too_large"),
    ],
)
def test_a_no_has_a_code_and_a_message(
    path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + path, headers=headers) as answer:
            assert answer.status == status
            assert answer.content_type == "application/json"
            error = (await answer.json())["error"]
        assert set(error) == {"code", "message"}
        assert error["code"] == code
        assert "evil.example" not in error["message"] or code == "misdirected_host"

    _serve(check, ("127.0.0.1", "localhost"), [])


@pytest.mark.parametrize(
    "headers", [{}, {"Host": "localhost:1"}, {"Origin": "http://localhost:8486"}]
)
def test_the_names_that_are_allowed_pass(headers: dict[str, str]) -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + "/fine", headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, "fine")

    _serve(check, ("127.0.0.1", "localhost"), [])


def test_with_any_host_allowed_nobody_is_refused() -> None:
    async def check(session: ClientSession, url: str) -> None:
        headers = {"Host": "sidecar.example", "Origin": "https://other.example"}
        async with session.get(url + "/fine", headers=headers) as answer:
            assert answer.status == 200

    _serve(check, None, [])


def test_a_wrong_method_is_told_the_right_ones() -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.post(url + "/fine") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD"
            assert (await answer.json())["error"]["code"] == "method_not_allowed"

    _serve(check, None, [])


def test_a_page_that_breaks_is_reported_and_its_words_stay_here() -> None:
    failed: list[str] = []

    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + "/broken") as answer:
            assert "a bug" not in await answer.text()

    _serve(check, None, failed)
    assert failed == ["/broken: RuntimeError: a bug"]


@pytest.mark.parametrize("path", ["/fine", "/nothing", "/broken"])
def test_no_answer_names_the_engine_or_may_be_cached(path: str) -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + path) as answer:
            assert "Server" not in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    _serve(check, None, [])


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/fine", {}, 401),
        ("/nothing", {}, 401),
        ("/fine", {"Authorization": "Bearer wrong"}, 401),
        ("/fine", {"Authorization": "Basic canary"}, 401),
        ("/fine", {"Cookie": "sidecar_admin=canary"}, 401),
        ("/fine?token=canary", {}, 401),
        ("/fine", {"Authorization": "bearer canary"}, 200),
        ("/fine", {"Authorization": "Bearer canary", "Origin": "https://evil.example"}, 403),
    ],
)
def test_with_a_token_nobody_gets_in_without_it(
    path: str, headers: dict[str, str], status: int
) -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + path, headers=headers) as answer:
            assert answer.status == status
            assert "canary" not in await answer.text()

    _serve(check, None if "Origin" not in headers else ("127.0.0.1",), [], Secret("canary"))


def test_a_browser_brings_it_once_and_keeps_a_digest() -> None:
    async def check(session: ClientSession, url: str) -> None:
        async with session.get(url + "/?token=canary", allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.headers["Set-Cookie"]
        assert "canary" not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        async with session.get(url + "/fine", headers={"Cookie": cookie.split(";")[0]}) as answer:
            assert answer.status == 200

    _serve(check, None, [], Secret("canary"))
