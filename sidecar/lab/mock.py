"""The simulated providers as a server, all on one port.

Knows: which path speaks which dialect, and how often a counted fault has struck.
Must not know: what the pieces say (dialects) or how they leave (performance).
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
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from sidecar.core.address import Address
from sidecar.core.errors import SidecarError, StartError
from sidecar.lab import anthropic, bedrock, cohere, dialects, gemini, ollama, openai
from sidecar.lab.dialects import ANTHROPIC, OPENAI, Body, Dialect
from sidecar.lab.performance import Performance, Provider
from sidecar.lab.reply import Stamp, generated_s, reply_to
from sidecar.lab.script import Fault, Script, parse_model

_MAX_BODY_BYTES: Final = 256 * 1024 * 1024
_MAX_COUNTED_MODELS: Final = 10_000
_BACKLOG: Final = 2048


class Mock:
    """A running mock. `requests` counts what came, by path."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.address = Address("127.0.0.1", 0)
        self._struck: dict[str, int] = {}
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._answers(dialects.CHAT)),
                web.post("/v1/responses", self._answers(dialects.RESPONSES)),
                web.post("/v1/completions", self._answers(dialects.COMPLETIONS)),
                web.post("/v1/audio/speech", self._speak),
                web.post("/v1/audio/transcriptions", self._transcribe),
                web.post("/v1/images/generations", self._answers(dialects.PICTURES)),
                web.post("/v1/messages", self._answers(dialects.MESSAGES)),
                web.post("/v2/chat", self._answers(dialects.COHERE_CHAT)),
                web.post("/v2/embed", self._embed_at_cohere),
                web.post("/api/chat", self._answers(dialects.OLLAMA_CHAT, streams=True)),
                web.post("/api/generate", self._answers(dialects.OLLAMA_CHAT, streams=True)),
                web.post("/api/embed", self._embed_at_ollama),
                web.get("/api/tags", self._tags),
                web.post("/model/{name}/converse", self._converse),
                web.post("/model/{name}/converse-stream", self._converse),
                web.post(r"/{version:v1|v1beta}/models/{name:[^/]+}:{verb:\w+}", self._generate),
                web.post(
                    r"/{version:v1|v1beta1}/projects/{where:.+}/publishers/google/models/"
                    r"{name:[^/]+}:{verb:\w+}",
                    self._generate,
                ),
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

    def _answers(
        self, dialect: Dialect, *, streams: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler of a path whose body says what is wanted. `streams`: unless it says no."""

        async def handler(request: web.Request) -> web.StreamResponse:
            stamp = self._arrived(request)
            try:
                body, script = await _read(request)
            except openai.BadBodyError as error:
                return _refusal(dialect.provider, stamp, error)
            is_stream = body.get("stream", streams) is True
            return await self._perform(request, dialect, stamp, body, script, is_stream)

        return handler

    async def _perform(
        self,
        request: web.Request,
        dialect: Dialect,
        stamp: Stamp,
        body: Body,
        script: Script,
        is_stream: bool,
    ) -> web.StreamResponse:
        performance = Performance(request, dialect.provider, stamp, script, self._due(script))
        if (answer := await performance.instead()) is not None:
            return answer
        reply = reply_to(script, dialect.wish(body))
        if is_stream:
            return await performance.stream(
                dialect.stream(reply, body, script.model, stamp),
                lambda events: dialect.failure(reply, body, script.model, stamp, events),
                dialect.stream_type,
            )
        whole = dialect.whole(reply, body, script.model, stamp)
        due_s = generated_s(script, reply.output_tokens)
        return await performance.whole(whole, due_s, dialect.whole_type)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        """Gemini and Vertex: model and wish stand in the path."""
        stamp, verb = self._arrived(request), request.match_info["verb"]
        dialect = dialects.GENERATE
        try:
            body, script = await _read(request, request.match_info["name"])
        except openai.BadBodyError as error:
            return _refusal(dialect.provider, stamp, error)
        if verb == "countTokens":
            return dialect.provider.json(stamp, gemini.count_tokens_json(body))
        if verb not in ("generateContent", "streamGenerateContent"):
            return await self._unknown(request)
        is_stream = verb == "streamGenerateContent"
        if is_stream and request.query.get("alt") != "sse":
            dialect = dialects.GENERATE_ARRAY
        return await self._perform(request, dialect, stamp, body, script, is_stream)

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        """Bedrock: the model stands in the path."""
        stamp, dialect = self._arrived(request), dialects.CONVERSE
        if request.headers.get("authorization", "").startswith(bedrock.SIGNED):
            refusal = openai.BadBodyError(bedrock.WHY_NOT_SIGNED)
            return _refusal(dialect.provider, stamp, refusal)
        try:
            body, script = await _read(request, request.match_info["name"])
        except openai.BadBodyError as error:
            return _refusal(dialect.provider, stamp, error)
        is_stream = request.path.endswith("-stream")
        return await self._perform(request, dialect, stamp, body, script, is_stream)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        stamp, dialect = self._arrived(request), dialects.SPEECH
        try:
            body, script = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(dialect.provider, stamp, error)
        is_stream = body.get("stream_format") == "sse"
        return await self._perform(request, dialect, stamp, body, script, is_stream)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        """The one that is asked for with a form."""
        stamp, dialect = self._arrived(request), dialects.TRANSCRIPTS
        form = await request.post()
        body = {key: value for key, value in form.items() if isinstance(value, str)}
        try:
            script = _script_of(body.get("model"))
        except openai.BadBodyError as error:
            return _refusal(dialect.provider, stamp, error)
        is_stream = body.get("stream") == "true"
        return await self._perform(request, dialect, stamp, body, script, is_stream)

    async def _embed_at_cohere(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, _ = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(dialects.COHERE, stamp, error)
        return dialects.COHERE.json(stamp, cohere.embed_json(body, stamp))

    async def _embed_at_ollama(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, script = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(dialects.OLLAMA, stamp, error)
        return dialects.OLLAMA.json(stamp, ollama.embed_json(body, script.model))

    async def _tags(self, request: web.Request) -> web.StreamResponse:
        return dialects.OLLAMA.json(self._arrived(request), ollama.tags_json())

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, script = await _read(request)
            whole = openai.embeddings_json(body, script.model)
        except openai.BadBodyError as error:
            return _refusal(OPENAI, stamp, error)
        performance = Performance(request, OPENAI, stamp, script, self._due(script))
        if (answer := await performance.instead()) is not None:
            return answer
        return await performance.whole(whole, script.ttft_s)

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        stamp = self._arrived(request)
        try:
            body, _ = await _read(request)
        except openai.BadBodyError as error:
            return _refusal(ANTHROPIC, stamp, error)
        return ANTHROPIC.json(stamp, anthropic.count_tokens_json(body))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        stamp, provider = self._arrived(request), _provider_of(request)
        name = request.match_info.get("name")
        if name is None:
            of_all = anthropic.models_json if provider is ANTHROPIC else openai.models_json
            return provider.json(stamp, of_all())
        try:
            parse_model(name)
        except SidecarError as error:
            return _refusal(provider, stamp, openai.BadBodyError(str(error), "model"))
        of_one = anthropic.model_json if provider is ANTHROPIC else openai.model_json
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
    return ANTHROPIC if "anthropic-version" in request.headers else OPENAI


async def _read(request: web.Request, model: str | None = None) -> tuple[Body, Script]:
    """The body and what its model name asks for; `model`: the one of the path. Raises
    BadBodyError."""
    try:
        body = msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise openai.BadBodyError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise openai.BadBodyError("the body is not a JSON object")
    return body, _script_of(body.get("model") if model is None else model)


def _script_of(model: object) -> Script:
    if not isinstance(model, str) or not model:
        raise openai.BadBodyError("you must provide a model", "model")
    try:
        return parse_model(model)
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
        f"simulated providers on {mock.url}, steered by model names such as"
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
