"""What a request says about the provider it is meant for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.policies.keys import UNMARKED, drop_query_key, read_mark

BEARER = b"authorization"


@pytest.mark.parametrize(
    ("header", "value", "providers"),
    [
        (BEARER, b"Bearer sk-ant-api03-x", {"anthropic"}),
        (BEARER, b"bearer  sk-or-v1-x", {"openrouter"}),
        (BEARER, b"Bearer gsk_x", {"groq"}),
        (BEARER, b"Bearer\tgsk_x", {"groq"}),
        (BEARER, b"gsk_x", {"groq"}),
        (BEARER, b"Token gsk_x", {"groq"}),
        (BEARER, b"Bearer xai-x", {"x_ai"}),
        (BEARER, b"Bearer ya29.x", {"gcp.gemini", "gcp.vertex_ai"}),
        (b"x-api-key", b"sk-ant-x", {"anthropic"}),
        (b"x-goog-api-key", b"AIzaX", {"gcp.gemini", "gcp.vertex_ai"}),
    ],
)
def test_the_form_of_a_key_names_its_provider(
    header: bytes, value: bytes, providers: set[str]
) -> None:
    mark = read_mark([(header, value)], "", has_anthropic_version=False)
    assert mark.by_form == providers
    assert mark.by_key == providers


@pytest.mark.parametrize(
    ("header", "providers"),
    [
        (b"api-key", {"azure.ai.openai", "azure.ai.inference"}),
        (b"x-goog-api-key", {"gcp.gemini", "gcp.vertex_ai"}),
    ],
)
def test_a_header_that_one_family_uses_names_it_where_the_form_does_not(
    header: bytes, providers: set[str]
) -> None:
    mark = read_mark([(header, b"0123456789")], "", has_anthropic_version=False)
    assert (mark.by_form, mark.by_key) == (None, providers)


def test_a_key_in_the_query_counts() -> None:
    assert read_mark([], "alt=sse&key=AIzaX", False).by_form == {"gcp.gemini", "gcp.vertex_ai"}
    assert read_mark([], "key=sk%2Dant-x", False).by_form == {"anthropic"}
    assert read_mark([], "k%65y=sk-ant-x", False).by_form == {"anthropic"}
    assert read_mark([], "key=gsk_x&key=sk-ant-x", False).by_form == set()


def test_two_keys_of_different_providers_fit_nobody() -> None:
    both = [(BEARER, b"Bearer gsk_x"), (b"x-api-key", b"sk-ant-x")]
    assert read_mark(both, "", False).by_key == set()


def test_the_name_of_an_api_speaks_only_where_no_key_does() -> None:
    assert read_mark([(b"x-api-key", b"sk-x")], "", True).by_api == "anthropic"
    assert read_mark([(BEARER, b"Bearer sk-or-x")], "", True).by_api is None


def test_other_credentials_say_nothing() -> None:
    assert read_mark([(BEARER, b"Basic c2stYW50LQ==")], "monkey=1", False) is UNMARKED
    assert read_mark([(BEARER, b"Bearer sk-proj-x")], "", False) is UNMARKED
    assert read_mark([(BEARER, b"")], "", False) is UNMARKED


_pairs = st.lists(
    st.from_regex(r"[a-z]{1,6}=[A-Za-z0-9%._-]{0,8}", fullmatch=True).filter(
        lambda pair: not pair.startswith("key=")
    ),
    max_size=5,
)


@given(_pairs, st.integers(0, 5))
def test_dropping_the_key_leaves_all_other_bytes(pairs: list[str], at: int) -> None:
    rest = "?" + "&".join(pairs) if pairs else ""
    keyed = [*pairs[:at], "key=AIzaSecret", *pairs[at:]]
    assert drop_query_key("/v1beta/x?" + "&".join(keyed)) == "/v1beta/x" + rest
    assert drop_query_key("/v1beta/x" + rest) == "/v1beta/x" + rest
    encoded = [*pairs[:at], "%6Bey=AIzaSecret", *pairs[at:]]
    assert drop_query_key("/v1beta/x?" + "&".join(encoded)) == "/v1beta/x" + rest
