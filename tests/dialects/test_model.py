"""The model that a request asks for, from body or path, whole or cut."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.model import model_asked


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/v1/chat/completions", b'{"messages": [], "model": "gpt-4o"}', "gpt-4o"),
        ("/v1/chat/completions", b' \n{"model": null}', None),
        ("/v1/chat/completions", b'{"model": 5}', None),
        ("/v1/chat/completions", b'["model"]', None),
        ("/v1/chat/completions", b"not json", None),
        ("/v1/chat/completions", b"", None),
        ("/v1/chat/completions", b'{"model": "x"', None),
        ("/v1beta/models/gemini-2.5-pro:generateContent", b"{}", "gemini-2.5-pro"),
        ("/model/anthropic.claude%3A0/converse-stream", b"{}", "anthropic.claude:0"),
        ("/bedrock/model/nova/invoke", b"{}", "nova"),
    ],
)
def test_where_it_stands(path: str, body: bytes, model: str | None) -> None:
    assert model_asked(path, body, is_whole=True) == model


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"messages": [{"model": "inner"}], "model": "outer", "more": "', "outer"),
        (b'{"metadata": {"model": "inner"}, "messages": ["', None),
        (b'{"text": "\\"model\\": \\"forged\\"", "model": "real", "x', "real"),
        (b'{"model": {"name": "x"}, "y": "', None),
        (b'{"model": "caf\\u00e9", "y": "', "café"),
        (b'{"model": "uncl', None),
        (b'[{"model": "x"}', None),
    ],
)
def test_the_start_of_a_long_body_is_enough(body: bytes, model: str | None) -> None:
    assert model_asked("/v1/chat/completions", body, is_whole=False) == model


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), _json, max_size=4), st.text(max_size=10), st.data())
def test_a_cut_body_never_names_another_model(
    rest: dict[str, object], model: str, data: st.DataObject
) -> None:
    rest.pop("model", None)
    body = json.dumps({**rest, "model": model, "tail": "x" * 20}).encode()
    cut = data.draw(st.integers(0, len(body)))
    assert model_asked("/v1/x", body, is_whole=True) == model
    assert model_asked("/v1/x", body[:cut], is_whole=False) in (model, None)


def test_a_string_that_does_not_end_here_is_gone_through_once() -> None:
    """It took seven hours for 4 MiB once: from each of its quotes to the end."""
    body = b'{"messages":[{"content":"' + b'say \\"hi\\" now ' * 70_000
    began = time.process_time()
    assert model_asked("/x", body, False) is None
    assert time.process_time() - began < 1.0
    assert model_asked("/x", b'{"model":"m","messages":"' + body, False) == "m"
    assert model_asked("/x", b'{"model":"m', False) is None
    assert model_asked("/x", b'{"model":"m\\', False) is None
