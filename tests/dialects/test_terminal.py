"""Whether a stream has said that it is over, however its bytes are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.terminal import TerminalWatch, watch

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
SSE = b"text/event-stream; charset=utf-8"
_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-responses": "/v1/responses",
    "anthropic-messages": "/v1/messages",
}


def _watch(path: str) -> TerminalWatch:
    made = watch(path, SSE)
    assert made is not None
    return made


def _recorded() -> list[str]:
    names = []
    for file in sorted(TRANSCRIPTS.glob("*.json")):
        told = json.loads(file.read_text())
        # `complete: null` in the transcripts means that either answer is right.
        if (
            told["dialect"] in _PATHS
            and told["streamed"]
            and told["expect"]["complete"] is not None
        ):
            names.append(file.stem)
    return names


# Cut inside its last event, of which the mark is the beginning: only a reader of whole events can
# tell. Its framing does: such a body is cut there, too.
_CUT_IN_THE_LAST_EVENT = "openai-responses.openai.truncated.mid-completed.01"


@pytest.mark.parametrize("step", [1, 7, 300, 5000, 1 << 30])
@pytest.mark.parametrize("name", [n for n in _recorded() if n != _CUT_IN_THE_LAST_EVENT])
def test_it_agrees_with_what_was_recorded(name: str, step: int) -> None:
    told = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    body = (TRANSCRIPTS / f"{name}.body").read_bytes()
    watching = _watch(_PATHS[told["dialect"]])
    for at in range(0, len(body), step):
        watching.feed(body[at : at + step])
    assert watching.is_over is bool(told["expect"]["complete"])


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/v1/chat/completions", b"application/json"),
        ("/v1/chat/completions", None),
        ("/v1/embeddings", SSE),
        ("/v1beta/models/g:streamGenerateContent", SSE),
    ],
)
def test_nothing_is_watched_where_no_mark_is_known(path: str, content_type: bytes | None) -> None:
    assert watch(path, content_type) is None


@given(
    st.sampled_from(list(_PATHS.values())),
    st.text(max_size=60),
    st.sampled_from(
        [
            "data: [DONE]",
            "\ndata: [DONE]\n",
            '"finish_reason":"stop"',
            '"type":"message_stop"',
            'event: message_stop\ndata: {"type": "message_stop"}',
            '"type":"response.completed"',
        ]
    ),
    st.integers(1, 80),
)
def test_no_generated_text_can_imitate_the_end(path: str, text: str, mark: str, step: int) -> None:
    """A mark inside a JSON string has its quotes and line ends escaped."""
    event = {"choices": [{"delta": {"content": text + mark + text}}], "delta": {"text": mark}}
    body = b"data: " + json.dumps(event).encode() + b"\n\n"
    watching = _watch(path)
    for at in range(0, len(body), step):
        watching.feed(body[at : at + step])
    assert not watching.is_over


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.sampled_from(["\n", "\r", "\r\n"]))
def test_the_end_is_found_wherever_it_is_cut(cuts: list[int], line_end: str) -> None:
    filler = 'data: {"choices":[{"delta":{"content":"abc"},"finish_reason":null}]}'
    body = (line_end * 2).join([filler] * 20 + ["data: [DONE]", ""]).encode()
    watching = _watch("/v1/chat/completions")
    at, turn = 0, 0
    while at < len(body):
        assert not watching.is_over or body.find(b"[DONE]") < at
        step = cuts[turn % len(cuts)]
        watching.feed(body[at : at + step])
        at, turn = at + step, turn + 1
    assert watching.is_over


def test_what_is_kept_is_bounded() -> None:
    watching = _watch("/v1/chat/completions")
    for _ in range(500):
        watching.feed(b"x" * 100_000)
        watching.feed(b"y")
    assert sum(map(len, watching._pieces)) < 100_000


def test_in_an_encoded_stream_no_mark_can_be_seen() -> None:
    path = "/v1/chat/completions"
    assert watch(path, b"text/event-stream", b"gzip") is None
    assert watch(path, b"text/event-stream", b"Identity") is not None
