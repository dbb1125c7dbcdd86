"""Paths that would lead out of their folder."""

from __future__ import annotations

import pytest

from sidecar.policies.paths import climbs


@pytest.mark.parametrize(
    "target",
    ["/../x", "/a/..", "/a/%2e%2e/b", "/a/.%2E/b", "/%2e%2e%2fx", "/a/..\\b", "/a/..%5cb", "/..?x"],
)
def test_a_dot_segment_climbs_however_it_is_written(target: str) -> None:
    assert climbs(target)


@pytest.mark.parametrize(
    "target",
    ["/v1/chat", "/a..b/c", "/...", "/a?x=/../y", "/%252e%252e/x", "/v1/models/a%2fb", "//x", "/."],
)
def test_all_else_does_not(target: str) -> None:
    assert not climbs(target)
