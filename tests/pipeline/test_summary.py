"""The Record of an exchange."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest

from sidecar.core.outcome import Reason
from sidecar.core.records import Tokens
from sidecar.metering.estimate import Ratios
from sidecar.metering.prices import Price, PriceBook, PriceTable, ProviderPrices
from sidecar.pipeline import handle
from sidecar.pipeline.exchange import Exchange
from sidecar.pipeline.summary import record_of

from .fakes import (
    ListDesk,
    Read,
    RecordingClient,
    ScriptedUpstream,
    ScriptedWire,
    inbound,
    plan,
    response,
    sized,
)

EVENTS = (b"Content-Type", b"text/event-stream")
CHUNKED = (b"Transfer-Encoding", b"chunked")
JSON = (b"Content-Type", b"application/json")


def _exchange(*headers: tuple[bytes, bytes], target: str = "/v1/x?key=secret") -> Exchange:
    request = inbound(*headers, target=target)
    return Exchange(request, RecordingClient(), plan(ScriptedUpstream()), ListDesk())


@pytest.mark.parametrize(
    ("status", "outcome", "fault"),
    [
        (200, "ok", None),
        (307, "ok", None),
        (404, "upstream_4xx", "caller"),
        (429, "upstream_429", "provider"),
        (529, "upstream_5xx", "provider"),
    ],
)
def test_an_upstreams_own_answer_decides_where_nothing_else_does(
    status: int, outcome: str, fault: str | None
) -> None:
    exchange = _exchange()
    exchange.upstream_status = status
    record = record_of(exchange, "now", Ratios())
    assert (record.outcome, record.fault) == (outcome, fault)


def test_what_is_unknown_is_none() -> None:
    exchange = _exchange()
    exchange.ended_at = 0.25
    record = record_of(exchange, "now", Ratios())
    assert record.status is None
    assert record.headers_ms is None
    assert record.upstream is None
    assert record.duration_ms == 250.0


@pytest.mark.parametrize("target", ["http://user:secret@evil/", "evil:443", "*"])
def test_what_is_no_path_is_not_told(target: str) -> None:
    assert record_of(_exchange(target=target), "now", Ratios()).path is None


async def play(*steps: Read | Reason, body: bytes = b'{"model":"m","stream":true}'):  # type: ignore[no-untyped-def]  # a Record
    header, sent = sized(body)
    desk = ListDesk()
    wire = ScriptedWire(*steps)
    await handle(
        inbound(header, body=sent),
        RecordingClient(),
        plan(ScriptedUpstream(wire), replay_limit=999),
        desk,
    )
    desk.assert_balanced()
    return desk.records[0]


async def test_a_stream_is_told_whole() -> None:
    record = await play(
        Read(
            response(
                200, EVENTS, CHUNKED, (b"openai-processing-ms", b"12"), (b"x-request-id", b"up-1")
            )
        ),
        Read(
            body=b'data: {"id":"c1","model":"m-1","choices":[{"delta":{"role":"assistant"}}]}\n\n'
        ),
        Read(body=b'data: {"choices":[{"delta":{"reasoning":"h"}}]}\n\n'),
        Read(body=b'data: {"choices":[{"delta":{"content":"h"},"finish_reason":"stop"}]}\n\n'),
        Read(body=b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'),
        Read(body=b"data: [DONE]\n\n", is_end=True),
    )
    assert (record.outcome, record.stream, record.operation) == ("ok", True, "chat")
    assert (record.request_model, record.response_model) == ("m", "m-1")
    assert (record.response_id, record.upstream_request_id) == ("c1", "up-1")
    assert record.usage == Tokens(5, 2)
    assert (record.usage_source, record.finish_reasons) == ("reported", ("stop",))
    assert (record.output_events, record.provider_processing_ms) == (2, 12.0)
    assert (record.first_event_ms, record.ttft_ms, record.ttfa_ms) == (0.0, 0.0, 0.0)
    assert record.phases_ms is not None
    assert sum(msgspec.structs.astuple(record.phases_ms)) == pytest.approx(
        record.duration_ms, abs=1
    )


async def test_a_whole_answer_has_no_first_token() -> None:
    record = await play(
        Read(response(200, JSON, CHUNKED)),
        Read(
            body=b'{"model":"m-1","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],'
        ),
        Read(body=b'"usage":{"prompt_tokens":5,"completion_tokens":2}}', is_end=True),
    )
    assert (record.outcome, record.stream, record.usage) == ("ok", False, Tokens(5, 2))
    assert record.ttft_ms is record.output_events is record.output_tokens_per_s is None


@pytest.mark.parametrize(
    ("last", "outcome", "reason"),
    [
        (b"data: [DONE]\n\n", "ok", None),
        (b": nothing\n\n", "truncated", "no_terminal_event"),
        (b'data: {"error":{"message":"x","code":"y"}}\n\n', "stream_error", "in_stream_error"),
        (b'data: {"error":{"code":"y"}}\n\ndata: [DONE]\n\n', "stream_error", "in_stream_error"),
    ],
)
async def test_the_end_of_a_stream_decides(last: bytes, outcome: str, reason: str | None) -> None:
    record = await play(
        Read(response(200, EVENTS, CHUNKED)),
        Read(body=b'data: {"choices":[{"delta":{"content":"h"}}]}\n\n'),
        Read(body=last, is_end=True),
    )
    assert (record.outcome, record.reason) == (outcome, reason)
    if outcome == "stream_error":
        assert record.error is not None
        assert record.error.code == "y"


async def test_an_error_under_a_good_status_is_no_success() -> None:
    body = b'{"error":{"code":"content_filter","message":"no","status":400}}'
    record = await play(Read(response(200, JSON, CHUNKED)), Read(body=body, is_end=True))
    assert (record.outcome, record.reason) == ("stream_error", "in_stream_error")


async def test_an_error_under_its_own_status_is_told_and_judged_by_that() -> None:
    body = b'{"error":{"code":"slow_down","type":"t","message":"' + b"x" * 999 + b'"}}'
    record = await play(Read(response(429, JSON, CHUNKED)), Read(body=body, is_end=True))
    assert record.outcome == "upstream_429"
    assert record.error is not None
    assert (record.error.code, record.error.type) == ("slow_down", "t")
    assert record.error.message is not None
    assert len(record.error.message) == 256


async def test_a_reader_that_breaks_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from sidecar.dialects import openai_chat

    def broken(data: bytes) -> object:
        raise RuntimeError("a bug")

    monkeypatch.setattr(openai_chat, "_decode", broken)
    record = await play(
        Read(response(200, EVENTS, CHUNKED)),
        Read(body=b"data: {}\n\n"),
        Read(body=b"data: [DONE]\n\n", is_end=True),
    )
    assert (record.outcome, record.usage, record.response_model) == ("ok", None, None)


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}\n\n'
CONTENT = b'data: {"model":"m-1","choices":[{"delta":{"content":"hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


async def test_usage_of_nothing_is_not_believed_where_something_was_generated() -> None:
    record = await play(
        Read(response(200, EVENTS, CHUNKED)),
        Read(body=CONTENT * 3 + USAGE % (0, 0) + DONE, is_end=True),
    )
    assert (record.usage, record.usage_source) == (Tokens(None, 3), "estimated")


@pytest.mark.parametrize(
    ("target", "event"),
    [
        ("/v1/images/generations", b'{"type":"image_generation.partial_image","b64_json":"AA=="}'),
        ("/v1/audio/speech", b'{"type":"speech.audio.delta","audio":"AA=="}'),
    ],
)
async def test_sound_and_pictures_are_no_tokens(target: str, event: bytes) -> None:
    header, sent = sized(b'{"model":"m","stream":true}')
    desk = ListDesk()
    wire = ScriptedWire(
        Read(response(200, EVENTS, CHUNKED)), Read(body=b"data: %b\n\n" % event, is_end=True)
    )
    await handle(
        inbound(header, body=sent, target=target),
        RecordingClient(),
        plan(ScriptedUpstream(wire), replay_limit=999),
        desk,
    )
    [record] = desk.records
    assert (record.output_events, record.usage, record.usage_source) == (1, None, None)


@pytest.mark.parametrize(
    ("status", "body", "class_"),
    [
        (429, b'{"error":{"type":"insufficient_quota","message":"no money"}}', "quota"),
        (502, b"<html>bad gateway</html>", "server"),
        (401, b"", "auth"),
    ],
)
async def test_an_error_has_a_class_even_where_its_body_says_nothing(
    status: int, body: bytes, class_: str
) -> None:
    record = await play(Read(response(status, JSON, CHUNKED)), Read(body=body, is_end=True))
    assert record.error is not None
    assert record.error.class_ == class_


async def test_what_broke_off_on_the_way_is_the_networks() -> None:
    record = await play(Read(response(200, EVENTS, CHUNKED), body=CONTENT), Reason.UPSTREAM_CUT)
    assert record.outcome == "truncated"
    assert record.error is not None
    assert record.error.class_ == "network"
    assert json.loads(msgspec.json.encode(record))["error"]["class"] == "network"


async def test_a_stored_answer_was_paid_for_when_it_was_made() -> None:
    body = b'{"id":"resp_1","model":"m","status":"completed","usage":{"input_tokens":5}}'
    exchanges = []
    for method, target in (("POST", "/v1/responses"), ("GET", "/v1/responses/resp_1")):
        table = PriceTable("d", {"p": ProviderPrices({"m": Price(input=1e6)})})
        priced = dataclasses.replace(
            plan(ScriptedUpstream(ScriptedWire(Read(response(200, JSON, CHUNKED), body, True)))),
            prices=PriceBook(table),
        )
        priced.targets["up"] = dataclasses.replace(priced.targets["up"], provider="p")  # type: ignore[index]  # a dict
        desk = ListDesk()
        await handle(inbound(method=method, target=target), RecordingClient(), priced, desk)
        exchanges.append(desk.records[0])
    assert [record.operation for record in exchanges] == ["chat", "fetch_response"]
    assert [record.usage for record in exchanges] == [Tokens(5), Tokens(5)]
    assert [record.cost_usd for record in exchanges] == [5.0, None]


async def test_no_key_is_told_that_a_provider_repeats() -> None:
    body = b'{"error":{"message":"no such key: %b, nor a-key-of-ours","code":"%b"}}'
    key = b"0123456789abcdef"
    told = body % (key, key)
    desk = ListDesk()
    wire = ScriptedWire(Read(response(401, JSON, CHUNKED), told, True))
    await handle(
        inbound((b"Authorization", b"Bearer " + key), target="/v1/chat/completions?k=querykey99"),
        RecordingClient(),
        plan(ScriptedUpstream(wire)),
        desk,
    )
    [record] = desk.records
    assert record.error is not None
    assert record.error.message == "no such key: [redacted], nor [redacted]"
    assert record.error.code == "[redacted]"


async def test_of_a_generic_upstream_only_bytes_and_times_are_told() -> None:
    header, sent = sized(b'{"model":"m","stream":true}')
    desk = ListDesk()
    wire = ScriptedWire(Read(response(200, EVENTS, CHUNKED), CONTENT + DONE, True))
    await handle(
        inbound(header, body=sent),
        RecordingClient(),
        plan(ScriptedUpstream(wire), dialect="generic", replay_limit=999),
        desk,
    )
    [record] = desk.records
    assert (record.outcome, record.response_bytes) == ("ok", len(CONTENT + DONE))
    assert (record.operation, record.stream, record.usage, record.ttft_ms) == (None,) * 4
