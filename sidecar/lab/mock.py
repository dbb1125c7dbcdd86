"""The simulated providers as a server: OpenAI and Anthropic on one port.

Knows: which path speaks which dialect, and how often a counted fault has struck.
Must not know: what the pieces say (openai, responses, anthropic) or how they leave (performance).
Why the real public API of aiohttp and not our own engine: a fault suite that shares its sockets
with the proxy under test would also share its mistakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web

from sidecar.core.address import Address
from sidecar.core.errors import SidecarError, StartError
from sidecar.lab import anthropic, openai, responses
from sidecar.lab.performance import Performance, Provider
from sidecar.lab.reply import Piece, Reply, Stamp, Wish, generated_s, reply_to
from sidecar.lab.script import Fault, Script, parse_model

_MAX_BODY_BYTES: Final = 256 * 1024 * 1024
_MAX_COUNTED_MODELS: Final = 10_000
_BACKLOG: Final = 2048

_Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Dialect:
    provider: Provider
    wish: Callable[[_Body], Wish]
    stream: Callable[[Reply, _Body, str, Stamp], Iterator[Piece]]
    whole: Callable[[Reply, _Body, str, Stamp], bytes]
    failure: Callable[[Reply, _Body, str, Stamp, int], bytes]


_OPENAI: Final = Provider(
    openai.headers,
    openai.scripted_error,
    lambda status, message, param, stamp: openai.error(status, message, param),
)
_ANTHROPIC: Final = Provider(
    anthropic.headers,
    anthropic.scripted_error,
    lambda status, message, param, stamp: anthropic.error(
        status, f"{param}: {message}" if param else message, stamp
    ),
)
_CHAT: Final = _Dialect(
    _OPENAI, openai.chat_wish, openai.chat_stream, openai.chat_json, openai.chat_failure
)
_RESPONSES: Final = _Dialect(
    _OPENAI, responses.wish, responses.stream, responses.whole, responses.failure
)
_MESSAGES: Final = _Dialect(
    _ANTHROPIC, anthropic.wish, anthropic.stream, anthropic.whole, anthropic.failure
)


class Mock:
    """A running mock. `requests` counts what came, by path."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.address = Address("127.0.0.1", 0)
        self._struck: dict[str, int] = {}
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/responses", self._respond),
                web.post("/v1/messages", self._message),
                web.post("/v1/messages/count_tokens", self._count_tokens),
                web.post("/v1/embeddings", self._embed),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{name:.+}", self._models),
                web.route("*", "/{rest:.*}", self._unknown),
            ]
        )
        # Cancelled when the client leaves: else one that hangs would hang for ever.
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=0.2,
            keepalive_timeout=300.0,
        )

    @property
    def url(self) -> str:
        """The origin; no path."""
        return f"http://{self.address}"

    async def start(self, address: Address) -> None:
        """Listen; port 0 takes a free one. Raises StartError."""
        await self._runner.setup()
        port = address.port
        try:
            for host in address.hosts:
                await web.TCPSite(self._runner, host, port, backlog=_BACKLOG).start()
                port = self._runner.addresses[0][1]
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                why = "the port is taken"
            else:
                why = error.strerror or str(error)
            raise StartError(f"the mock cannot listen on {address}: {why}") from None
        self.address = Address(address.host, port)

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self._runner.cleanup()

    # --- what is asked ---------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._converse(request, _CHAT)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        return await self._converse(request, _RESPONSES)

    async def _message(self, request: web.Request) -> web.StreamResponse:
        return await self._converse(request, _MESSAGES)

    async def _converse(self, request: web.Request, dialect: _Dialect) -> web.StreamResponse:
        provider, stamp = dialect.provider, self._arrived(request)
        try:
            body, script = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(provider, stamp, error)
        performance = Performance(request, provider, stamp, script, self._due(script))
        if (answer := await performance.instead()) is not None:
            return answer
        reply = reply_to(script, dialect.wish(body))
        if body.get("stream") is True:
            return await performance.stream(
                dialect.stream(reply, body, script.model, stamp),
                lambda events: dialect.failure(reply, body, script.model, stamp, events),
            )
        whole = dialect.whole(reply, body, script.model, stamp)
        return await performance.whole(whole, generated_s(script, reply.output_tokens))

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, script = await _read(request)
            whole = openai.embeddings_json(body, script.model)
        except openai.BadBodyError as error:
            return _refusal(_OPENAI, stamp, error)
        performance = Performance(request, _OPENAI, stamp, script, self._due(script))
        if (answer := await performance.instead()) is not None:
            return answer
        return await performance.whole(whole, script.ttft_s)

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, _ = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(_ANTHROPIC, stamp, error)
        return _ANTHROPIC.json(stamp, anthropic.count_tokens_json(body))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        stamp, provider = self._arrived(request), _provider_of(request)
        name = request.match_info.get("name")
        if name is None:
            of_all = anthropic.models_json if provider is _ANTHROPIC else openai.models_json
            return provider.json(stamp, of_all())
        try:
            parse_model(name)
        except SidecarError as error:
            return _refusal(provider, stamp, openai.BadBodyError(str(error), "model"))
        of_one = anthropic.model_json if provider is _ANTHROPIC else openai.model_json
        return provider.json(stamp, of_one(name))

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        stamp, provider = self._arrived(request), _provider_of(request)
        message = f"Invalid URL ({request.method} {request.path})"
        return provider.json(stamp, provider.error(404, message, None, stamp), 404)

    def _arrived(self, request: web.Request) -> Stamp:
        self.requests[request.path] += 1
        return Stamp(secrets.token_hex(24), int(time.time()))

    def _due(self, script: Script) -> Fault | None:
        """The script's fault if it strikes this time."""
        fault = script.fault
        if fault is None or fault.times is None:
            return fault
        struck = self._struck.get(script.model, 0)
        if struck >= fault.times:
            return None
        if len(self._struck) >= _MAX_COUNTED_MODELS and script.model not in self._struck:
            del self._struck[next(iter(self._struck))]
        self._struck[script.model] = struck + 1
        return fault


