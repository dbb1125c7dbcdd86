"""Who may call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Reason, Refusal
from sidecar.policies.auth import Admitted, admit

TOKENS = (b"tok-1", b"tok-2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"authorization", b"Bearer tok-1"),
        (b"authorization", b"bearer   tok-2"),
        (b"x-api-key", b"tok-1"),
        (b"api-key", b"tok-2"),
        (b"x-goog-api-key", b"tok-1"),
    ],
)
def test_a_token_may_stand_where_a_key_stands_and_is_spent_there(name: bytes, value: bytes) -> None:
    assert admit([(name, value)], None, TOKENS) == Admitted((name, value))


def test_beside_a_key_it_spends_nothing() -> None:
    key = (b"authorization", b"Bearer sk-callers-own")
    assert admit([key], b"tok-2", TOKENS) == Admitted(None)


def test_of_two_credentials_the_one_that_is_the_token_is_spent() -> None:
    key, token = (b"authorization", b"Bearer sk-callers-own"), (b"x-api-key", b"tok-1")
    assert admit([key, token], None, TOKENS) == Admitted(token)


@given(st.binary(max_size=12), st.none() | st.binary(max_size=12))
def test_nothing_else_is_admitted(value: bytes, hint: bytes | None) -> None:
    if value in TOKENS or hint in TOKENS:
        return
    refused = admit([(b"x-api-key", value)], hint, TOKENS)
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.UNAUTHORIZED
    assert b"tok" not in refused.message.encode().replace(b"token", b"")


def test_the_scheme_belongs_to_authorization_alone() -> None:
    assert isinstance(admit([(b"x-api-key", b"Bearer tok-1")], None, TOKENS), Refusal)
    assert isinstance(admit([(b"authorization", b"Basic tok-1")], None, TOKENS), Refusal)
