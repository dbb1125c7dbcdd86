"""A string that must not be seen.

Knows: how to hold a credential so that printing, logging or dumping it shows nothing.
Must not know: where the credential came from or which header will carry it.
Why a type: redaction by name ("is this field called key?") forgets one field some day; a type
cannot be forgotten, and `reveal()` is the one word to search for in a review.
"""

from __future__ import annotations

REDACTED = "[redacted]"


class Secret:
    """Holds one credential. `repr`, `str` and `format` all say `[redacted]`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself: only for the bytes that go to its own origin."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
