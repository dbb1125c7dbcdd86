"""Has the stream said that it is over?

Knows: the mark that ends an event stream in each dialect, however its bytes are cut.
Must not know: time, or what else the events say (that is the readers' matter).
Why so little: two decisions hang on it long before anything is measured. A caller that closes
after the last event is done, not gone; and a body that ends with the connection is whole only if
the stream said so. The marks begin at the start of a line or are JSON members that cannot stand
inside a JSON string (its quotes would be escaped), so no generated text can imitate them.
"""

from __future__ import annotations

from typing import Final

_DONE: Final = (b"data: [DONE]", b"data:[DONE]")
# (marks that stand at the start of a line, JSON members that cannot stand inside a JSON string).
# Of the chat dialect a finish reason counts, too: some providers never send [DONE].
_MARKS: Final[dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]]] = {
    "openai-chat": (_DONE, (b'"finish_reason":"', b'"finish_reason": "')),
    "openai-responses": (
        _DONE,
        (
            b'"type":"response.completed"',
            b'"type":"response.incomplete"',
            b'"type":"response.failed"',
            b'"type": "response.completed"',
            b'"type": "response.incomplete"',
            b'"type": "response.failed"',
        ),
    ),
    "anthropic": ((), (b'"type":"message_stop"', b'"type": "message_stop"')),
}
_KIND_BY_PATH_END: Final[tuple[tuple[str, str], ...]] = (
    ("/completions", "openai-chat"),
    ("/responses", "openai-responses"),
    ("/messages", "anthropic"),
)


def watch(path: str, content_type: bytes | None) -> TerminalWatch | None:
    """A watch for this response, or None where no terminal mark is known."""
    if content_type is None or not content_type.lower().startswith(b"text/event-stream"):
        return None
    for end, kind in _KIND_BY_PATH_END:
        if path.endswith(end):
            return TerminalWatch(*_MARKS[kind])
    return None


class TerminalWatch:
    """Feed every body byte; `is_over` turns true with the terminal mark and stays so."""

    __slots__ = ("_lines", "_longest", "_members", "_tail", "is_over")

    def __init__(self, lines: tuple[bytes, ...], members: tuple[bytes, ...]) -> None:
        self._lines = lines
        self._members = members
        self._longest = max(map(len, lines + members))
        self._tail = b"\n"
        self.is_over = False

    def feed(self, data: bytes) -> None:
        """A mark cut in two by the chunking is found by the tail kept of the bytes before."""
        if self.is_over:
            return
        seen = self._tail + data
        for member in self._members:
            if member in seen:
                self.is_over = True
                return
        for line in self._lines:
            at = seen.find(line)
            while at >= 0:
                if at and seen[at - 1] in b"\r\n":
                    self.is_over = True
                    return
                at = seen.find(line, at + 1)
        self._tail = seen[-self._longest :]
