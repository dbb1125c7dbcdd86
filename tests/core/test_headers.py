"""What each header name means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core import headers as h


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"Connection", h.CONNECTION),
        (b"KEEP-ALIVE", h.DROP),
        (b"te", h.DROP),
        (b"Transfer-Encoding", h.TRANSFER_ENCODING),
        (b"x-API-key", h.CREDENTIAL),
        (b"X-Sidecar-Token", h.HINT),
        (b"x-side", h.PASS),
        (b"accept-encoding", h.PASS),
        (b"cookie", h.PASS),
    ],
)
def test_a_name_means_the_same_in_any_case(name: bytes, kind: int) -> None:
    assert h.kind_of(name) == kind
    assert h.cached(name) == kind
    assert h.kind_of(name.swapcase()) == kind


def test_the_cache_is_bounded() -> None:
    for number in range(10_000):
        assert h.kind_of(b"x-invented-%d" % number) == h.PASS
    assert len(h._cache) <= 4096


@given(st.lists(st.from_regex(rb"[A-Za-z-]{1,8}", fullmatch=True), max_size=5))
def test_the_members_of_a_connection_header(names: list[bytes]) -> None:
    value = b" ,".join(names)
    assert h.connection_tokens(value) == {name.lower() for name in names}
