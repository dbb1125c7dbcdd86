"""The SDKs of OpenAI, Anthropic, Google, Mistral, Cohere and Ollama: the same direct and through,
and of one mind with the meter.

The simulated providers run as `sidecar mock`, the relay as `sidecar run`; each call is made at both
with the same model name, so that it must have the same answer.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import anthropic
import cohere
import mistralai.client
import ollama
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from .relay import Relay, Row, free_port

# Google's SDK inherits from a session of aiohttp, which warns of that.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

MODEL = "mock,ttft=5ms,gap=15ms,tokens=12,reasoning=3"
BROKEN = "mock,ttft=1ms,status=429"
TALK = [{"role": "user", "content": "Grüße 🎉"}]


@dataclass(frozen=True)
class Told:
    """What an SDK made of an answer."""

    text: str
    output_tokens: int | None
    input_tokens: int | None


@pytest.fixture(scope="module")
def simulated() -> Iterator[str]:
    """The origin of a `sidecar mock`."""
    port = free_port()
    mock = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "mock", "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 15
    while True:
        try:
            urllib.request.urlopen(f"{url}/v1/models", timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    yield url
    mock.terminate()
    assert mock.wait(10) == 0


@pytest.fixture(scope="module")
def through(simulated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """The relay, with the known names in front of the simulated providers."""
    names = ("gemini", "mistral", "cohere", "ollama", "bedrock", "openai", "anthropic")
    upstreams = "".join(f'  {name}: {{url: "{simulated}"}}\n' for name in names)
    relay = Relay(tmp_path_factory.mktemp("sdks"), upstreams)
    yield relay
    relay.assert_settled()
    assert relay.stop() == 0


def base(relay: Relay, name: str) -> str:
    return f"http://{relay.data[0]}:{relay.data[1]}/{name}"


@cache  # one that nobody holds closes itself
def google(url: str) -> genai.Client:
    return genai.Client(api_key="none", http_options=types.HttpOptions(base_url=url))


def google_whole(url: str) -> Told:
    answer = google(url).models.generate_content(model=MODEL, contents="Grüße 🎉")
    return google_told(answer.text or "", answer.usage_metadata)


def google_streamed(url: str) -> Told:
    chunks = list(google(url).models.generate_content_stream(model=MODEL, contents="Grüße 🎉"))
    return google_told("".join(c.text or "" for c in chunks), chunks[-1].usage_metadata)


async def google_async(url: str) -> Told:
    held = google(f"{url}/")
    client = held.aio
    chunks = [
        chunk
        async for chunk in await client.models.generate_content_stream(
            model=MODEL, contents="Grüße 🎉"
        )
    ]
    return google_told("".join(c.text or "" for c in chunks), chunks[-1].usage_metadata)


def google_told(text: str, usage: Any) -> Told:
    made = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    return Told(text, made, usage.prompt_token_count)


def mistral(url: str) -> Any:
    return mistralai.client.Mistral(api_key="none", server_url=url)


def mistral_whole(url: str) -> Told:
    answer = mistral(url).chat.complete(model=MODEL, messages=TALK)
    usage = answer.usage
    return Told(answer.choices[0].message.content, usage.completion_tokens, usage.prompt_tokens)


def mistral_streamed(url: str) -> Told:
    with mistral(url).chat.stream(model=MODEL, messages=TALK) as events:
        text = "".join(
            choice.delta.content or ""
            for event in events
            for choice in event.data.choices
            if isinstance(choice.delta.content, str)
        )
    return Told(text, None, None)


def cohere_whole(url: str) -> Told:
    answer = cohere.ClientV2("none", base_url=url).chat(model=MODEL, messages=TALK)
    text = "".join(part.text for part in answer.message.content if part.type == "text")
    tokens = answer.usage.tokens
    return Told(text, int(tokens.output_tokens), int(tokens.input_tokens))


def cohere_streamed(url: str) -> Told:
    text, usage = "", None
    client = cohere.ClientV2("none", base_url=url)
    for event in client.chat_stream(model=MODEL, messages=TALK):
        if event.type == "content-delta":
            text += event.delta.message.content.text or ""
        elif event.type == "message-end":
            usage = event.delta.usage.tokens
    assert usage is not None
    return Told(text, int(usage.output_tokens), int(usage.input_tokens))


def ollama_whole(url: str) -> Told:
    answer = ollama.Client(host=url).chat(model=MODEL, messages=TALK)
    return Told(answer.message.content or "", answer.eval_count, answer.prompt_eval_count)


def ollama_streamed(url: str) -> Told:
    lines = list(ollama.Client(host=url).generate(model=MODEL, prompt="Grüße 🎉", stream=True))
    last = lines[-1]
    return Told("".join(x.response or "" for x in lines), last.eval_count, last.prompt_eval_count)


async def ollama_async(url: str) -> Told:
    stream = await ollama.AsyncClient(host=url).chat(model=MODEL, messages=TALK, stream=True)
    lines = [line async for line in stream]
    text = "".join(line.message.content or "" for line in lines)
    return Told(text, lines[-1].eval_count, lines[-1].prompt_eval_count)


def chatter(url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)


def openai_chat(url: str) -> Told:
    chunks = list(
        chatter(url).chat.completions.create(
            model=MODEL, messages=TALK, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    usage = chunks[-1].usage
    return Told(text, usage.completion_tokens, usage.prompt_tokens)


def openai_responses(url: str) -> Told:
    with chatter(url).responses.stream(model=MODEL, input="Grüße 🎉") as stream:
        answer = stream.get_final_response()
    assert answer.usage is not None
    return Told(answer.output_text, answer.usage.output_tokens, answer.usage.input_tokens)


def anthropic_messages(url: str) -> Told:
    client = anthropic.Anthropic(api_key="none", base_url=url, max_retries=0)
    with client.messages.stream(model=MODEL, max_tokens=99, messages=TALK) as stream:
        answer = stream.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    return Told(text, answer.usage.output_tokens, answer.usage.input_tokens)


CALLS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "openai, chat": ("openai", openai_chat),
    "openai, responses": ("openai", openai_responses),
    "anthropic, streamed": ("anthropic", anthropic_messages),
    "google, whole": ("gemini", google_whole),
    "google, streamed": ("gemini", google_streamed),
    "google, async": ("gemini", google_async),
    "mistral, whole": ("mistral", mistral_whole),
    "mistral, streamed": ("mistral", mistral_streamed),
    "cohere, whole": ("cohere", cohere_whole),
    "cohere, streamed": ("cohere", cohere_streamed),
    "ollama, whole": ("ollama", ollama_whole),
    "ollama, streamed": ("ollama", ollama_streamed),
    "ollama, async": ("ollama", ollama_async),
}


def called(call: Callable[[str], Any], url: str) -> Told:
    told: Told = asyncio.run(call(url)) if asyncio.iscoroutinefunction(call) else call(url)
    return told


def last_record(relay: Relay) -> Row:
    return relay.records("limit=1")[0]


@pytest.mark.parametrize(("name", "call"), CALLS.values(), ids=CALLS)
def test_an_sdk_gets_the_same_and_counts_what_we_count(
    simulated: str, through: Relay, name: str, call: Callable[[str], Any]
) -> None:
    direct = called(call, simulated)
    assert called(call, base(through, name)) == direct
    assert direct.text.startswith("The quick brown")
    record = last_record(through)
    assert record["outcome"] == "ok"
    assert record["upstream"] == name
    assert record["request_model"] == MODEL
    if direct.output_tokens is not None:
        assert record["usage_source"] == "reported"
        assert record["usage"]["output_tokens"] == direct.output_tokens == 12
        assert record["usage"]["input_tokens"] == direct.input_tokens
    if record["stream"]:
        assert record["output_events"] == 12
        assert record["ttft_ms"] is not None
        assert record["ttfa_ms"] > record["ttft_ms"]


def refused(call: Callable[[], Any]) -> str:
    try:
        call()
    except Exception as error:
        return type(error).__name__
    raise AssertionError("no error was raised")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (
            "gemini",
            lambda url: google(url).models.generate_content(model=BROKEN, contents="hi"),
        ),
        ("mistral", lambda url: mistral(url).chat.complete(model=BROKEN, messages=TALK)),
        ("ollama", lambda url: ollama.Client(host=url).chat(model=BROKEN, messages=TALK)),
    ],
    ids=["google", "mistral", "ollama"],
)
def test_an_sdk_raises_the_same_error(
    simulated: str, through: Relay, name: str, call: Callable[[str], Any]
) -> None:
    assert refused(lambda: call(base(through, name))) == refused(lambda: call(simulated))
    record = last_record(through)
    assert (record["outcome"], record["status"]) == ("upstream_429", 429)
    assert record["error"]["message"]


def test_a_stream_that_breaks_is_an_error_at_googles_sdk_too(through: Relay) -> None:
    model = "mock,ttft=1ms,gap=1ms,tokens=9,fault=error@4"
    stream = google(base(through, "gemini")).models.generate_content_stream(
        model=model, contents="hi"
    )
    with pytest.raises(google_errors.APIError):
        list(stream)
    record = last_record(through)
    assert (record["outcome"], record["output_events"]) == ("stream_error", 4)
    assert record["error"]["type"] == "UNAVAILABLE"


def test_a_converse_stream_is_measured_and_a_signed_one_explained(through: Relay) -> None:
    body = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
    path = "/model/mock%2Cttft%3D1ms%2Cgap%3D1ms%2Ctokens%3D8/converse-stream"

    def ask(key: str) -> tuple[int, bytes]:
        request = urllib.request.Request(base(through, "bedrock") + path, body)
        request.add_header("authorization", key)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    status, data = ask("Bearer bedrock-api-key-none")
    assert status == 200
    assert data.count(b"contentBlockDelta") == 8
    record = last_record(through)
    assert (record["operation"], record["request_model"]) == (
        "chat", "mock,ttft=1ms,gap=1ms,tokens=8",
    )  # fmt: skip
    assert (record["output_events"], record["usage"]["output_tokens"]) == (8, 8)
    status, data = ask("AWS4-HMAC-SHA256 Credential=AKIA/20261123/eu-west-1/bedrock/aws4_request")
    assert status == 400
    assert b"AWS_BEARER_TOKEN_BEDROCK" in data
    record = last_record(through)
    assert (record["outcome"], record["reason"]) == ("refused", "bad_request")
