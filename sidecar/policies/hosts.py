"""Who may be addressed here: the Host allow-list and the Origin rule.

Knows: which Host and Origin values may pass.
Must not know: requests or sockets; it sees two strings.
Why: a page in a browser can make any name resolve to 127.0.0.1 and then talk to whatever listens
there with the user's keys (DNS rebinding). The browser cannot forge the Host header, nor the
Origin header, so these two are the whole defence, and they cost nothing to everybody else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from sidecar.core.origin import BadUrlError, split_authority
from sidecar.core.outcome import Reason, Refusal

_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,253}")


@lru_cache(maxsize=512)
def refuse(host: str | None, origin: str | None, allowed: tuple[str, ...] | None) -> Refusal | None:
    """A Refusal, or None where the request may pass. `allowed` None means any name.

    Pure, and asked with the same few values over and over: answered from a cache.
    `host` is None for HTTP/1.0 callers without the header (probes); a browser always sends it.
    """
    if allowed is None:
        return None
    if host is not None and (name := _name(host)) not in allowed:
        if name is None or not _NAME.fullmatch(name):
            # Not echoed: these bytes may be an attacker's.
            return Refusal(Reason.BAD_REQUEST, "the Host header is no name with a port")
        return Refusal(
            Reason.MISDIRECTED_HOST,
            f"the Host header names '{name}', which is not in listen.allowed_hosts;"
            " add it there (or SIDECAR_ALLOWED_HOSTS), or use http://127.0.0.1",
        )
    if origin is not None and _name(origin.partition("://")[2]) not in allowed:
        return Refusal(
            Reason.ORIGIN_FORBIDDEN,
            "a web page of another origin may not call this proxy; its host is not in"
            " listen.allowed_hosts",
        )
    return None


def _name(authority: str) -> str | None:
    try:
        return split_authority(authority)[0].rstrip(".").lower()
    except BadUrlError:
        return None
