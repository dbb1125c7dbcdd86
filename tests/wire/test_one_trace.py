"""An application that is traced itself, the sidecar and the provider: one trace.

The application is the official SDK, on httpx and on aiohttp, each with OpenTelemetry's own
instrumentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .collector import Collector
from .conftest import Side
from .origin import answer
from .relay import Relay

EVENT = b'data: {"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
BODY = EVENT + b"data: [DONE]\n\n"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def relay(tmp_path: Path, plain: Side, collector: Collector) -> Iterator[Relay]:
    url = f"http://127.0.0.1:{plain.origin.port}"
    otlp = f', otlp: {{endpoint: "{collector.http_url}", delay: 50ms}}'
    made = Relay(
        tmp_path,
        f'  plain: {{url: "{url}", dialect: openai, provider: openai, propagate: participate}}\n',
        telemetry=otlp,
    )
    yield made
    made.assert_settled()
    assert made.stop() == 0


@pytest.fixture
def own() -> InMemorySpanExporter:
    """Where the application's spans go."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(own: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(own))
    return made


def assert_one_trace(
    own: InMemorySpanExporter, collector: Collector, seen: bytes, name: str = "chat"
) -> None:
    """app -> HTTP client of the app -> SERVER -> operation -> attempt -> what the provider saw."""
    client, app = own.get_finished_spans()
    assert app.name == "the application"
    assert client.parent.span_id == app.context.span_id
    spans: dict[str, Any] = {}
    for span in collector.wait_for_spans(3):
        kind = {2: "server", 3: "attempt"}[span.kind]
        spans["operation" if span.name.startswith(name) else kind] = span
    trace_id = f"{app.context.trace_id:032x}"
    assert {span.trace_id.hex() for span in spans.values()} == {trace_id}
    assert spans["server"].parent_span_id.hex() == f"{client.context.span_id:016x}"
    assert spans["operation"].parent_span_id == spans["server"].span_id
    assert spans["attempt"].parent_span_id == spans["operation"].span_id
    told = f"traceparent: 00-{trace_id}-{spans['attempt'].span_id.hex()}-01\r\n"
    assert told.encode() in seen


def test_the_openai_sdk_on_httpx(
    relay: Relay,
    plain: Side,
    collector: Collector,
    own: InMemorySpanExporter,
    provider: TracerProvider,
) -> None:
    target, path = plain.script(answer(STREAM), end="/v1/chat/completions")
    base_url = f"http://127.0.0.1:{relay.data[1]}{target.removesuffix('/chat/completions')}"
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    try:
        with (
            provider.get_tracer("app").start_as_current_span("the application"),
            httpx.Client() as http_client,
            openai.OpenAI(
                base_url=base_url, api_key="k", max_retries=0, http_client=http_client
            ) as client,
        ):
            stream = client.chat.completions.create(
                model="gpt-4o", stream=True, messages=[{"role": "user", "content": "hi"}]
            )
            assert [chunk.choices[0].delta.content for chunk in stream] == ["hello"]
    finally:
        HTTPXClientInstrumentor().uninstrument()
    assert_one_trace(own, collector, plain.origin.seen(path)[0].head)


async def test_the_openai_sdk_on_aiohttp(
    relay: Relay,
    plain: Side,
    collector: Collector,
    own: InMemorySpanExporter,
    provider: TracerProvider,
) -> None:
    target, path = plain.script(answer(STREAM), end="/v1/chat/completions")
    base_url = f"http://127.0.0.1:{relay.data[1]}{target.removesuffix('/chat/completions')}"
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)
    try:
        with provider.get_tracer("app").start_as_current_span("the application"):
            async with openai.AsyncOpenAI(
                base_url=base_url,
                api_key="k",
                max_retries=0,
                http_client=openai.DefaultAioHttpClient(),
            ) as client:
                stream = await client.chat.completions.create(
                    model="gpt-4o", stream=True, messages=[{"role": "user", "content": "hi"}]
                )
                assert [chunk.choices[0].delta.content async for chunk in stream] == ["hello"]
    finally:
        AioHttpClientInstrumentor().uninstrument()
    assert_one_trace(own, collector, plain.origin.seen(path)[0].head)
