"""What the Record says of answers that really went through: measures, money, estimates.

Case numbers (T21 …) are those of the design's list of faults.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator

import pytest

from .caller import LAST_CHUNK, Caller, End, chunk, eventually, request
from .conftest import Side
from .origin import answer, fin, send_many, sleep
from .relay import Relay, Row

CHAT = "/v1/chat/completions"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
HEAD = EVENTS + b"\r\n"
DONE = b"data: [DONE]\n\n"
EXTRA = (
    b'data: {"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100}}'
    b"\n\n"
)
_numbers = itertools.count(1)


def event(text: str, **more: object) -> bytes:
    told = {"model": "gpt-4o", "choices": [{"delta": {"content": text}}], **more}
    return b"data: %b\n\n" % json.dumps(told).encode()


def ask(target: str, body: bytes) -> tuple[str, bytes]:
    request_id = f"measures-{next(_numbers)}"
    return request_id, request(target, body, b"X-Request-ID: " + request_id.encode())


def exchanged(relay: Relay, side: Side, *answered: bytes, body: bytes = b"{}") -> tuple[bytes, Row]:
    """(what the caller got as body, the Record)"""
    target, _ = side.script(answer(*answered), end=CHAT)
    request_id, message = ask(target, body)
    with Caller(relay.data) as caller:
        got = caller.ask(message)
    return got.body, relay.record(request_id)


@pytest.fixture(scope="module")
def paid(plain_side: Side, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """An upstream whose prices are known, and that is asked for usage."""
    url = f"http://127.0.0.1:{plain_side.origin.port}"
    upstreams = (
        f'  asked: {{url: "{url}", dialect: openai, provider: openai, usage: ask}}\n'
        f'  plain: {{url: "{url}", dialect: openai, provider: openai}}\n'
    )
    relay = Relay(tmp_path_factory.mktemp("paid"), upstreams)
    yield relay
    relay.assert_settled()
    assert relay.stop() == 0
    assert "Traceback" not in relay.text


@pytest.fixture(scope="module")
def plain_side(sides: dict[str, Side]) -> Side:
    return sides["plain"]


@pytest.fixture
def asked(plain_side: Side) -> Side:
    return Side(plain_side.origin, "/asked", plain_side.host)


BODY = b'{"model":"gpt-4o","stream":true,"messages":[]}'
ASKING = b'{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true,"messages":[]}'


@pytest.mark.parametrize("is_chunked", [False, True])
def test_usage_is_asked_for_and_the_one_extra_event_is_withheld(
    paid: Relay, asked: Side, is_chunked: bool
) -> None:
    pieces = [chunk(event("a")), chunk(event("b") + EXTRA[:30]), chunk(EXTRA[30:]), chunk(DONE)]
    target, path = asked.script(answer(HEAD, send_many(pieces, 0.02), LAST_CHUNK), end=CHAT)
    request_id, message = ask(target, BODY)
    if is_chunked:
        length = b"Content-Length: %d\r\n" % len(BODY)
        message = message.replace(length, b"Transfer-Encoding: chunked\r\n")
        message = message.replace(BODY, chunk(BODY[:9]) + chunk(BODY[9:]) + LAST_CHUNK)
    with Caller(paid.data) as caller:
        got = caller.ask(message)
    assert got.body == event("a") + event("b") + DONE
    assert got.end is End.WHOLE
    [seen] = asked.origin.seen(path)
    assert bytes(seen.body) == ASKING
    assert seen.is_whole
    record = paid.record(request_id)
    assert record["usage_source"] == "reported"
    assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (1000, 100)
    # What the caller sent and got, not what we added and took.
    assert record["request_bytes"] == len(BODY)
    assert record["response_bytes"] == len(event("a") + event("b") + DONE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"gpt-4o"}',
        b'{"stream":true,"stream_options":{"include_usage":false}}',
        ASKING,
        b"no json",
    ],
)
def test_whoever_streams_nothing_or_has_decided_is_left_alone(
    paid: Relay, asked: Side, body: bytes
) -> None:
    stream = HEAD + chunk(event("a") + EXTRA + DONE) + LAST_CHUNK
    target, path = asked.script(answer(stream), end=CHAT)
    _, message = ask(target, body)
    with Caller(paid.data) as caller:
        got = caller.ask(message)
    assert got.body == event("a") + EXTRA + DONE
    assert bytes(asked.origin.seen(path)[0].body) == body


def test_what_is_not_asked_to_ask_passes_every_byte(paid: Relay, plain_side: Side) -> None:
    stream = HEAD + chunk(event("a") + EXTRA + DONE) + LAST_CHUNK
    target, path = plain_side.script(answer(stream), end=CHAT)
    _, message = ask(target, BODY)
    with Caller(paid.data) as caller:
        got = caller.ask(message)
    assert got.body == event("a") + EXTRA + DONE
    assert bytes(plain_side.origin.seen(path)[0].body) == BODY


def test_an_answer_has_its_price(paid: Relay, plain_side: Side) -> None:
    _, record = exchanged(
        paid, plain_side, HEAD, chunk(event("a") + EXTRA + DONE), LAST_CHUNK, body=BODY
    )
    # The list price of gpt-4o: 2.50 and 10 dollars per million tokens.
    assert record["cost_usd"] == pytest.approx(1000 * 2.5e-6 + 100 * 10e-6)


def test_missing_usage_is_estimated_and_marked(relay: Relay, side: Side) -> None:
    _, record = exchanged(relay, side, HEAD, chunk(event("a") * 7 + DONE), LAST_CHUNK, body=BODY)
    assert record["outcome"] == "ok"
    assert record["usage_source"] == "estimated"
    assert record["usage"]["output_tokens"] == 7


def test_a_caller_who_leaves_keeps_what_was_seen_so_far(relay: Relay, plain: Side) -> None:
    pieces = [chunk(event("a"))] * 200
    target, _ = plain.script(answer(HEAD, send_many(pieces, 0.02), fin), end=CHAT)
    request_id, message = ask(target, BODY)
    with Caller(relay.data) as caller:
        caller.send(message)
        caller.read_until(event("a"))
    record = relay.record(request_id)
    assert record["outcome"] == "client_cancelled"
    assert record["response_model"] == "gpt-4o"
    assert record["ttft_ms"] is not None
    assert 1 <= record["output_events"] < 200
    assert record["usage_source"] == "estimated"


def test_the_way_to_the_first_token_adds_up(relay: Relay, plain: Side) -> None:
    role = b'data: {"model":"gpt-4o","choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
    thought = b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n'
    steps = [
        HEAD + chunk(role),
        sleep(0.15),
        chunk(thought),
        sleep(0.15),
        chunk(event("a")),
        sleep(0.3),
        chunk(event("b") + EXTRA + DONE) + LAST_CHUNK,
    ]
    target, _ = plain.script(answer(*steps), end=CHAT)
    request_id, message = ask(target, BODY)
    with Caller(relay.data) as caller:
        caller.ask(message)
    record = relay.record(request_id)
    marks = [record[f"{name}_ms"] for name in ("headers", "first_event", "ttft", "ttfa")]
    assert marks == sorted(marks)
    assert record["ttft_ms"] - record["first_event_ms"] >= 140
    assert record["ttfa_ms"] - record["ttft_ms"] >= 140
    assert 290 <= record["longest_gap_ms"] <= record["duration_ms"]
    assert sum(record["phases_ms"].values()) == pytest.approx(record["duration_ms"], abs=1)
    assert record["phases_ms"]["thinking"] >= 140
    assert record["output_events"] == 3
    assert record["output_tokens_per_s"] == pytest.approx(99 / 0.45, rel=0.5)


def test_t21_what_is_no_json_passes_and_is_counted(relay: Relay, plain: Side) -> None:
    before = relay.total("meter_skipped_total", reason="unreadable")
    for body in (b"[" * 10_000, b'{"a":1,"a":\0}', b"\xff\xfe{", b"<html>"):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        got, record = exchanged(relay, plain, head % len(body) + body)
        assert got == body
        assert (record["outcome"], record["usage"]) == ("ok", None)
    assert relay.total("meter_skipped_total", reason="unreadable") == before + 4


@pytest.mark.parametrize("name", ["x" * 10_000, "🦆" * 20, 'line\nbreak"quote', "\u202e"])
def test_t24_any_model_name_is_told_in_one_line(relay: Relay, plain: Side, name: str) -> None:
    body = json.dumps({"model": name, "stream": True}).encode()
    stream = HEAD + chunk(event("a", model=name) + DONE) + LAST_CHUNK
    got, record = exchanged(relay, plain, stream, body=body)
    assert got == event("a", model=name) + DONE
    for field in ("request_model", "response_model"):
        told = record[field]
        assert told == name or (len(told) == 256 and told.endswith("…"))
    mark = f'"{record["request_id"]}"'
    assert eventually(lambda: mark in relay.text)
    [line] = [one for one in relay.text.splitlines() if mark in one]
    assert json.loads(line)["request_id"] == record["request_id"]


def test_t22_a_packed_request_goes_up_as_it_is_and_holds_nobody_up(
    relay: Relay, side: Side
) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    members = b"".join(gzip.compress(b"x") for _ in range(10_000))
    for body in (bomb, members, gzip.compress(BODY)):
        target, path = side.script(answer(HEAD + chunk(event("a") + DONE) + LAST_CHUNK), end=CHAT)
        request_id, message = ask(target, body)
        message = message.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)
        with Caller(relay.data) as caller:
            assert caller.ask(message).body == event("a") + DONE
        assert bytes(side.origin.seen(path)[0].body) == body
        assert relay.record(request_id)["request_model"] is None


def test_t77_a_response_that_failed_is_no_success(relay: Relay, plain: Side) -> None:
    created = b'{"type":"response.created","response":{"id":"resp_1","model":"gpt-5"}}'
    failed = (
        b'{"type":"response.failed","response":{"id":"resp_1","status":"failed",'
        b'"error":{"code":"server_error","message":"no"}}}'
    )
    stream = b"".join(b"event: x\ndata: %b\n\n" % one for one in (created, failed))
    target, _ = plain.script(answer(HEAD + chunk(stream) + LAST_CHUNK), end="/v1/responses")
    request_id, message = ask(target, BODY)
    with Caller(relay.data) as caller:
        assert caller.ask(message).body == stream
    record = relay.record(request_id)
    assert (record["outcome"], record["error"]["code"]) == ("stream_error", "server_error")
    assert record["response_id"] == "resp_1"
    assert relay.records("id=resp_1")[0]["request_id"]
    assert request_id in [row["request_id"] for row in relay.records("model=gpt-5&limit=1000")]


ERROR = b'event: error\ndata: {"error":{"type":"overloaded","code":"529","message":"busy"}}\n\n'


@pytest.mark.parametrize("events", [0, 50])
def test_t76_an_error_within_a_stream_is_no_success(relay: Relay, side: Side, events: int) -> None:
    stream = event("a") * events + ERROR
    got, record = exchanged(relay, side, HEAD, chunk(stream), LAST_CHUNK)
    assert got == stream
    assert (record["outcome"], record["reason"]) == ("stream_error", "in_stream_error")
    assert record["error"]["code"] == "529"
    assert record["output_events"] == events


def test_t76_who_leaves_because_of_an_error_has_not_broken_it_off(relay: Relay, side: Side) -> None:
    script = answer(HEAD + chunk(event("a") + ERROR), sleep(5.0))
    target, _ = side.script(script, end=CHAT)
    request_id, message = ask(target, BODY)
    with Caller(relay.data) as caller:
        caller.send(message)
        caller.read_until(ERROR)
    record = relay.record(request_id)
    assert (record["outcome"], record["fault"]) == ("stream_error", "provider")
    assert [attempt["reason"] for attempt in record["attempts"]] == ["in_stream_error"]


def test_an_error_under_a_good_status_is_no_success_either(relay: Relay, side: Side) -> None:
    body = b'{"error":{"message":"no credits","code":402}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    got, record = exchanged(relay, side, head % len(body) + body)
    assert got == body
    assert (record["outcome"], record["status"]) == ("stream_error", 200)
    assert record["attempts"][0]["reason"] == "in_stream_error"


def test_t78_an_event_of_five_mebibytes_passes_and_is_passed_over(
    relay: Relay, plain: Side
) -> None:
    huge = event("x" * (5 << 20))
    before = relay.total("meter_skipped_total", reason="event_too_large")
    stream = [event("a"), huge, EXTRA, DONE]
    got, record = exchanged(relay, plain, HEAD, *map(chunk, stream), LAST_CHUNK)
    assert got == b"".join(stream)
    assert record["usage"]["output_tokens"] == 100
    assert relay.total("meter_skipped_total", reason="event_too_large") == before + 1


@pytest.mark.parametrize("count", ["null", "-1", "1.5", '"7"', "9223372036854775808", "[]", "true"])
def test_t79_a_count_that_is_none_is_absent(relay: Relay, plain: Side, count: str) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":%b,"completion_tokens":3}}\n\n'
    stream = event("a") + usage % count.encode() + DONE
    got, record = exchanged(relay, plain, HEAD, chunk(stream), LAST_CHUNK)
    assert got == stream
    assert record["usage"]["output_tokens"] == 3
    assert record["usage_source"] in ("reported", "estimated")


def test_t80_a_packed_stream_is_measured_and_a_bomb_costs_little(relay: Relay, plain: Side) -> None:
    head = EVENTS + b"Content-Encoding: gzip\r\n\r\n"
    packed = gzip.compress(event("a") * 3 + EXTRA + DONE)
    got, record = exchanged(relay, plain, head, chunk(packed), LAST_CHUNK)
    assert got == packed
    assert (record["outcome"], record["output_events"]) == ("ok", 3)
    assert record["usage"]["output_tokens"] == 100
    rss_bytes = relay.rss_bytes
    bomb = gzip.compress(bytes(200 << 20))
    got, record = exchanged(relay, plain, head, chunk(bomb), LAST_CHUNK)
    assert got == bomb
    assert record["outcome"] == "ok"
    assert relay.rss_bytes - rss_bytes < 64 << 20


def test_t81_a_content_type_that_lies_changes_no_byte(relay: Relay, plain: Side) -> None:
    body = b'{"choices":[{"message":{"content":"hi"}}]}'
    for kind, told in ((b"text/event-stream", body), (b"text/plain", event("a") + DONE)):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        got, _ = exchanged(relay, plain, head % (kind, len(told)) + told)
        assert got == told


@pytest.mark.parametrize("where", ["body", "stream"])
def test_no_key_that_a_provider_repeats_is_told_anywhere(
    relay: Relay, plain: Side, where: str
) -> None:
    key = f"CANARY{next(_numbers)}repeated0123456789".encode()
    error = b'{"error":{"message":"Incorrect API key provided: %b","code":"k"}}' % key
    if where == "body":
        head = b"HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        script = answer(head % len(error) + error)
    else:
        script = answer(HEAD + chunk(b"data: %b\n\n" % error) + LAST_CHUNK)
    target, _ = plain.script(script, end=CHAT)
    request_id, message = ask(target, BODY)
    message = message.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer %b\r\n\r\n" % key, 1)
    with Caller(relay.data) as caller:
        assert error in caller.ask(message).body
    record = relay.record(request_id)
    assert record["error"]["message"] == "Incorrect API key provided: [redacted]"
    assert eventually(lambda: f'"{request_id}"' in relay.text)
    assert key.decode() not in relay.text


def test_what_was_withheld_is_the_callers_when_the_stream_is_cut(paid: Relay, asked: Side) -> None:
    begun = b'data: {"model":"gpt-4o","choices":[{"delta":{"content":"not lost'
    script = (*answer(HEAD, chunk(event("a")), chunk(begun)), fin)
    target, _ = asked.script(script, end=CHAT)
    request_id, message = ask(target, BODY)
    with Caller(paid.data) as caller:
        got = caller.ask(message)
    assert got.end is not End.WHOLE
    assert got.body == event("a") + begun
    row = paid.record(request_id)
    assert (row["outcome"], row["response_bytes"]) == ("truncated", len(got.body))
