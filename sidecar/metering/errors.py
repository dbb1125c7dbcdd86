"""What kind of error a provider told, in words that are alike across providers.

Knows: the words that providers use, and what a status says where there are none.
Must not know: where the error was read. Sources: recorded answers (tests/transcripts) and the
providers' lists of errors, 2026-11.
The provider's words stand above its status: a quota that is used up comes as 429 at one, as 402 at
another, and is something else than a limit that passes.
"""

from __future__ import annotations

import re
from typing import Final

_BY_WORDS: Final = (
    (
        "context_length",
        r"context.?(length|window)|maximum context|prompt is too long|too many (input )?tokens"
        r"|input is too long|string_above_max_length|request_too_large",
    ),
    (
        "content_filter",
        r"content.?(filter|policy|management)|responsible.?ai|safety|moderation|guardrail|"
        r"prohibited.?content|blocked",
    ),
    (
        "quota",
        r"insufficient.?(quota|balance|credits?)|billing|credit balance|payment|out of credits",
    ),
    (
        "auth",
        r"authenticat|unauthori[sz]ed|invalid.{0,9}(api.?key|token)|incorrect api key|permission"
        r"|access.?denied|forbidden",
    ),
    ("rate_limited", r"rate.?limit|throttl|too many requests|resource.?exhausted|quota exceeded"),
    ("overloaded", r"overloaded|unavailable|capacity|engine_overloaded|model.?not.?ready"),
)
_WORDS: Final = tuple((name, re.compile(words, re.IGNORECASE)) for name, words in _BY_WORDS)
_BY_STATUS: Final = {
    401: "auth",
    402: "quota",
    403: "auth",
    413: "context_length",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}


def class_of(status: int | None, type_: str | None, code: str | None, message: str | None) -> str:
    """`status`: of the answer; one that promised success says nothing. The words of type and code
    are looked at before those of the message, which is written for people."""
    for said in (f"{type_ or ''} {code or ''}", message or ""):
        for name, words in _WORDS:
            if words.search(said):
                return name
    if code is not None and code.isascii() and code.isdigit() and 400 <= int(code[:4]) <= 599:
        status = int(code[:4])
    if status is None or status < 400:
        return "server"
    return _BY_STATUS.get(status, "bad_request" if status < 500 else "server")
