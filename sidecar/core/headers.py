"""What each header name means to a relay.

Knows: which names are hop-by-hop, which frame a body, which carry a credential.
Must not know: values. Names come as raw bytes in any case and are classified once: the cache maps
the bytes as they came, so the common case is one dict look-up and no lower-casing.
Sources: RFC 9110 §7.6.1 (Connection and what must not be forwarded), RFC 9112 §6 (framing).
"""

from __future__ import annotations

from typing import Final

# Plain ints, not an Enum: compared once per header of every message.
PASS: Final = 0
"""End-to-end: goes on as it came."""
DROP: Final = 1
"""Belongs to one hop."""
CONNECTION: Final = 2
CONTENT_LENGTH: Final = 3
TRANSFER_ENCODING: Final = 4
HOST: Final = 5
EXPECT: Final = 6
CREDENTIAL: Final = 7
"""A caller's provider key: Authorization, x-api-key, api-key, x-goog-api-key."""
ORIGIN: Final = 8
REQUEST_ID: Final = 9
ANTHROPIC_VERSION: Final = 10
CONTENT_TYPE: Final = 11
HINT: Final = 12
"""`x-sidecar-…` of a request: spoken to us, not forwarded. In a response it is just a header."""
UPGRADE: Final = 13
READ_TIMEOUT: Final = 14
"""`x-stainless-read-timeout`: how long the caller's SDK waits, in seconds."""

TRACEPARENT: Final = 15
"""The caller's span (W3C Trace Context)."""

CONTENT_ENCODING: Final = 16
PROCESSING_MS: Final = 17
"""How long the provider says that it took, in milliseconds."""
UPSTREAM_ID: Final = 18
"""What the provider calls the request."""
REQUESTS_LEFT: Final = 19
"""How many requests the provider still allows in its window."""
TOKENS_LEFT: Final = 20

_KIND_BY_NAME: Final[dict[bytes, int]] = {
    b"connection": CONNECTION,
    b"keep-alive": DROP,
    b"proxy-connection": DROP,
    b"proxy-authenticate": DROP,
    b"proxy-authorization": DROP,
    b"te": DROP,
    b"trailer": DROP,
    b"upgrade": UPGRADE,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"host": HOST,
    b"expect": EXPECT,
    b"authorization": CREDENTIAL,
    b"x-api-key": CREDENTIAL,
    b"api-key": CREDENTIAL,
    b"x-goog-api-key": CREDENTIAL,
    b"origin": ORIGIN,
    b"x-request-id": REQUEST_ID,
    b"anthropic-version": ANTHROPIC_VERSION,
    b"content-type": CONTENT_TYPE,
    b"x-stainless-read-timeout": READ_TIMEOUT,
    b"traceparent": TRACEPARENT,
    b"content-encoding": CONTENT_ENCODING,
    b"openai-processing-ms": PROCESSING_MS,
    b"x-envoy-upstream-service-time": PROCESSING_MS,
    b"x-amzn-bedrock-invocation-latency": PROCESSING_MS,
    b"request-id": UPSTREAM_ID,
    b"apim-request-id": UPSTREAM_ID,
    b"x-amzn-requestid": UPSTREAM_ID,
    b"x-ratelimit-remaining-requests": REQUESTS_LEFT,
    b"anthropic-ratelimit-requests-remaining": REQUESTS_LEFT,
    b"x-ratelimit-remaining-tokens": TOKENS_LEFT,
    b"anthropic-ratelimit-tokens-remaining": TOKENS_LEFT,
}
TRACE_HEADERS: Final = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""What W3C Trace Context and Baggage put into a request."""
_HINT_PREFIX: Final = b"x-sidecar-"
# Names that a Connection header must not take away from us: removing them would change who is
# spoken to, as whom, or where the body ends.
UNREMOVABLE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
    }
)

UPGRADING: Final = frozenset({b"connection", b"upgrade"})
"""The two that ask for, and grant, another protocol."""

_CACHE_ENTRIES: Final = 4096
_cache: dict[bytes, int] = {}
cached = _cache.get
"""The cached meaning of a header name as it came, or None: ask `kind_of` then. Asked in line by
the two loops that go through headers, for a call of our own costs them more than the look-up."""


def kind_of(name: bytes) -> int:
    """The meaning of a header name as it came."""
    kind = _cache.get(name)
    if kind is None:
        lower = name.lower()
        kind = HINT if lower.startswith(_HINT_PREFIX) else _KIND_BY_NAME.get(lower, PASS)
        # Bounded: names are the callers' to invent.
        if len(_cache) < _CACHE_ENTRIES:
            _cache[name] = kind
    return kind


def connection_tokens(value: bytes) -> frozenset[bytes]:
    """The lower-cased members of a Connection header's list."""
    return frozenset(token.strip().lower() for token in value.split(b",")) - {b""}
