"""May a request be sent once more because its connection was already dead?

Knows: the stale-socket rule and which operations may be repeated without harm.
Must not know: sockets; it sees how the loss happened, as numbers.
Why the window: a provider that closes an idle connection just as we write on it answers with the
loss about one round trip later. A loss that comes later means that the provider had the request,
may have worked on it, and may bill it: that is a failure to report, not a stale socket. The round
trip is taken from the connection's own set-up time, doubled, with a floor for fast networks and a
ceiling for set-ups that something else held up.
RFC 9110 §9.2.2 forbids a proxy to repeat non-idempotent requests by itself; the list of operations
that generate an answer and change nothing else is the operator's declaration, shipped as a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_EFFECT_FREE_POST_ENDS: Final = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/moderations",
    "/messages",
    "/messages/count_tokens",
    ":generateContent",
    ":streamGenerateContent",
    ":countTokens",
    ":embedContent",
    ":batchEmbedContents",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/v2/chat",
    "/v2/embed",
    "/v2/rerank",
    "/converse",
    "/converse-stream",
    "/invoke",
    "/invoke-with-response-stream",
)
# An assistant thread's /messages adds a message to it.
_STATEFUL: Final = "/threads/"
_FLOOR_S: Final = 0.05
# A set-up that took longer than half of this was held up by something else than the round trip.
_CEILING_S: Final = 0.5


def is_effect_free(method: str, path: str) -> bool:
    """True for operations that may be repeated: they answer and change nothing else."""
    if method in _SAFE_METHODS:
        return True
    return method == "POST" and path.endswith(_EFFECT_FREE_POST_ENDS) and _STATEFUL not in path


@dataclass(frozen=True, slots=True)
class Loss:
    """How an attempt's connection was lost."""

    was_reused: bool
    bytes_received: int
    since_last_byte_sent_s: float
    connect_s: float
    """How long this connection took to set up, when it was new."""


def may_resend(loss: Loss, *, is_repeatable: bool, is_replayable: bool) -> bool:
    """True where the loss means: the connection was dead before the request came.

    `is_repeatable`: the operation is effect-free; `is_replayable`: its whole body is at hand.
    """
    window_s = min(max(2 * loss.connect_s, _FLOOR_S), _CEILING_S)
    return (
        loss.was_reused
        and loss.bytes_received == 0
        and is_repeatable
        and is_replayable
        and loss.since_last_byte_sent_s <= window_s
    )
