"""Has the stream said that it is over?

Knows: the mark that ends an event stream in each dialect, however its bytes are cut.
Must not know: time, or what else the events say (that is the readers' matter).
Why so little: two decisions hang on it long before anything is measured. A caller that closes
after the last event is done, not gone; and a body that ends with the connection is whole only if
the stream said so. The marks begin at the start of a line or are JSON members that cannot stand
inside a JSON string (its quotes would be escaped), so no generated text can imitate them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_KEPT_BYTES: Final = 4096
_KEPT_PIECES: Final = 8
_TINY_BYTES: Final = 64
_LONGEST_MARK: Final = 64
_LINE_STARTS: Final = b"\r\n"
_DONE: Final = (b"data: [DONE]", b"data:[DONE]")


class _Marks(NamedTuple):
    """`lines` stand at the start of a line, `members` are JSON that cannot stand inside a JSON
    string. `is_far`: the last event can be long, and its mark stands at its beginning."""

    lines: tuple[bytes, ...]
    members: tuple[bytes, ...]
    is_far: bool


_MARKS: Final = {
    # A finish reason counts, too: some providers never send [DONE].
    "openai-chat": _Marks(_DONE, (b'"finish_reason":"', b'"finish_reason": "'), False),
    "openai-responses": _Marks(
        _DONE,
        (
            b'"type":"response.completed"',
            b'"type":"response.incomplete"',
            b'"type":"response.failed"',
            b'"type": "response.completed"',
            b'"type": "response.incomplete"',
            b'"type": "response.failed"',
        ),
        True,
    ),
    "anthropic": _Marks((), (b'"type":"message_stop"', b'"type": "message_stop"'), False),
}
_KIND_BY_PATH_END: Final[tuple[tuple[str, str], ...]] = (
    ("/completions", "openai-chat"),
    ("/responses", "openai-responses"),
    ("/messages", "anthropic"),
)


def watch(
    path: str, content_type: bytes | None, content_encoding: bytes | None = None
) -> TerminalWatch | None:
    """A watch for this response, or None where no terminal mark is known, or none can be seen."""
    if content_encoding is not None and content_encoding.strip().lower() != b"identity":
        return None
    if content_type is None or not content_type.lower().startswith(b"text/event-stream"):
        return None
    for end, kind in _KIND_BY_PATH_END:
        if path.endswith(end):
            return TerminalWatch(_MARKS[kind])
    return None


class TerminalWatch:
    """Feed every body byte; `is_over` says whether the terminal mark was among the last of them.

    The question is asked at most once per stream, the bytes come once per event: so the last few
    pieces are only kept, as they are (tiny ones joined, huge ones cut), and searched when it is
    asked. Eight events are enough: after a finish reason come usage and [DONE].
    """

    __slots__ = ("_is_over", "_marks", "_pieces")

    def __init__(self, marks: _Marks) -> None:
        self._marks = marks
        self._pieces = [b"\n"]
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """A mark cut in two by the chunking is found where two pieces meet."""
        pieces = self._pieces
        if self._marks.is_far and not self._is_over:
            self._is_over = self._is_marked(pieces[-1][-_LONGEST_MARK:] + data)
        if len(data) < _TINY_BYTES and len(pieces[-1]) < _KEPT_BYTES:
            pieces[-1] += data
            return
        pieces.append(data if len(data) <= _KEPT_BYTES else data[-_KEPT_BYTES:])
        if len(pieces) > 2 * _KEPT_PIECES:
            del pieces[:_KEPT_PIECES]

    @property
    def is_over(self) -> bool:
        """True once the stream has said that it is over."""
        return self._is_over or self._is_marked(b"".join(self._pieces))

    def _is_marked(self, seen: bytes) -> bool:
        if any(member in seen for member in self._marks.members):
            return True
        for line in self._marks.lines:
            at = seen.find(line)
            while at >= 0:
                if at and seen[at - 1] in _LINE_STARTS:
                    return True
                at = seen.find(line, at + 1)
        return False
