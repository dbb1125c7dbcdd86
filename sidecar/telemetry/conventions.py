"""OpenTelemetry's semantic conventions: the metrics, spans, attributes and events that we make.

Knows: one row for each, with the page that defines it.
Must not know: any figure or request; `spans` and `convention_books` fill these in.
Version 1.41 is the last that was published with the GenAI conventions in it, and the one that
other products speak (2026-11). All of `gen_ai.*` is still marked as in development there.
A chunk is, here, an event that carries something generated: reasoning, content, refusal, tool call
or audio. The conventions do not define it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sidecar.metering.meter import GAP_BOUNDS_S
from sidecar.telemetry.family import Family, Kind

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"
SCOPE: Final = "llm-sidecar-proxy"
_GENAI: Final = "opentelemetry.io/docs/specs/semconv/gen-ai"
_HTTP: Final = "opentelemetry.io/docs/specs/semconv/http"
OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""Those of ours that the conventions know; all else has HTTP spans and metrics only."""
METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
OTHER_METHOD: Final = "_OTHER"
TOKEN_TYPES: Final = ("input", "output")

_DURATION_BOUNDS_S: Final = tuple(0.01 * 2**step for step in range(14))
_TOKEN_BOUNDS: Final = tuple(float(4**step) for step in range(14))
# The stable ones end at 10 s, where many answers of models only begin to end.
_HTTP_BOUNDS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(30.0, 60.0, 120.0, 300.0, 600.0),
)
_CALL: Final = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)


def _family(
    otlp: str, text: str, labels: tuple[str, ...], unit: str, bounds: tuple[float, ...]
) -> Family:
    plain = otlp.replace(".", "_") + ("_seconds" if unit == "seconds" else "")
    return Family(plain, Kind.HISTOGRAM, text, labels, unit=unit, bounds=bounds, otlp=otlp)


OPERATION_DURATION: Final = _family(
    "gen_ai.client.operation.duration",
    "One operation with all its attempts, until the answer was handed over.",
    (*_CALL, "error.type"),
    "seconds",
    _DURATION_BOUNDS_S,
)
TIME_TO_FIRST_CHUNK: Final = _family(
    "gen_ai.client.operation.time_to_first_chunk",
    "From the request to the first generated event of a stream.",
    _CALL,
    "seconds",
    _DURATION_BOUNDS_S,
)
TIME_PER_OUTPUT_CHUNK: Final = _family(
    "gen_ai.client.operation.time_per_output_chunk",
    "Between two generated events of a stream.",
    _CALL,
    "seconds",
    GAP_BOUNDS_S,
)
TOKEN_USAGE: Final = _family(
    "gen_ai.client.token.usage",
    "Tokens of one operation, as its provider counted them; input includes what was cached.",
    (*_CALL, "gen_ai.token.type"),
    "{token}",
    _TOKEN_BOUNDS,
)
SERVER_DURATION: Final = _family(
    "http.server.request.duration",
    "Requests of the application, until the answer was handed over.",
    (
        "http.request.method",
        "url.scheme",
        "http.response.status_code",
        "error.type",
        "http.route",
        "network.protocol.version",
    ),
    "seconds",
    _HTTP_BOUNDS_S,
)
CLIENT_DURATION: Final = _family(
    "http.client.request.duration",
    "Attempts at an upstream, until the answer's body was whole, or broke off.",
    (
        "http.request.method",
        "server.address",
        "server.port",
        "http.response.status_code",
        "error.type",
    ),
    "seconds",
    _HTTP_BOUNDS_S,
)
FAMILIES: Final = (
    OPERATION_DURATION,
    TIME_TO_FIRST_CHUNK,
    TIME_PER_OUTPUT_CHUNK,
    TOKEN_USAGE,
    SERVER_DURATION,
    CLIENT_DURATION,
)


@dataclass(frozen=True, slots=True)
class Said:
    """An attribute or event: its name, on which spans, what it says, and whose word it is."""

    key: str
    spans: str
    meaning: str
    source: str = _GENAI


SPANS: Final = (
    ("`{method} {http.route}`", "SERVER", "the application's request, until all was handed over"),
    ("`{operation} {model}`", "CLIENT", "the operation, with all its attempts; known ones only"),
    ("`{method}`", "CLIENT", "one attempt at one upstream, until its answer was whole"),
)
"""(name, kind, what it covers), the outermost first; each is the parent of the next."""

