"""Keys out of texts that providers wrote."""

from __future__ import annotations

import pytest

from sidecar.policies.redact import REDACTED, without_keys


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abc123def456",
        "sk-ant-api03-abcdefgh",
        "gsk_abcdefgh",
        "xai-abcdefgh",
        "AIzaSyAbcdefgh",
        "sk-1234****cdef",
    ],
)
def test_what_looks_like_a_key_is_taken_out(key: str) -> None:
    told = f"Incorrect API key provided: {key}. You can find yours elsewhere."
    cleaned = without_keys(told, ())
    assert key[:12] not in cleaned
    assert cleaned.startswith(f"Incorrect API key provided: {REDACTED}")


def test_the_callers_own_key_is_taken_out_whatever_it_looks_like() -> None:
    told = "no such key: 0123456789abcdef (Bearer 0123456789abcdef)"
    assert "0123456789abcdef" not in without_keys(told, ["Bearer 0123456789abcdef"])


def test_short_words_and_plain_texts_stay() -> None:
    told = "model: asking for a task is no key; Bearer of bad news"
    assert without_keys(told, ["Bearer no"]) == told
