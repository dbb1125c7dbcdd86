"""Keys out of texts that providers wrote: some repeat the key that they refuse.

Knows: what a known provider's key looks like, and how a key that is known is taken out.
Must not know: where the text goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

REDACTED: Final = "[redacted]"
_MIN_CHARS: Final = 8
"""Shorter words are no keys, and would be found everywhere."""
# Keys that are masked in their middle, as OpenAI does, go as well.
_FORMS: Final = re.compile(
    r"(?:\bsk-|\bgsk_|\bxai-|\bpplx-|\bcsk-|\bfw_|\bAIza|\bya29\.|\bAKIA|\bbedrock-api-key-)"
    r"[A-Za-z0-9_\-*.]{6,}"
)


def without_keys(text: str, keys: Iterable[str]) -> str:
    """`keys`: header values that carried one; of `Bearer KEY` each word is looked for."""
    for key in keys:
        for word in key.split():
            if len(word) >= _MIN_CHARS:
                text = text.replace(word, REDACTED)
    return _FORMS.sub(REDACTED, text)
