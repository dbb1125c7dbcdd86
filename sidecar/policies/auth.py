"""Who may call: one of a few tokens, wherever SDKs can put one.

Knows: where a token may stand, and which header is spent when it is found.
Must not know: requests or settings; it sees headers and tokens as bytes.
Why where SDKs put the provider's key: an application then needs no new header, just another key.
Whoever has a key of its own to send puts the token into `x-sidecar-token`, beside it.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.core.outcome import Reason, Refusal

_BEARER: Final = b"bearer "
_UNAUTHORIZED: Final = Refusal(
    Reason.UNAUTHORIZED,
    "a token of listen.auth is needed: in place of the provider's key, or as x-sidecar-token",
)


@dataclass(frozen=True, slots=True)
class Admitted:
    """`spent`: (name in lower case, value) of the credential that was the token, and goes no
    further; None where the token came beside the caller's own key."""

    spent: tuple[bytes, bytes] | None


def admit(
    credentials: Sequence[tuple[bytes, bytes]],
    sidecar_token: bytes | None,
    tokens: Sequence[bytes],
) -> Admitted | Refusal:
    """`credentials`: (header name in lower case, value) of the request."""
    if sidecar_token is not None and _is_one_of(sidecar_token, tokens):
        return Admitted(None)
    for name, value in credentials:
        if _is_one_of(_bare(name, value), tokens):
            return Admitted((name, value))
    return _UNAUTHORIZED


def _bare(name: bytes, value: bytes) -> bytes:
    if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
        return value[len(_BEARER) :].strip(b" \t")
    return value


def _is_one_of(given: bytes, tokens: Sequence[bytes]) -> bool:
    """In the same time, whichever of them it is and however much of it is right."""
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given, token)
    return found
