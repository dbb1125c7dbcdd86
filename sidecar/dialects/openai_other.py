"""What OpenAI's other operations answer: embeddings, transcripts, speech and pictures.

Knows: the whole bodies of `…/embeddings`, `…/audio/…` and `…/images/…`, and the events of those
that stream (transcripts, speech, pictures), with Mistral's and vLLM's forms of them.
Must not know: framing, time, or which of these operations was asked for: the members tell.
A body that is no JSON at all (sound, subtitles, plain text) is an answer that says nothing.
Their streams are read as the official SDKs declare them (2026-11): no recording is at hand.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sidecar.core.facts import AUDIO, CONTENT, NOTHING, UNREADABLE, Facts, text
from sidecar.dialects.model import model_asked
from sidecar.dialects.openai_common import (
    NOT_JSON,
    Told,
    behind_the_long_part,
    error_in,
    error_of_body,
    take_names,
    take_usage,
    type_of_head,
)

_TEXT: Final = frozenset({"transcript.text.delta", "transcription.text.delta"})
_SEGMENT: Final = "transcript.text.segment"
_SOUND: Final = "speech.audio.delta"
_PICTURE_ENDS: Final = (".partial_image", ".completed")
_LAST: Final = frozenset(
    {
        "transcript.text.done",
        "transcription.done",
        "speech.audio.done",
        "image_generation.completed",
        "image_edit.completed",
    }
)
_JSON_START: Final = re.compile(rb'\s*(?:\{\s*["}]|\[)')


class _Event(Told):
    delta: Any = None
    text: Any = None
    audio: Any = None
    audio_data: Any = None
    b64_json: Any = None
    choices: Any = None


class _Body(Told):
    """Without its `data`: embeddings and pictures say nothing to us."""

    text: Any = None


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_body: Final = msgspec.json.Decoder(_Body).decode


class OpenAiOther:
    """Interprets one answer."""

    __slots__ = ("_has_deltas", "facts")

    def __init__(self) -> None:
        self.facts = Facts()
        self._has_deltas = False

    def event(self, name: bytes, data: bytes) -> int:
        """One event of a stream."""
        try:
            event = _decode_event(data)
        except NOT_JSON:
            return UNREADABLE
        facts = self.facts
        kind = event.type if type(event.type) is str else name.decode("latin-1")
        take_names(facts, event)
        take_usage(facts, event.usage)
        if (error := error_in(event, is_stream=True)) is not None:
            facts.error = error
        if kind in _LAST:
            facts.is_over = facts.is_complete = True
        return self._piece(kind, event)

    def ends(self, name: bytes, head: bytes, tail: bytes) -> int:
        """The two ends of an event that was too long, which almost every picture is; or of a whole
        body (without a name or a type), which then is whole if its end can be read."""
        facts = self.facts
        kind = type_of_head(name, head)
        if facts.model is None:
            facts.name_model(model_asked("", head, is_whole=False))
        event = behind_the_long_part(tail, b"{", _decode_event)
        if event is not None:
            take_names(facts, event)
            take_usage(facts, event.usage)
            facts.is_complete = facts.is_complete or not kind
        if kind in _LAST:
            facts.is_over = facts.is_complete = True
        if kind == _SOUND:
            return AUDIO
        return CONTENT if kind in _TEXT or _is_picture(kind) else NOTHING

    def whole(self, body: bytes) -> int:
        """A whole body, or an error."""
        facts = self.facts
        if _JSON_START.match(body) is None:
            facts.is_complete = True
            return NOTHING
        try:
            told = _decode_body(body)
        except NOT_JSON:
            return UNREADABLE
        facts.is_complete = True
        take_names(facts, told)
        take_usage(facts, told.usage)
        if told.object == "list" and facts.usage is not None:
            # Embeddings put out no tokens: the 0 that some write beside their input counts nothing.
            facts.usage.output_tokens = None
        facts.error = error_of_body(told)
        return self._say(told.text)

    def _piece(self, kind: str, event: _Event) -> int:
        if kind in _TEXT:
            self._has_deltas = True
            return self._say(event.delta if event.delta is not None else event.text)
        if kind == _SEGMENT:
            # With speakers told apart, each segment comes again whole after its deltas.
            return NOTHING if self._has_deltas else self._say(event.text)
        if kind == _SOUND:
            return AUDIO if text(event.audio) or text(event.audio_data) else NOTHING
        if _is_picture(kind):
            return CONTENT if text(event.b64_json) else NOTHING
        return self._chunk(event.choices) if isinstance(event.choices, list) else NOTHING

    def _chunk(self, choices: list[Any]) -> int:
        """vLLM streams transcripts as if they were chats."""
        found = NOTHING
        for choice in choices:
            if type(choice) is dict:
                if type(delta := choice.get("delta")) is dict:
                    found |= self._say(delta.get("content"))
                if reason := text(choice.get("finish_reason")):
                    self.facts.finish(reason)
                    self.facts.is_complete = True
        return found

    def _say(self, said: object) -> int:
        if (words := text(said)) is None:
            return NOTHING
        self.facts.text_chars += len(words)
        return CONTENT


def _is_picture(kind: str) -> bool:
    return kind.startswith("image_") and kind.endswith(_PICTURE_ENDS)
