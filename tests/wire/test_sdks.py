"""The official SDKs cannot tell the sidecar from the provider.

Each call is made twice, direct and through the relay, against the same scripted answers. It must
give the same value, or the same exception with the same status and body, and the provider must
see the same requests, byte for byte but for Host.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest

from . import transcript
from .caller import LAST_CHUNK, chunk
from .conftest import Side
from .origin import Script, answer
from .relay import Relay

_TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}
_CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Grüße 🎉"}],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": _TOOL}}],
}
_RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "hello"}
_MESSAGE: dict[str, Any] = {
    "model": "claude-any",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Grüße 🎉"}],
    "tools": [{"name": "weather", "input_schema": _TOOL}],
}


def _error(status: int, body: object, *headers: bytes) -> Script:
    raw = json.dumps(body).encode()
    lines = [b"HTTP/1.1 %d Sorry" % status, b"content-type: application/json", *headers]
    lines.append(b"content-length: %d" % len(raw))
    return answer(b"\r\n".join(lines) + b"\r\n\r\n" + raw)


def _openai_error(status: int, *headers: bytes) -> Script:
    error = {"message": "no", "type": "t", "param": None, "code": f"c{status}"}
    return _error(status, {"error": error}, b"x-request-id: req_1", *headers)


def _anthropic_error(status: int, *headers: bytes) -> Script:
    body = {"type": "error", "error": {"type": "some_error", "message": "no"}, "request_id": "r"}
    return _error(status, body, b"request-id: req_1", *headers)


def _recorded(name: str) -> tuple[Script]:
    return (transcript.read(name).whole(),)


def _stream_of(name: str) -> tuple[Script, ...]:
    """Recorded events, chunked, in the recorded pieces where it has some."""
    recorded = transcript.read(name)
    return (recorded.in_pieces() or recorded.whole(),)


def _cut(name: str) -> tuple[Script]:
    return (transcript.read(name).cut(),)


@dataclass(frozen=True, slots=True)
class Case:
    """A path of the provider, what it answers in turn, and the call that asks for it."""

    path: str
    scripts: tuple[Script, ...]
    call: Callable[[Any], Any]
    requests: int = 1


_QUICK = b"retry-after-ms: 5"


def _openai_cases() -> Iterator[tuple[str, Case]]:
    chat, responses = "/v1/chat/completions", "/v1/responses"

    def ask(client: Any) -> Any:
        return client.chat.completions.create(**_CHAT)

    def stream(client: Any) -> Any:
        return client.chat.completions.create(**_CHAT, stream=True)

    yield "chat", Case(chat, _recorded("openai-chat.openai.json.01"), ask)
    yield "chat-tools", Case(chat, _recorded("openai-chat.openai.json.tools.01"), ask)
    for name in (
        "openai.stream.01",
        "openai.stream.tools.01",
        "deepseek.constructed.keep-alive-comments.01",
        "openai.constructed.bom-comments-framing.01",
        "openai.constructed.error-mid-stream.01",
        "openai.constructed.no-blank-line-at-end.01",
    ):
        yield f"chat-{name}", Case(chat, _stream_of(f"openai-chat.{name}"), stream)
    yield "chat-cut", Case(chat, _cut("openai-chat.openai.truncated.mid-event.01"), stream)
    yield "chat-stream-400", Case(chat, (_openai_error(400),), stream)
    for status in (400, 401, 403, 404, 422):
        yield f"chat-{status}", Case(chat, (_openai_error(status),), ask)
    for status in (408, 409, 429, 500, 503, 529):
        yield f"chat-{status}", Case(chat, (_openai_error(status, _QUICK),), ask, requests=3)
    again = (_openai_error(503, _QUICK), *_recorded("openai-chat.openai.json.01"))
    yield "chat-503-then-200", Case(chat, again, ask, requests=2)
    no = _openai_error(500, b"x-should-retry: false")
    yield "chat-500-do-not-retry", Case(chat, (no,), ask)
    html = _recorded("openai-chat.gateway.constructed.html-502.01")
    yield "chat-html", Case(chat, html, lambda c: ask(c.with_options(max_retries=0)))
    yield (
        "responses",
        Case(
            responses,
            _recorded("openai-responses.openai.json.tools.01"),
            lambda c: c.responses.create(**_RESPONSE),
        ),
    )
    for name in ("stream.01", "stream.reasoning-tools.01", "stream.error-quota.01"):
        yield (
            f"responses-{name}",
            Case(
                responses,
                _stream_of(f"openai-responses.openai.{name}"),
                lambda c: c.responses.create(**_RESPONSE, stream=True),
            ),
        )
    yield (
        "embeddings",
        Case(
            "/v1/embeddings",
            _recorded("openai-embeddings.openai.json.01"),
            lambda c: c.embeddings.create(model="m", input=["a", "b"]),
        ),
    )
    yield (
        "models",
        Case(
            "/v1/models",
            (_error(200, {"object": "list", "data": [{"id": "m", "object": "model"}]}),),
            lambda c: c.models.list(),
        ),
    )
    yield (
        "upload",
        Case(
            "/v1/files",
            (_error(200, {"id": "f", "object": "file", "bytes": 3}),),
            lambda c: c.files.create(file=("é.jsonl", b'{"a": 1}'), purpose="batch"),
        ),
    )


def _anthropic_cases() -> Iterator[tuple[str, Case]]:
    path = "/v1/messages"

    def ask(client: Any) -> Any:
        return client.messages.create(**_MESSAGE)

    def stream(client: Any) -> Any:
        return client.messages.create(**_MESSAGE, stream=True)

    yield "message", Case(path, _recorded("anthropic-messages.anthropic.json.reasoning.01"), ask)
    yield "tools", Case(path, _recorded("anthropic-messages.anthropic.json.tools.01"), ask)
    for name in (
        "stream.01",
        "stream.reasoning-tools.01",
        "constructed.overloaded-mid-stream.01",
        "constructed.error-first.01",
    ):
        yield name, Case(path, _stream_of(f"anthropic-messages.anthropic.{name}"), stream)
    yield "cut", Case(path, _cut("anthropic-messages.anthropic.truncated.mid-event.01"), stream)
    for status in (400, 401, 403, 404, 413):
        yield f"{status}", Case(path, (_anthropic_error(status),), ask)
    for status in (429, 500, 503, 529):
        yield f"{status}", Case(path, (_anthropic_error(status, _QUICK),), ask, requests=3)
    again = (
        _anthropic_error(529, _QUICK),
        *_recorded("anthropic-messages.anthropic.json.tools.01"),
    )
    yield "529-then-200", Case(path, again, ask, requests=2)
    yield (
        "models",
        Case(
            "/v1/models",
            (_error(200, {"data": [], "has_more": False, "first_id": None, "last_id": None}),),
            lambda c: c.models.list(),
        ),
    )


_CASES = [
    *((f"openai-{name}", openai, case) for name, case in _openai_cases()),
    *((f"anthropic-{name}", anthropic, case) for name, case in _anthropic_cases()),
]
_SYNC = {openai: openai.OpenAI, anthropic: anthropic.Anthropic}
_ASYNC = {openai: openai.AsyncOpenAI, anthropic: anthropic.AsyncAnthropic}
_BASE = {openai: "/v1", anthropic: ""}


@pytest.mark.parametrize(("sdk", "case"), [row[1:] for row in _CASES], ids=[r[0] for r in _CASES])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_sdk_gets_the_same_through_the_sidecar(
    relay: Relay, plain: Side, sdk: Any, case: Case, kind: str
) -> None:
    run = _run if kind == "sync" else _run_async

    def through(base: str) -> tuple[Any, list[tuple[bytes, bytes]]]:
        plain.origin.at(case.path, *case.scripts)
        told = run(sdk, base + _BASE[sdk], case)
        seen = plain.origin.seen(case.path)
        return told, [_without_host(one.head, bytes(one.body)) for one in seen]

    told, asked = through(f"http://127.0.0.1:{plain.origin.port}")
    assert len(asked) == case.requests
    told_by_relay, asked_by_relay = through(f"http://127.0.0.1:{relay.data[1]}{plain.prefix}")
    assert told_by_relay == told
    assert asked_by_relay == asked


def _without_host(head: bytes, body: bytes) -> tuple[bytes, bytes]:
    """What may differ taken out: Host, hop-by-hop Connection, and the multipart boundary that the
    SDK draws anew for each request."""
    lines = [
        line
        for line in head.split(b"\r\n")
        if not line.lower().startswith((b"host:", b"connection:"))
    ]
    head = b"\r\n".join(lines)
    mark = b"boundary="
    if mark in head:
        boundary = head.partition(mark)[2].partition(b"\r\n")[0]
        head, body = head.replace(boundary, b"*"), body.replace(boundary, b"*")
    return head, body


def _run(sdk: Any, base_url: str, case: Case) -> object:
    with _SYNC[sdk](api_key="k", base_url=base_url) as client:
        told: list[str] = []
        try:
            got = case.call(client)
            if isinstance(got, sdk.Stream):
                with got:
                    for event in got:
                        told.append(event.model_dump_json(warnings=False))
            else:
                told.append(got.model_dump_json(warnings=False))
        except Exception as error:
            return told, _told_of(error)
        return told, None


def _run_async(sdk: Any, base_url: str, case: Case) -> object:
    async def run() -> object:
        async with _ASYNC[sdk](api_key="k", base_url=base_url) as client:
            told: list[str] = []
            try:
                got = await case.call(client)
                if isinstance(got, sdk.AsyncStream):
                    async with got:
                        async for event in got:
                            told.append(event.model_dump_json(warnings=False))
                else:
                    told.append(got.model_dump_json(warnings=False))
            except Exception as error:
                return told, _told_of(error)
            return told, None

    return asyncio.run(run())


def _told_of(error: Exception) -> tuple[object, ...]:
    """What an application can read off an exception of an SDK."""
    assert not isinstance(error, Warning), error
    return (
        type(error),
        str(error),
        getattr(error, "status_code", None),
        getattr(error, "body", None),
        getattr(error, "request_id", None),
        getattr(error, "code", None),
    )


def test_the_sync_client_that_closes_after_done_is_ok_and_its_connection_is_reused(
    relay: Relay, side: Side
) -> None:
    """openai-python closes its stream at `[DONE]`; the last chunk may come a moment later."""
    event = b'data: {"id":"1","object":"chat.completion.chunk","choices":[]}\n\n'
    stream = answer(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk(event),
        chunk(b"data: [DONE]\n\n"),
        LAST_CHUNK,
    )
    target, path = side.script(stream, end="/v1/chat/completions")
    base_url = f"http://127.0.0.1:{relay.data[1]}" + target.removesuffix("/chat/completions")
    ids = [f"done-{relay.loop}{side.prefix[1:]}-{n}" for n in range(20)]
    for request_id in ids:
        with openai.OpenAI(api_key="k", base_url=base_url) as client:
            events = client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "x"}],
                stream=True,
                extra_headers={"x-request-id": request_id},
            )
            assert len(list(events)) == 1
        assert relay.record(request_id)["outcome"] == "ok"
    assert len({seen.connection for seen in side.origin.seen(path)}) == 1
