"""The list of deviations as the README shows it."""

from __future__ import annotations

from sidecar.core.deviations import DEVIATIONS, markdown


def test_every_deviation_is_a_row_with_its_reason() -> None:
    lines = markdown().splitlines()
    assert len(lines) == len(DEVIATIONS) + 2
    for deviation, line in zip(DEVIATIONS, lines[2:], strict=True):
        assert line == f"| {deviation.what} | {deviation.reason} | {deviation.setting or '-'} |"


def test_no_row_breaks_the_table() -> None:
    assert all(line.count(" | ") == 2 for line in markdown().splitlines()[2:])
