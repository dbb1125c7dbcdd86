"""What the callers of the demo send, and how they read what comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice

import aiohttp
import pytest

from sidecar.lab.mock import Mock
from sidecar.lab.script import parse_model
from sidecar.lab.traffic import Errand, Tally, errands, is_generated, run_errand, send_traffic


def _chat(model: str, stream: bool = True) -> Errand:
    body = {"model": model, "stream": stream, "messages": []}
    return Errand("chat", "/v1/chat/completions", body)


def _run(url: str, errand: Errand) -> tuple[str, Tally]:
    tally = Tally()

    async def run() -> str:
        async with aiohttp.ClientSession() as session:
            return await run_errand(session, url, errand, tally)

    return asyncio.run(run()), tally


def test_the_mix_holds_every_kind_and_a_few_failures() -> None:
    mix = list(islice(errands(), 17 * 5))
    scripts = [parse_model(str(errand.body["model"])) for errand in mix]
    assert {e.name for e in mix} == {"chat", "messages", "responses", "embeddings"}
    assert {e.body.get("stream", False) for e in mix} == {True, False}
    assert sum(script.fault is not None for script in scripts) == 5


def test_nothing_in_the_mix_outlasts_the_demos_patience() -> None:
    for errand in islice(errands(), 17 * 5):
        script = parse_model(str(errand.body["model"]))
        assert script.ttft_s + script.gap_s * (script.tokens or 40) < 2


@pytest.mark.parametrize(
    ("items", "ending"),
    [
        ("tokens=5", "ok"),
        ("tokens=5,fault=cut@3", "cut"),
        ("tokens=5,fault=error@3", "error event"),
        ("tokens=5,fault=reset@3", "broken connection"),
        ("fault=status=503", "status 503"),
        ("fault=garbage@3", "ok"),
        ("fault=refuse", "no connection"),
    ],
)
def test_every_ending_is_told_apart(mock: Mock, items: str, ending: str) -> None:
    found, tally = _run(mock.url, _chat(f"mock,ttft=0ms,gap=0ms,{items}"))
    assert found == ending
    assert tally.endings == Counter({ending: 1})
    assert (tally.sent, tally.in_flight) == (1, 0)


def test_a_buffered_answer_that_is_cut_is_seen(mock: Mock) -> None:
    assert _run(mock.url, _chat("mock,ttft=0ms,gap=0ms,fault=cut@3", stream=False))[0] == "cut"
    assert _run(mock.url, _chat("mock,ttft=0ms,gap=0ms", stream=False))[0] == "ok"


def test_a_port_where_nobody_listens_is_no_connection() -> None:
    assert _run("http://127.0.0.1:1", _chat("mock"))[0] == "no connection"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
def test_the_first_token_is_timed_and_not_the_head_that_came_before(mock: Mock, path: str) -> None:
    body = {"model": "mock,ttft=120ms,gap=0ms", "stream": True, "messages": [], "input": "x"}
    ending, tally = _run(mock.url, Errand("x", path, body))
    assert ending == "ok"
    assert len(tally.first_token_s) == 1
    assert 0.12 <= tally.first_token_s[0] < 0.5


def test_traffic_ends_at_its_limit_and_everything_is_counted(mock: Mock) -> None:
    tally = Tally()
    asyncio.run(send_traffic(mock.url, tally, asyncio.Event(), callers=17, pause_s=0.0, limit=17))
    assert (tally.sent, tally.in_flight, tally.endings.total()) == (17, 0, 17)
    assert tally.endings == Counter({"ok": 16, "cut": 1})
    assert tally.received_bytes > 10_000


def test_when_it_is_over_what_was_begun_is_finished(mock: Mock) -> None:
    async def run() -> Tally:
        tally, over = Tally(), asyncio.Event()
        traffic = asyncio.create_task(send_traffic(mock.url, tally, over, callers=2, pause_s=60.0))
        while tally.in_flight < 2:
            await asyncio.sleep(0.01)
        over.set()
        await asyncio.wait_for(traffic, 5)
        return tally

    assert asyncio.run(run()).endings == Counter({"ok": 2})


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, False),
        ({"choices": [{"delta": {"content": "x"}}]}, True),
        ({"choices": [{"delta": {"reasoning_content": "x"}}]}, True),
        ({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}, True),
        ({"choices": [], "usage": {}}, False),
        ({"choices": [None, {"delta": None}]}, False),
        ({"type": "response.output_text.delta", "delta": "x"}, True),
        ({"type": "response.output_text.done", "text": "x"}, False),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}, True),
        ({"type": "content_block_delta", "delta": {"partial_json": ""}}, False),
        ({"type": "content_block_delta", "delta": {"signature": "x"}}, False),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, False),
        ({"type": "ping"}, False),
    ],
)
def test_only_a_piece_that_the_model_made_counts_as_generated(
    event: dict[str, object], verdict: bool
) -> None:
    assert is_generated(event) is verdict


def test_quantiles_are_unknown_before_the_first_stream() -> None:
    tally = Tally()
    assert tally.first_token_quantile_s(0.5) is None
    tally.first_token_s.extend([0.3, 0.1, 0.2])
    assert (tally.first_token_quantile_s(0.5), tally.first_token_quantile_s(1.0)) == (0.2, 0.3)
