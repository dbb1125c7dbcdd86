"""`usage: ask`: have a stream report its usage, and keep the one extra event from the caller.

Knows: where OpenAI's chats and completions want to be asked, and what the extra event looks like.
Must not know: sockets, or whether the upstream is to be asked.
The body is not decoded and written anew: one member is inserted, all other bytes stay. A caller who
says anything of `include_usage` itself has decided.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sidecar.dialects.openai_common import NOT_JSON

TELL_ANYWAY: Final = frozenset({"mistral_ai", "perplexity"})
"""Providers (gen_ai.provider.name) whose streams tell their usage unasked; a member that Mistral
does not know is an error there."""
FAMILIES: Final = frozenset({"openai-chat", "openai-completions"})
MAX_EVENT_BYTES: Final = 64 * 1024
_ABSENT: Final = msgspec.Raw(b"")
_MEMBER: Final = b'"include_usage":true'
_END_OF_EVENT: Final = re.compile(rb"\r\n\r\n|\n\n")


class _Asked(msgspec.Struct):
    stream: Any = None
    stream_options: msgspec.Raw = _ABSENT


class _Event(msgspec.Struct):
    choices: Any = None
    usage: Any = None


_decode_asked: Final = msgspec.json.Decoder(_Asked).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode


def with_usage(body: bytes) -> bytes | None:
    """The body that asks for usage, too; None where it is no stream, or asks (or declines)
    already."""
    try:
        asked = _decode_asked(body)
        if asked.stream is not True:
            return None
        told = bytes(asked.stream_options)
        options = msgspec.json.decode(told) if told else None
    except NOT_JSON:
        return None
    if not told:
        at = body.index(b"{") + 1
        return b'%b"stream_options":{%b},%b' % (body[:at], _MEMBER, body[at:])
    # Where it stands is certain only if the same bytes do not stand elsewhere, too.
    if type(options) is not dict or "include_usage" in options or body.count(told) != 1:
        return None
    at = body.index(told) + 1
    return b"%b%b%b%b" % (body[:at], _MEMBER, b"," if options else b"", body[at:])


class UsageWithheld:
    """The bytes of a stream without its one event that has usage and no choices.

    An event of which only the beginning has come waits for its end, at most 64 KiB of it.
    """

    __slots__ = ("_is_done", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._is_done = False

    def feed(self, data: bytes) -> bytes:
        """What may go on."""
        if self._is_done:
            return data
        data = self._tail + data
        start = 0
        for found in _END_OF_EVENT.finditer(data):
            if _is_extra(data[start : found.start()]):
                self._is_done = True
                self._tail = b""
                return data[:start] + data[found.end() :]
            start = found.end()
        if len(data) - start > MAX_EVENT_BYTES:
            start = len(data)
        self._tail = data[start:]
        return data[:start]

    def end(self) -> bytes:
        """The stream is over: what was waiting."""
        tail, self._tail = self._tail, b""
        return tail


def _is_extra(event: bytes) -> bool:
    if b'"usage"' not in event or not event.startswith(b"data:"):
        return False
    try:
        told = _decode_event(event[5:])
    except NOT_JSON:
        return False
    return told.choices == [] and type(told.usage) is dict
