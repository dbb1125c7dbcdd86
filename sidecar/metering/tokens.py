"""Usage made alike: what one number means at every provider.

Knows: which providers leave cached or reasoning tokens out of their counts.
Must not know: bodies. It turns the provider's own numbers into ours: `input_tokens` includes
what was read from and written to a cache, `output_tokens` includes reasoning.
Sources: 3,293 recorded answers and the providers' documentation, read 2026-11. A number that the
provider did not state stays None; nothing is guessed here (see `estimate`).
"""

from __future__ import annotations

from typing import Final

from sidecar.core.facts import Usage
from sidecar.core.records import Tokens

# Total input = input + cache read + cache write.
_CACHE_OUTSIDE: Final = frozenset({"anthropic", "bedrock-converse", "bedrock-invoke"})
# Output tokens leave reasoning out, whatever the total says.
_REASONING_OUTSIDE: Final = frozenset({"gemini", "gemini-stream"})


def alike(usage: Usage, family: str) -> Tokens:
    """`family`: the one of the answer (anthropic, gemini, openai-chat…)."""
    inputs = usage.input_tokens
    if inputs is not None and family in _CACHE_OUTSIDE:
        inputs += (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    outputs = usage.output_tokens
    reasoning = usage.reasoning_tokens
    if outputs is None and reasoning is not None and family in _REASONING_OUTSIDE:
        # Gemini leaves the count out where only thoughts were made.
        outputs = 0
    if outputs is not None and reasoning and _is_outside(usage, outputs, reasoning, family):
        outputs += reasoning
    return Tokens(inputs, outputs, usage.cache_read_tokens, usage.cache_write_tokens, reasoning)


def _is_outside(usage: Usage, outputs: int, reasoning: int, family: str) -> bool:
    if family in _REASONING_OUTSIDE or reasoning > outputs:
        return True
    if usage.total_tokens is None or usage.input_tokens is None:
        return False
    # xAI's chat says so only by its total.
    return usage.total_tokens == usage.input_tokens + outputs + reasoning


def rate_per_s(
    tokens: Tokens, first_at: float | None, last_at: float | None, events: int, has_reasoned: bool
) -> float | None:
    """Output tokens per second between the first and the last generated event: one token less
    than there are, for the first one stands at the beginning. Reasoning that was not shown was
    made before, and is left out. None under two events or 50 ms: that would be noise."""
    if tokens.output_tokens is None or first_at is None or last_at is None or events < 2:
        return None
    made = tokens.output_tokens - 1
    if not has_reasoned:
        made -= tokens.reasoning_tokens or 0
    took_s = last_at - first_at
    return made / took_s if took_s >= 0.05 and made > 0 else None
