"""Durations, sizes and counts, as people write them: `250ms`, `64KiB`, `2M`.

Knows: how each is spelt, and how to spell a number back so that it reads as the same number.
Must not know: where the text stood; whoever asks adds file, line and path to the message.
Why a unit is demanded of durations: `timeout: 30` is seconds to half of its readers and
milliseconds to the other half. Sizes and counts have one natural unit and may come without:
Helm, for one, renders large numbers as `2e+06`.
Messages never repeat the text: it may be a credential that was put in the wrong place.
"""

from __future__ import annotations

import re
from typing import Final

from sidecar.core.errors import SidecarError

# Texts and not compiled here: a start without a file needs none of them, and `re` keeps them.
_DURATION: Final = r"([0-9]{1,15}(?:\.[0-9]{1,20})?)(ms|s|m|h)"
_SIZE: Final = r"([0-9]{1,20}(?:\.[0-9]{1,9})?)([KMGT]iB|[kKMGT]B|B)"
_COUNT: Final = r"([0-9]{1,20}(?:\.[0-9]{1,9})?)(k|K|M|G)?"
_SCIENTIFIC: Final = r"[0-9]{1,20}(?:\.[0-9]{1,20})?[eE]\+?[0-9]{1,2}"

_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}
_BYTES: Final = {
    "TiB": 1 << 40,
    "TB": 10**12,
    "GiB": 1 << 30,
    "GB": 10**9,
    "MiB": 1 << 20,
    "MB": 10**6,
    "KiB": 1 << 10,
    "KB": 1000,
    "kB": 1000,
    "B": 1,
}
_MANY: Final = {"": 1, "k": 1000, "K": 1000, "M": 10**6, "G": 10**9}

MAX_DURATION_S: Final = 366 * 24 * 3600.0
"""More than a year is a slip of the pen, and far timers overflow in event loops."""
MAX_NUMBER: Final = 2**53
"""Beyond this a float, and so every JSON reader, loses whole numbers."""


class BadUnitError(SidecarError):
    """The text is not a duration, size or count; the message says how one is written."""


def parse_duration(text: str) -> float:
    """`250ms`, `5s`, `1.5m`, `1h` -> seconds."""
    found = re.fullmatch(_DURATION, text)
    if found is None:
        raise BadUnitError("a duration is a number with its unit: 250ms, 5s, 2m or 1h")
    number, unit = float(found[1]), found[2]
    # Divided, not multiplied by 0.001: then 250ms is exactly 0.25.
    seconds = number / 1000 if unit == "ms" else number * _SECONDS[unit]
    if seconds > MAX_DURATION_S:
        raise BadUnitError("a duration is at most 366 days (8784h)")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest spelling that parses back to the same number."""
    for unit, factor in _SECONDS.items():
        if seconds and seconds % factor == 0:
            return f"{int(seconds // factor)}{unit}"
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 == seconds:
        return f"{milliseconds}ms" if milliseconds else "0s"
    return f"{seconds:.20f}".rstrip("0") + "s"


def parse_size(text: str) -> int:
    """`64KiB`, `1MB`, `512B`, `65536`, `1e6` -> bytes."""
    found = re.fullmatch(_SIZE, text)
    if found is not None:
        return _whole(float(found[1]) * _BYTES[found[2]], "bytes")
    if (plain := _plain_number(text)) is None:
        raise BadUnitError("a size is a number of bytes, or has a unit: 64KiB, 4MiB, 1MB")
    return _whole(plain, "bytes")


def format_size(size_bytes: int) -> str:
    """In the largest unit that divides it."""
    for unit, factor in _BYTES.items():
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return "0B"


def parse_count(text: str) -> int:
    """`100`, `10k`, `2M`, `2e+06` -> a whole number."""
    found = re.fullmatch(_COUNT, text)
    if found is not None:
        return _whole(float(found[1]) * _MANY[found[2] or ""], "a whole number")
    if (plain := _plain_number(text)) is None:
        raise BadUnitError("a count is a whole number: 100, 10k, 2M or 2e+06")
    return _whole(plain, "a whole number")


def _plain_number(text: str) -> float | None:
    if re.fullmatch(_SCIENTIFIC, text) or (text.isascii() and text.isdigit() and len(text) <= 20):
        return float(text)
    return None


def _whole(number: float, what: str) -> int:
    if number > MAX_NUMBER:
        raise BadUnitError("the number is too large")
    if number != int(number):
        raise BadUnitError(f"this does not come to {what}")
    return int(number)


def milliseconds(seconds: float) -> float:
    """With three places; of what is not negative. (`round` takes three times as long.)"""
    return int(seconds * 1e6 + 0.5) / 1e3