def _provider_of(request: web.Request) -> Provider:
    """By the header that only Anthropic's callers send."""
    return _ANTHROPIC if "anthropic-version" in request.headers else _OPENAI


async def _read(request: web.Request) -> tuple[_Body, Script]:
    """The body and what its model name asks for. Raises BadBodyError."""
    try:
        body = msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise openai.BadBodyError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise openai.BadBodyError("the body is not a JSON object")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise openai.BadBodyError("you must provide a model", "model")
    try:
        return body, parse_model(model)
    except SidecarError as error:
        raise openai.BadBodyError(str(error), "model") from None


def _refusal(provider: Provider, stamp: Stamp, error: openai.BadBodyError) -> web.StreamResponse:
    return provider.json(stamp, provider.error(400, str(error), error.param, stamp), 400)


# --- as a command --------------------------------------------------------------------------------


async def start(address: Address) -> Mock:
    """A mock that listens. Port 0 takes a free one, see `Mock.url`. Raises StartError."""
    mock = Mock()
    await mock.start(address)
    return mock


def run(address: Address) -> int:
    """Serve until SIGINT or SIGTERM. Raises StartError."""
    _allow_many_sockets()
    # KeyboardInterrupt comes only where signal handlers cannot be set (Windows).
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        runner.run(_serve(address))
    return 0


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(address: Address) -> None:
    mock = await start(address)
    print(
        f"simulated OpenAI and Anthropic on {mock.url}, steered by model names such as"
        " mock,ttft=200ms,gap=20ms,tokens=100,fault=cut@50x3 (Ctrl-C ends it)",
        flush=True,
    )
    stopped = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await mock.stop()


def _allow_many_sockets() -> None:
    """macOS starts processes with 256 descriptors; a thousand streams need more."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
