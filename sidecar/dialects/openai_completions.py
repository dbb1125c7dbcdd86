"""OpenAI's legacy completions, streamed and whole; also vLLM's, Together's, llama.cpp's.

Knows: that text stands in `choices[].text`; usage, reasons and errors are those of chat.
Must not know: framing, time, or whose answer it is.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.facts import CONTENT, NOTHING
from sidecar.dialects.openai_chat import OpenAiChat


class OpenAiCompletions(OpenAiChat):
    """Interprets one answer."""

    __slots__ = ()

    def _said(self, said: Any) -> int:
        if not isinstance(said, str) or not said:
            return NOTHING
        self.facts.text_chars += len(said)
        return CONTENT
