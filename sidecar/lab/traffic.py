"""Small mixed traffic through a proxy, watched from the caller's side.

Knows: what applications send (chat, responses, messages, embeddings; now and then something that
is scripted to fail) and how to read what comes back.
Must not know: what the proxy measured; the demo shows both side by side.
Bounded: so many callers, each with one request at a time and a pause after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import msgspec

CALLERS: Final = 6
PAUSE_S: Final = 0.25
_KEPT_TIMES: Final = 2_000
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=5)


@dataclass(frozen=True, slots=True)
class Errand:
    """One kind of request."""

    name: str
    path: str
    body: Mapping[str, object]
    is_anthropic: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """As the SDKs send them; the keys are none."""
        if self.is_anthropic:
            return {"anthropic-version": "2023-06-01", "x-api-key": "no-key-needed"}
        return {"authorization": "Bearer no-key-needed"}


_HELLO: Final = [{"role": "user", "content": "Say something about sidecars."}]


def _chat(model: str, stream: bool = True) -> Errand:
    body: dict[str, object] = {"model": model, "messages": _HELLO}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Errand("chat", "/v1/chat/completions", body)


def _messages(model: str) -> Errand:
    body = {"model": model, "messages": _HELLO, "max_tokens": 500, "stream": True}
    return Errand("messages", "/v1/messages", body, is_anthropic=True)


def _response(model: str) -> Errand:
    body = {"model": model, "input": "Say something about sidecars.", "stream": True}
    return Errand("responses", "/v1/responses", body)


def _embedding(model: str) -> Errand:
    body = {"model": model, "input": ["one", "two"], "dimensions": 256}
    return Errand("embeddings", "/v1/embeddings", body)


# Real names are played with default times; they have prices, which the demo shows.
_GOOD: Final = (
    _messages("claude-sonnet-4-5"),
    _chat("gpt-4o-mini", stream=False),
    _chat("gpt-4o"),
    _chat("mock,ttft=180ms,gap=10ms,tokens=80"),
    _embedding("mock,ttft=40ms"),
    _response("mock,ttft=350ms,gap=20ms,tokens=40"),
    _messages("mock,ttft=500ms,gap=20ms,tokens=50,reasoning=20"),
    _chat("mock,ttft=600ms,gap=30ms,tokens=30"),
)
_BAD: Final = (
    _chat("mock,ttft=200ms,gap=20ms,fault=cut@8"),
    _chat("mock,fault=status=503"),
    _messages("mock,ttft=300ms,gap=20ms,fault=error@6"),
    _chat("mock,fault=status=429,retry-after=1"),
    _response("mock,ttft=200ms,gap=20ms,fault=reset@5"),
)


def errands() -> Iterator[Errand]:
    """The mix, endlessly: all the good ones twice, then one that will fail."""
    for bad in itertools.cycle(_BAD):
        yield from _GOOD
        yield from _GOOD
        yield bad


@dataclass(slots=True)
class Tally:
    """What the callers saw."""

    sent: int = 0
    in_flight: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    """`ok`, `status 503`, `cut`, `error event`, `broken connection`, `no connection`"""
    received_bytes: int = 0
    first_token_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_TIMES))
    """Request sent -> first event with a generated piece in it; of the last streams."""

    def first_token_quantile_s(self, ratio: float) -> float | None:
        """None before the first stream."""
        times = sorted(self.first_token_s)
        return times[min(len(times) - 1, int(len(times) * ratio))] if times else None


async def send_traffic(
    base_url: str,
    tally: Tally,
    over: asyncio.Event,
    *,
    callers: int = CALLERS,
    pause_s: float = PAUSE_S,
    limit: int | None = None,
) -> None:
    """Until `over` is set, or so many requests are answered. What is begun is finished."""
    endless = errands()
    supply = endless if limit is None else itertools.islice(endless, limit)

    async def caller(session: aiohttp.ClientSession) -> None:
        while not over.is_set() and (errand := next(supply, None)) is not None:
            await run_errand(session, base_url, errand, tally)
            # Callers that started together would else stay together.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s * random.uniform(0.5, 1.5)):
                    await over.wait()

    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller(session))


async def run_errand(
    session: aiohttp.ClientSession, base_url: str, errand: Errand, tally: Tally
) -> str:
    """Send one request, read its answer to the end, count it; returns how it ended."""
    tally.sent += 1
    tally.in_flight += 1
    has_answer = False
    try:
        began_at = time.perf_counter()
        async with session.post(
            base_url + errand.path, json=errand.body, headers=errand.headers
        ) as response:
            has_answer = True
            if response.status != 200:
                tally.received_bytes += len(await response.read())
                ending = f"status {response.status}"
            elif errand.body.get("stream") is True:
                ending = await _read_stream(response, began_at, tally)
            else:
                body = await response.read()
                tally.received_bytes += len(body)
                ending = "ok" if isinstance(_decoded(body), dict) else "cut"
    except (aiohttp.ClientError, OSError, TimeoutError):
        ending = "broken connection" if has_answer else "no connection"
    finally:
        tally.in_flight -= 1
    tally.endings[ending] += 1
    return ending


async def _read_stream(response: aiohttp.ClientResponse, began_at: float, tally: Tally) -> str:
    rest = b""
    is_first = True
    ending = "cut"
    async for data in response.content.iter_any():
        tally.received_bytes += len(data)
        *blocks, rest = (rest + data).split(b"\n\n")
        for block in blocks:
            data_line = block.rpartition(b"data: ")[2]
            if data_line == b"[DONE]":
                ending = "ok"
                continue
            event = _decoded(data_line)
            if not isinstance(event, dict):
                continue
            if is_first and is_generated(event):
                is_first = False
                tally.first_token_s.append(time.perf_counter() - began_at)
            if event.get("type") in _LAST_EVENTS:
                ending = "ok"
            elif event.get("error"):
                ending = "error event"
    return ending


_LAST_EVENTS: Final = frozenset({"message_stop", "response.completed", "response.incomplete"})
_PIECES: Final = (
    "content",
    "reasoning_content",
    "refusal",
    "tool_calls",
    "text",
    "thinking",
    "partial_json",
)


def is_generated(event: Mapping[str, object]) -> bool:
    """Does it carry a non-empty piece that the model made? Roles, pings and headers do not."""
    delta = event.get("delta")
    if isinstance(delta, str):
        return bool(delta)
    deltas = [delta]
    choices = event.get("choices")
    if isinstance(choices, list):
        deltas += [choice.get("delta") for choice in choices if isinstance(choice, dict)]
    return any(isinstance(one, dict) and any(one.get(key) for key in _PIECES) for one in deltas)


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
