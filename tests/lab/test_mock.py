"""The mock as the official SDKs see it, and as a server."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import aiohttp
import anthropic
import openai
import pytest

from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.lab.mock import Mock, start

from .conftest import Ask, Heard

_FAST = "mock,ttft=0ms,gap=0ms,tokens=9"
_TEXT = "The quick brown fox jumps over the lazy dog"
_HELLO = [{"role": "user", "content": "hello"}]
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture(scope="module")
def chatter(mock: Mock) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def claude(mock: Mock) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=mock.url, api_key="none", max_retries=0)


# --- OpenAI's SDK --------------------------------------------------------------------------------


def test_chat_streams(chatter: openai.OpenAI) -> None:
    with chatter.chat.completions.stream(
        model=_FAST,
        messages=_HELLO,  # type: ignore[arg-type]  # a plain dict is what users write
        stream_options={"include_usage": True},
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == _TEXT
    assert final.usage is not None
    assert final.usage.completion_tokens == 9


def test_chat_answers_whole(chatter: openai.OpenAI) -> None:
    answer = chatter.chat.completions.create(
        model=_FAST,
        messages=_HELLO,  # type: ignore[arg-type]  # plain dict
    )
    assert (answer.choices[0].message.content, answer.model) == (_TEXT, _FAST)
    assert (answer._request_id or "").startswith("req_")


@pytest.mark.parametrize("is_stream", [True, False])
def test_chat_calls_a_tool(chatter: openai.OpenAI, is_stream: bool) -> None:
    ask = {
        "model": "mock,ttft=0ms,gap=0ms,tools",
        "messages": _HELLO,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": _SCHEMA}}],
    }
    if is_stream:
        with chatter.chat.completions.stream(**ask) as stream:  # type: ignore[arg-type]  # plain dict
            answer = stream.get_final_completion()
    else:
        answer = chatter.chat.completions.create(**ask)  # type: ignore[call-overload]  # plain dict
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Zürich"}


def test_responses_stream_and_answer_whole(chatter: openai.OpenAI) -> None:
    with chatter.responses.stream(model=_FAST + ",reasoning=3", input="hello") as stream:
        streamed = stream.get_final_response()
    whole = chatter.responses.create(model=_FAST + ",reasoning=3", input="hello")
    assert streamed.output_text == whole.output_text == "The quick brown fox jumps over"
    assert whole.usage is not None
    assert whole.usage.output_tokens_details.reasoning_tokens == 3
    assert [item.type for item in streamed.output] == ["reasoning", "message"]


def test_embeddings_come_as_floats_and_as_base64(chatter: openai.OpenAI) -> None:
    ask = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 8}
    # The SDK asks for base64 by itself and unpacks it.
    packed = chatter.embeddings.create(**ask)  # type: ignore[arg-type]  # plain dict
    plain = chatter.embeddings.create(**ask, encoding_format="float")  # type: ignore[arg-type]  # plain dict
    assert [len(one.embedding) for one in packed.data] == [8, 8]
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding)


def test_models_are_listed_and_retrieved(chatter: openai.OpenAI) -> None:
    assert "gpt-4o" in [model.id for model in chatter.models.list()]
    assert chatter.models.retrieve("mock,tokens=5").id == "mock,tokens=5"
    with pytest.raises(openai.BadRequestError, match="unknown item"):
        chatter.models.retrieve("mock,nonsense")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=401", openai.AuthenticationError),
        ("status=404", openai.NotFoundError),
        ("status=429", openai.RateLimitError),
        ("status=503", openai.InternalServerError),
        ("error@3", openai.APIError),
        ("reset@3", openai.APIConnectionError),
        ("refuse", openai.APIConnectionError),
        ("tpyo", openai.BadRequestError),
    ],
)
def test_openais_sdk_raises_what_it_would_raise(
    chatter: openai.OpenAI, fault: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        for _ in chatter.chat.completions.create(
            model=f"{_FAST},fault={fault}",
            messages=_HELLO,  # type: ignore[arg-type]  # plain dict
            stream=True,
        ):
            pass


# --- Anthropic's SDK -----------------------------------------------------------------------------


def test_messages_stream_and_answer_whole(claude: anthropic.Anthropic) -> None:
    ask = {"model": _FAST + ",reasoning=3", "max_tokens": 100, "messages": _HELLO}
    with claude.messages.stream(**ask) as stream:  # type: ignore[arg-type]  # plain dict
        streamed = stream.get_final_message()
    whole = claude.messages.create(**ask)  # type: ignore[call-overload]  # plain dict
    assert [part.type for part in streamed.content] == ["thinking", "text"]
    assert [part.to_dict() for part in whole.content] == [
        {k: v for k, v in part.to_dict().items() if v is not None} for part in streamed.content
    ]
    assert streamed.usage.output_tokens == whole.usage.output_tokens == 9


@pytest.mark.parametrize("is_stream", [True, False])
def test_messages_call_a_tool(claude: anthropic.Anthropic, is_stream: bool) -> None:
    ask = {
        "model": "mock,ttft=0ms,gap=0ms",
        "max_tokens": 100,
        "messages": _HELLO,
        "tools": [{"name": "weather", "input_schema": _SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather"},
    }
    if is_stream:
        with claude.messages.stream(**ask) as stream:  # type: ignore[arg-type]  # plain dict
            answer = stream.get_final_message()
    else:
        answer = claude.messages.create(**ask)  # type: ignore[call-overload]  # plain dict
    assert answer.stop_reason == "tool_use"
    assert answer.content[0].to_dict()["input"] == {"city": "Zürich"}


def test_anthropics_models_and_token_counts(claude: anthropic.Anthropic) -> None:
    assert "claude-sonnet-5-5" in [model.id for model in claude.models.list()]
    assert claude.models.retrieve("claude-x").id == "claude-x"
    counted = claude.messages.count_tokens(model="claude-x", messages=_HELLO)  # type: ignore[arg-type]  # plain dict
    assert counted.input_tokens > 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=401", anthropic.AuthenticationError),
        ("status=429", anthropic.RateLimitError),
        ("status=529", anthropic.APIStatusError),
        ("error@3", anthropic.APIStatusError),
        ("refuse", anthropic.APIConnectionError),
        ("tpyo", anthropic.BadRequestError),
    ],
)
def test_anthropics_sdk_raises_what_it_would_raise(
    claude: anthropic.Anthropic, fault: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        for _ in claude.messages.create(
            model=f"{_FAST},fault={fault}",
            max_tokens=9,
            messages=_HELLO,  # type: ignore[arg-type]  # plain dict
            stream=True,
        ):
            pass


def test_an_sdk_that_retries_gets_through_a_fault_that_strikes_once(mock: Mock) -> None:
    model = _FAST + ",fault=status=503x1"
    patient = openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=2)
    before = mock.requests["/v1/chat/completions"]
    answer = patient.chat.completions.create(
        model=model,
        messages=_HELLO,  # type: ignore[arg-type]  # plain dict
    )
    assert answer.choices[0].message.content == _TEXT
    assert mock.requests["/v1/chat/completions"] - before == 2


# --- the server ----------------------------------------------------------------------------------


def test_a_counted_fault_is_counted_by_the_whole_model_name(ask: Ask) -> None:
    def status(model: str) -> bytes:
        heard: Heard = ask("/v1/messages", {"model": model})
        return heard.head.split()[1]

    one, other = "mock,ttft=0s,gap=0s,status=500x3", "mock,ttft=0s,gap=1ms,status=500x1"
    assert [status(one) for _ in range(5)] == [b"500", b"500", b"500", b"200", b"200"]
    assert [status(other) for _ in range(2)] == [b"500", b"200"]


def test_retry_after_goes_away_with_its_fault(ask: Ask) -> None:
    model = "mock,ttft=0s,gap=0s,fault=status=429x1,retry-after=2"
    assert b"retry-after: 2" in ask("/v1/messages", {"model": model}).head
    assert b"retry-after" not in ask("/v1/messages", {"model": model}).head
    # Real providers send it on good answers, too.
    unfailing = ask("/v1/messages", {"model": "mock,ttft=0s,gap=0s,retry-after=2"})
    assert b"retry-after: 2" in unfailing.head


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/chat/completions", b"{", "the body is not JSON"),
        ("/v1/responses", b"[]", "the body is not a JSON object"),
        ("/v1/embeddings", b"{}", "you must provide a model"),
        ("/v1/embeddings", b'{"model": "m"}', "input cannot be an empty string or list"),
        ("/v1/messages", b'{"model": "mock,x"}', "model: unknown item 'x'"),
        ("/v1/messages/count_tokens", b"", "the body is not JSON"),
    ],
)
def test_a_bad_request_is_told_in_the_providers_shape(
    mock: Mock, path: str, body: bytes, message: str
) -> None:
    request = urllib.request.Request(mock.url + path, body, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    told = json.loads(caught.value.read())
    assert caught.value.code == 400
    assert message in told["error"]["message"]
    assert (told.get("type") == "error") is ("messages" in path)


@pytest.mark.parametrize("header", [None, "anthropic-version"])
def test_an_unknown_path_is_404_in_the_shape_of_who_asks(mock: Mock, header: str | None) -> None:
    request = urllib.request.Request(
        f"{mock.url}/v1/nothing", headers={header: "x"} if header else {}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 404
    assert ("request_id" in json.loads(caught.value.read())) is (header is not None)


def test_a_thousand_streams_at_once_are_all_whole() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))

    async def run() -> list[bool]:
        mock = await start(Address("127.0.0.1", 0))
        body = {"model": "mock,ttft=1s,gap=100ms,tokens=5", "stream": True, "messages": []}
        connector = aiohttp.TCPConnector(limit=0)

        async def one(session: aiohttp.ClientSession) -> bool:
            async with session.post(f"{mock.url}/v1/chat/completions", json=body) as response:
                data = await response.read()
            return data.count(b"data: ") == 8 and data.endswith(b"data: [DONE]\n\n")

        async with aiohttp.ClientSession(connector=connector) as session:
            whole = await asyncio.gather(*(one(session) for _ in range(1000)))
        await mock.stop()
        return whole

    assert asyncio.run(run()) == [True] * 1000


def test_stopping_does_not_wait_for_those_that_hang() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        mock = await start(Address("127.0.0.1", 0))
        async with aiohttp.ClientSession() as session:
            url, body = f"{mock.url}/v1/chat/completions", {"model": "mock,fault=hang"}

            async def ask_in_vain() -> None:
                async with session.post(url, json=body):
                    raise AssertionError("it answered")

            asked = asyncio.create_task(ask_in_vain())
            while not mock.requests:
                await asyncio.sleep(0.01)
            began_at = loop.time()
            await mock.stop()
            took_s = loop.time() - began_at
            with pytest.raises(aiohttp.ClientError):
                await asked
        return took_s

    assert asyncio.run(run()) < 1.0


def test_localhost_means_both_families() -> None:
    async def run() -> list[int]:
        mock = await start(Address("localhost", 0))
        statuses = []
        async with aiohttp.ClientSession() as session:
            for host in ("127.0.0.1", "[::1]"):
                async with session.get(f"http://{host}:{mock.address.port}/v1/models") as answer:
                    statuses.append(answer.status)
        await mock.stop()
        return statuses

    assert asyncio.run(run()) == [200, 200]


def test_a_taken_port_is_one_sentence(mock: Mock) -> None:
    with pytest.raises(StartError, match=r"cannot listen on 127\.0\.0\.1:\d+: the port is taken$"):
        asyncio.run(start(mock.address))


def test_the_command_says_what_it_is_and_ends_on_a_signal() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from sidecar.core.address import Address; from sidecar.lab.mock import run;"
        f"raise SystemExit(run(Address('127.0.0.1', {port})))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert f"http://127.0.0.1:{port}" in line
