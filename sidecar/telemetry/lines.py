"""What a log line looks like: JSON for machines, text for people.

Knows: how a Record or a lifecycle event becomes one line of bytes.
Must not know: queues, threads or files; `log` does the writing.
Why everything unprintable is spelled out: a line may hold what a stranger sent (a path, an id). A
line break would forge a second entry, and an escape sequence would reach the terminal of whoever
reads the log, also after `jq -r` has undone JSON's own escapes. So such a character is written as
backslash, x, 1, b before JSON is made of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from sidecar.core.records import Record

FIELD_CHARACTERS: Final = 256
"""A longer string is cut, and ends in an ellipsis."""

# Unknown types are shown by their own str(): a Secret says that it is redacted.
_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def encoded(record: Record) -> bytes:
    """The Record as JSON; what cannot be said in UTF-8 is spelled out."""
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:  # half of a surrogate pair
        return _ENCODER.encode(_cleaned(record))


def json_exchange(ts: float, record: Record, body: bytes) -> bytes:
    """`{"ts", "level", "event": "exchange", ...the fields of the Record}`; `body`: it, encoded."""
    if not (_is_printable(body) and _is_short(record)):
        return json_event(ts, "info", "exchange", msgspec.structs.asdict(record))
    # Nearly every Record is plain: it has encoded itself, and three fields go before its own.
    head = f'{{"ts":"{stamp(ts)}","level":"info","event":"exchange",'
    return head.encode() + body[1:] + b"\n"


def json_event(ts: float, level: str, name: str, fields: Mapping[str, object]) -> bytes:
    """`{"ts", "level", "event": name, ...fields}`."""
    line: dict[str, object] = {"ts": stamp(ts), "level": level, "event": name}
    for key, value in fields.items():
        line.setdefault(key, _cleaned(value))
    return _ENCODER.encode(line) + b"\n"


def text_exchange(ts: float, record: Record) -> bytes:
    """One readable line; what is unknown is left out."""
    words = [
        record.outcome,
        "-" if record.status is None else str(record.status),
        record.method or "-",
        _clean(record.path or "-"),
        f"-> {_clean(record.upstream or 'none')}",
        f"{record.duration_ms:.1f} ms",
    ]
    if record.headers_ms is not None:
        words.append(f"(headers {record.headers_ms:.1f} ms)")
    if record.ttft_ms is not None:
        words.append(f"(first token {record.ttft_ms:.1f} ms)")
    if (model := record.response_model or record.request_model) is not None:
        words.append(f"model={_clean(model)}")
    if record.output_tokens_per_s is not None:
        words.append(f"{record.output_tokens_per_s:.1f} tokens/s")
    words.append(f"{record.request_bytes} B up, {record.response_bytes} B down")
    if record.reason is not None:
        words.append(f"reason={record.reason} fault={record.fault}")
    words.append(f"id={_clean(record.request_id)}")
    return _text_line(ts, "info", words)


def text_event(ts: float, level: str, name: str, fields: Mapping[str, object]) -> bytes:
    """The name, then key=value pairs; a value with spaces in it is quoted."""
    words = [name]
    for key, value in fields.items():
        clean = _cleaned(value)
        is_word = isinstance(clean, str) and clean and " " not in clean and '"' not in clean
        words.append(f"{key}={clean if is_word else _ENCODER.encode(clean).decode()}")
    return _text_line(ts, level, words)


def stamp(ts: float) -> str:
    """Unix seconds -> RFC 3339 in UTC with milliseconds."""
    second, milliseconds = divmod(int(ts * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)  # the lines of a batch are of the same second or two
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _text_line(ts: float, level: str, words: list[str]) -> bytes:
    return f"{stamp(ts)} {level:<7} {' '.join(words)}\n".encode()


def _is_printable(body: bytes) -> bool:
    """True if certainly no string in this JSON needs to be spelled out.

    Looks at the bytes as a whole, because asking each string costs more than encoding them all.
    What JSON escapes shows as a backslash; what it does not escape is DEL or beyond ASCII.
    """
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def _is_short(record: Record) -> bool:
    """True if no string in it needs to be cut. What an answer said was cut when the Record was
    made; all others are of closed lists, or ids."""
    return (record.path is None or len(record.path) <= FIELD_CHARACTERS) and (
        record.route is None or len(record.route) <= FIELD_CHARACTERS
    )


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _cleaned(member) for key, member in value.items()}
    if isinstance(value, (tuple, list)):
        return [_cleaned(member) for member in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _clean(str(value))


def _clean(text: str) -> str:
    """At most FIELD_CHARACTERS printable characters."""
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode()
            for c in text[: FIELD_CHARACTERS + 1]
        )
    if len(text) > FIELD_CHARACTERS:
        text = text[: FIELD_CHARACTERS - 1] + "…"
    return text
