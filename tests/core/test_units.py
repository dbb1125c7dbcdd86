"""Durations, sizes and counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.units import (
    MAX_DURATION_S,
    MAX_NUMBER,
    BadUnitError,
    format_duration,
    format_size,
    milliseconds,
    parse_count,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("5s", 5), ("2m", 120), ("1h", 3600), ("1.5s", 1.5), ("0s", 0), ("0ms", 0)],
)
def test_a_duration_is_read_in_its_unit(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", "-5s", "1m30s", "5S", "s", "1e3s", "\u0665s", "9000h", "5s\n", "off"]
)
def test_anything_else_is_no_duration(text: str):
    with pytest.raises(BadUnitError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (5, "5s"), (90, "90s"), (600, "10m"), (3600, "1h"), (0, "0s")],
)
def test_a_duration_is_spelt_in_the_largest_unit_that_fits(seconds: float, text: str):
    assert format_duration(seconds) == text


@given(st.integers(0, int(MAX_DURATION_S * 1000)))
def test_a_duration_of_whole_milliseconds_survives_the_round_trip(milliseconds: int):
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65536),
        ("4MiB", 4 << 20),
        ("1MB", 10**6),
        ("1kB", 1000),
        ("1.5KiB", 1536),
        ("512B", 512),
        ("512", 512),
        ("1e+06", 10**6),
        ("1.048576e+06", 1 << 20),
    ],
)
def test_a_size_is_read_with_or_without_a_unit(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "64k", "64kib", "-1", "1.0001KiB", "1e400", "99999TiB", "x"])
def test_anything_else_is_no_size(text: str):
    with pytest.raises(BadUnitError):
        parse_size(text)


@given(st.integers(0, MAX_NUMBER))
def test_a_size_survives_the_round_trip(size: int):
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("100", 100), ("10k", 10_000), ("2M", 2_000_000), ("2e+06", 2_000_000)],
)
def test_a_count_is_read_as_people_and_as_helm_write_it(text: str, count: int):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "1.5", "-1", "2m", "ten", "1e99", "9" * 5000])
def test_anything_else_is_no_count(text: str):
    with pytest.raises(BadUnitError):
        parse_count(text)


@given(st.text())
def test_no_text_escapes_as_another_error_and_no_message_repeats_it(text: str):
    for parse in (parse_duration, parse_size, parse_count):
        said = ""
        try:
            parse(text)
        except BadUnitError as error:
            said = str(error)
        assert len(text) < 8 or text not in said


@given(st.floats(0, 1e6))
def test_milliseconds_have_three_places(seconds: float) -> None:
    assert milliseconds(seconds) == pytest.approx(seconds * 1000, abs=0.00051)
    assert milliseconds(0.0123456) == 12.346