ATTRIBUTES: Final = (
    Said("http.request.method", "server, attempt", "`_OTHER` where it is none of the known", _HTTP),
    Said("http.request.method_original", "server, attempt", "where that is `_OTHER`", _HTTP),
    Said("url.path", "server", "as it came, without the query (which may hold a key)", _HTTP),
    Said("url.scheme", "server", "http or https", _HTTP),
    Said("url.full", "attempt", "without the query", _HTTP),
    Said("http.route", "server", "the path of a known operation", _HTTP),
    Said("http.response.status_code", "server, attempt", "", _HTTP),
    Said("http.request.resend_count", "attempt", "from the second attempt on: 1, 2, …", _HTTP),
    Said("http.request.body.size", "server", "bytes without framing", _HTTP),
    Said("http.response.body.size", "server", "bytes without framing", _HTTP),
    Said("network.protocol.version", "server, attempt", "1.0 or 1.1", _HTTP),
    Said("server.address", "all", "the upstream's host; on the server's span ours", _HTTP),
    Said("server.port", "all", "likewise", _HTTP),
    Said("user_agent.original", "server", "the caller's", _HTTP),
    Said(
        "error.type",
        "all",
        "the reason (docs: `failures_total`), or the status where the upstream answered with one",
        _HTTP,
    ),
    Said(
        "gen_ai.operation.name", "operation", "chat, text_completion, generate_content, embeddings"
    ),
    Said("gen_ai.provider.name", "operation", "of the upstream; its dialect where none is known"),
    Said("gen_ai.request.model", "operation", "as it was asked for"),
    Said("gen_ai.request.stream", "operation", "only where it is true"),
    Said("gen_ai.output.type", "operation", "text, json, image or speech, where it was asked for"),
    Said("gen_ai.conversation.id", "operation", "where the request names one (Responses)"),
    Said("gen_ai.request.choice.count", "operation", "where it is not 1"),
    Said("gen_ai.request.seed", "operation", ""),
    Said("gen_ai.request.top_k", "operation", ""),
    Said("gen_ai.request.top_p", "operation", ""),
    Said("gen_ai.request.max_tokens", "operation", ""),
    Said("gen_ai.request.temperature", "operation", ""),
    Said("gen_ai.request.frequency_penalty", "operation", ""),
    Said("gen_ai.request.presence_penalty", "operation", ""),
    Said("gen_ai.request.stop_sequences", "operation", ""),
    Said("gen_ai.request.encoding_formats", "operation", "of embeddings"),
    Said("gen_ai.embeddings.dimension.count", "operation", "of embeddings"),
    Said("gen_ai.response.id", "operation", "by the answer's body"),
    Said("gen_ai.response.model", "operation", "the last one that the answer names"),
    Said("gen_ai.response.finish_reasons", "operation", "in the provider's own words"),
    Said(
        "gen_ai.response.time_to_first_chunk", "operation", "seconds to the first generated event"
    ),
    Said("gen_ai.usage.input_tokens", "operation", "cached ones included; never estimated"),
    Said("gen_ai.usage.output_tokens", "operation", "reasoning included; never estimated"),
    Said("gen_ai.usage.cache_read.input_tokens", "operation", ""),
    Said("gen_ai.usage.cache_creation.input_tokens", "operation", ""),
    Said("gen_ai.usage.reasoning.output_tokens", "operation", ""),
    Said("gen_ai.input.messages", "operation", "JSON; only with `traces.capture_content`"),
    Said("gen_ai.output.messages", "operation", "JSON; only with `traces.capture_content`"),
    Said("openai.api.type", "operation", "chat_completions or responses"),
    Said("openai.request.service_tier", "operation", "where it is not auto"),
    Said("openai.response.service_tier", "operation", ""),
    Said("llm_sidecar.upstream", "server, attempt", "its configured name", "own"),
    Said("llm_sidecar.route", "server", "the route that was taken", "own"),
    Said("llm_sidecar.request_id", "server", "as in `/exchanges` and the log", "own"),
    Said("llm_sidecar.upstream_request_id", "server", "what the provider calls it", "own"),
    Said("llm_sidecar.outcome", "server", "as in `requests_total`", "own"),
    Said("llm_sidecar.fault", "server", "whose fault, where it did not end ok", "own"),
    Said("llm_sidecar.reason", "server", "why, where it did not end ok", "own"),
    Said("llm_sidecar.connection", "attempt", "new or reused; of the one that served", "own"),
    Said("llm_sidecar.cost_usd", "operation", "by the price table", "own"),
    Said("llm_sidecar.output_tokens_per_s", "operation", "from first to last event", "own"),
    Said("llm_sidecar.longest_gap_s", "operation", "between two generated events", "own"),
    Said(
        "llm_sidecar.output_events", "operation", "events that carried something generated", "own"
    ),
    Said("llm_sidecar.usage_source", "operation", "reported or estimated", "own"),
    Said("llm_sidecar.label.NAME", "server", "each label of `telemetry.labels`", "own"),
)
EVENTS: Final = (
    Said("request_received", "server", "the body was whole, or its first bytes went up", "own"),
    Said("connected", "attempt", "a connection was had, from the pool or new", "own"),
    Said("request_sent", "attempt", "the last byte of the request was handed over", "own"),
    Said("response_head", "attempt", "the final answer's head was parsed", "own"),
    Said("first_event", "operation", "the first event with data", "own"),
    Said("first_token", "operation", "the first generated piece", "own"),
    Said("first_answer", "operation", "the first generated piece that is not reasoning", "own"),
    Said("last_token", "operation", "the last generated piece", "own"),
)
