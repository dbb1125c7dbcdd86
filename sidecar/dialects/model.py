"""Which model does a request ask for?

Knows: where the model's name stands: in the JSON body, or in the path (Gemini, Bedrock).
Must not know: routing. Nothing is changed and nothing is raised: what cannot be read is None.
Why two readers: a whole JSON body is decoded by msgspec, which skips what is not asked for at
memory speed; of a body that was cut at the replay limit only a scanner can still read the start.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

import msgspec


class _Body(msgspec.Struct):
    model: str | None = None


_decode: Final = msgspec.json.Decoder(_Body).decode
_IN_PATH: Final = (
    re.compile(r"/models/([^/:?]+):[A-Za-z]+$"),
    re.compile(r"^(?:/[^/]+)?/model/([^/]+)/"),
)
# Strings first, so that a bracket inside one is not taken for structure. Possessive, and closed by
# the end of the bytes: a string that does not end here would else be tried from each of its quotes.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\]:]', re.DOTALL)


def model_asked(path: str, body: bytes, is_whole: bool) -> str | None:
    """The model's name, from the raw path or from the body's first bytes; None if not found."""
    if "/model" in path:
        for pattern in _IN_PATH:
            if found := pattern.search(path):
                return unquote(found[1])
    if body[:1] != b"{" and not body.lstrip(b" \t\r\n").startswith(b"{"):
        return None
    if is_whole:
        try:
            return _decode(body).model
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
    return _scan(body)


def _scan(body: bytes) -> str | None:
    """The string value of the top-level member `model` of a JSON object whose end is missing."""
    depth = 0
    last_string = b""
    is_model_next = False
    for token in _TOKENS.finditer(body):
        text = token[0]
        if text in (b"{", b"["):
            depth += 1
            is_model_next = False
        elif text in (b"}", b"]"):
            depth -= 1
        elif text == b":":
            is_model_next = depth == 1 and last_string == b'"model"'
        elif is_model_next:
            try:
                value = msgspec.json.decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return None
            return value if isinstance(value, str) else None
        else:
            last_string = text
    return None
