"""A log line is one line, whatever a stranger put into it."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.records import Attempt, ErrorTold, Record
from sidecar.core.secret import Secret
from sidecar.telemetry import lines

_NewRecord = Callable[..., Record]
_TS = 1_795_435_200.1239
_ANY_TEXT = st.text(st.characters(), max_size=400)


def _line(record: Record) -> bytes:
    return lines.json_exchange(_TS, record, lines.encoded(record))


def test_a_json_line_is_time_level_event_and_every_field(new_record: _NewRecord) -> None:
    record = new_record()
    line = _line(record)
    assert line.endswith(b"}\n")
    fields = json.loads(line)
    assert list(fields) == ["ts", "level", "event", *Record.__struct_fields__]
    assert fields["ts"] == "2026-11-23T12:00:00.123Z"
    assert (fields["level"], fields["event"]) == ("info", "exchange")
    assert fields["attempts"] == [
        {"upstream": "openai", "reason": None, "status": 200, "duration_ms": 800.5}
    ]
    assert fields["fault"] is None


@given(path=_ANY_TEXT, request_id=_ANY_TEXT, upstream=_ANY_TEXT)
def test_no_text_breaks_a_line_or_reaches_the_terminal_raw(
    new_record: _NewRecord, path: str, request_id: str, upstream: str
) -> None:
    record = new_record(
        path=path, request_id=request_id, attempts=(Attempt(upstream, None, None, 1.0),)
    )
    for line in (
        _line(record),
        lines.text_exchange(_TS, record),
    ):
        assert line.decode()[:-1].isprintable()
        assert line.endswith(b"\n")
    fields = json.loads(_line(record))
    for text in (fields["path"], fields["request_id"], fields["attempts"][0]["upstream"]):
        assert text.isprintable()
        assert len(text) <= 256
    if path.isprintable() and len(path) <= 256:
        assert fields["path"] == path


@given(length=st.integers(0, 600))
def test_the_short_way_and_the_careful_way_write_the_same(
    new_record: _NewRecord, length: int
) -> None:
    record = new_record(path="/" + "a" * length)
    careful = lines.json_event(_TS, "info", "exchange", msgspec.structs.asdict(record))
    assert json.loads(_line(record)) == json.loads(careful)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("/a\nb", r"/a\nb"),
        ("/\x1b[31m", r"/\x1b[31m"),
        ("/\x9b31m", r"/\x9b31m"),
        ("/\x7f", r"/\x7f"),
        ("/\u2028", r"/\u2028"),
        ("/\udc80", r"/\udc80"),
        ("/ä/日本", "/ä/日本"),
        ("/" + "a" * 255, "/" + "a" * 255),
        ("/" + "a" * 256, "/" + "a" * 254 + "…"),
    ],
)
def test_what_cannot_be_printed_is_spelled_out(
    new_record: _NewRecord, sent: str, shown: str
) -> None:
    record = new_record(path=sent)
    assert json.loads(_line(record))["path"] == shown
    assert shown.encode() in lines.text_exchange(_TS, record)


def test_a_text_line_reads_as_a_sentence(new_record: _NewRecord) -> None:
    assert lines.text_exchange(_TS, new_record()).decode() == (
        "2026-11-23T12:00:00.123Z info    ok 200 POST /v1/chat/completions -> openai 812.5 ms"
        " (headers 301.2 ms) 1234 B up, 56789 B down id=req-1\n"
    )


def test_a_text_line_leaves_out_what_is_unknown_and_says_why_it_failed(
    new_record: _NewRecord,
) -> None:
    record = new_record(
        method=None,
        path=None,
        status=None,
        upstream=None,
        headers_ms=None,
        outcome="refused",
        fault="caller",
        reason="bad_request",
    )
    assert lines.text_exchange(_TS, record).decode() == (
        "2026-11-23T12:00:00.123Z info    refused - - - -> none 812.5 ms 1234 B up, 56789 B down"
        " reason=bad_request fault=caller id=req-1\n"
    )


def test_an_event_carries_its_fields_in_both_formats() -> None:
    fields = {
        "address": "127.0.0.1:8484",
        "why": "two words",
        "count": 3,
        "level": "not this one",
        "names": ["a", "b"],
        "key": Secret("sk-secret"),
    }
    assert json.loads(lines.json_event(_TS, "warning", "listening", fields)) == {
        "ts": "2026-11-23T12:00:00.123Z",
        "level": "warning",
        "event": "listening",
        "address": "127.0.0.1:8484",
        "why": "two words",
        "count": 3,
        "names": ["a", "b"],
        "key": "[redacted]",
    }
    assert lines.text_event(_TS, "warning", "listening", fields).decode() == (
        "2026-11-23T12:00:00.123Z warning listening address=127.0.0.1:8484"
        ' why="two words" count=3 level="not this one" names=["a","b"] key=[redacted]\n'
    )


def test_an_error_has_its_class_in_strange_lines_too(new_record: _NewRecord) -> None:
    record = new_record(error=ErrorTold("server", None, None, "\u202e no"))
    assert json.loads(_line(record))["error"]["class"] == "server"
