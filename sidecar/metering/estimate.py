"""Tokens where the provider told none: from what this model told of other answers.

Knows: ratios of one model at one upstream: tokens for each generated event, and for each byte of
request; both from answers that were reported whole, later ones weighing more.
Must not know: time, or who asks.
An event is one token until something else was learned. Of input nothing is said before something
was learned. Estimates are marked (`usage_source: estimated`), and never learned from.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from sidecar.core.records import Tokens

KEPT_MODELS: Final = 200
_KEEP: Final = 0.95
"""What a new answer leaves of the weight of the ones before it."""


class _Sums:
    __slots__ = ("events", "inputs", "outputs", "request_bytes")

    def __init__(self) -> None:
        self.events = self.outputs = self.request_bytes = self.inputs = 0.0


class Ratios:
    """Of the models used last. A key is (upstream, model)."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: OrderedDict[tuple[str, str], _Sums] = OrderedDict()

    def learn(self, key: tuple[str, str], tokens: Tokens, events: int, request_bytes: int) -> None:
        """From a stream that told its usage. Reasoning that was not shown made no events: such an
        answer says nothing of tokens in an event."""
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums()
            if len(self._sums) > KEPT_MODELS:
                self._sums.popitem(last=False)
        else:
            self._sums.move_to_end(key)
        if tokens.output_tokens and events and not tokens.reasoning_tokens:
            sums.outputs = sums.outputs * _KEEP + tokens.output_tokens
            sums.events = sums.events * _KEEP + events
        if tokens.input_tokens and request_bytes:
            sums.inputs = sums.inputs * _KEEP + tokens.input_tokens
            sums.request_bytes = sums.request_bytes * _KEEP + request_bytes

    def fill_in(
        self, key: tuple[str, str], told: Tokens, events: int, request_bytes: int
    ) -> Tokens | None:
        """`told` with estimates in place of what is missing; None where nothing is."""
        inputs, outputs = told.input_tokens, told.output_tokens
        if inputs is not None and outputs is not None:
            return None
        sums = self._sums.get(key)
        if outputs is None:
            has_ratio = sums is not None and sums.events
            ratio = sums.outputs / sums.events if sums is not None and has_ratio else 1.0
            outputs = round(events * ratio)
        if inputs is None and sums is not None and sums.request_bytes:
            inputs = round(request_bytes * sums.inputs / sums.request_bytes)
        return Tokens(
            inputs, outputs, told.cache_read_tokens, told.cache_write_tokens, told.reasoning_tokens
        )
