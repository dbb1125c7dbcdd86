"""What all of OpenAI's dialects tell in one way."""

from __future__ import annotations

import msgspec
import pytest

from sidecar.core.facts import Facts, ProviderError, Usage
from sidecar.dialects.openai_common import (
    NOT_JSON,
    Told,
    behind_the_long_part,
    error_in,
    error_of_body,
    error_of_list,
    take_names,
    take_usage,
    type_of_head,
)


def told(body: bytes) -> Told:
    return msgspec.json.decode(body, type=Told)


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (
            b'{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}',
            Usage(1, 2, total_tokens=3),
        ),
        (b'{"input_tokens":1,"output_tokens":2,"total_tokens":3}', Usage(1, 2, total_tokens=3)),
        (b'{"prompt_tokens":1,"input_tokens":0}', Usage(input_tokens=1)),
        (b'{"prompt_tokens":null,"input_tokens":1}', Usage(input_tokens=1)),
        (b'{"prompt_tokens":0}', Usage(input_tokens=0)),
        (b'{"prompt_tokens_details":{"cached_tokens":4}}', Usage(cache_read_tokens=4)),
        (b'{"prompt_tokens_details":{"cache_write_tokens":5}}', Usage(cache_write_tokens=5)),
        (b'{"input_tokens_details":{"cached_tokens":4}}', Usage(cache_read_tokens=4)),
        (b'{"input_token_details":{"cached_tokens":4}}', Usage(cache_read_tokens=4)),
        (b'{"prompt_cache_hit_tokens":4}', Usage(cache_read_tokens=4)),
        (b'{"cached_tokens":4}', Usage(cache_read_tokens=4)),
        (b'{"completion_tokens_details":{"reasoning_tokens":6}}', Usage(reasoning_tokens=6)),
        (b'{"output_tokens_details":{"reasoning_tokens":6.0}}', Usage(reasoning_tokens=6)),
        (b'{"prompt_tokens":"1","completion_tokens":true,"total_tokens":3}', Usage(total_tokens=3)),
        (b'{"prompt_tokens_details":[],"completion_tokens_details":5}', None),
        (b'{"type":"duration","seconds":7}', None),
        (b"{}", None),
        (b"[]", None),
        (b"null", None),
        (b'"many"', None),
    ],
)
def test_where_the_counts_stand(usage: bytes, counted: Usage | None) -> None:
    facts = Facts()
    take_usage(facts, msgspec.json.decode(usage))
    assert facts.usage == counted


def test_a_later_count_stands_and_takes_nothing_away() -> None:
    facts = Facts()
    take_usage(facts, {"prompt_tokens": 1, "completion_tokens": 2})
    take_usage(facts, {"completion_tokens": 3})
    assert facts.usage == Usage(input_tokens=1, output_tokens=3)


def test_the_first_id_and_the_last_model_and_tier_are_kept() -> None:
    facts = Facts()
    take_names(facts, told(b'{"id":"","model":"","service_tier":null}'))
    take_names(facts, told(b'{"id":"a","model":"m","service_tier":"auto"}'))
    take_names(facts, told(b'{"id":"b","model":"n","service_tier":"default"}'))
    take_names(facts, told(b'{"id":[],"model":5}'))
    assert (facts.response_id, facts.model, facts.service_tier) == ("a", "n", "default")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":{"type":"t","code":"c","message":"m"}}', ("t", "c", "m")),
        (b'{"error":{"code":401,"message":"m"}}', (None, "401", "m")),
        (b'{"error":{"type":[],"message":{}}}', (None, None, None)),
        (b'{"code":"c","error":"m"}', (None, "c", "m")),
        (b'{"object":"error","message":"m","type":"t","code":400}', ("t", "400", "m")),
    ],
)
def test_how_errors_are_told(body: bytes, error: tuple[str | None, str | None, str | None]) -> None:
    assert error_in(told(body), is_stream=True) == ProviderError(True, *error)
    assert error_of_body(told(body)) == ProviderError(False, *error)
    assert error_of_list(b"[%b]" % body) == ProviderError(False, *error)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"message":"m","request_id":"r"}', (None, None, "m")),
        (b'{"message":"m","type":"t","code":3000}', ("t", "3000", "m")),
        (b'{"detail":"m"}', (None, None, "m")),
        (b'{"detail":[{"loc":[]}]}', (None, None, None)),
    ],
)
def test_only_a_body_without_an_answer_may_leave_out_that_it_is_an_error(
    body: bytes, error: tuple[str | None, str | None, str | None]
) -> None:
    assert error_in(told(body), is_stream=False) is None
    assert error_of_body(told(body)) == ProviderError(False, *error)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"error":null}', b'{"error":{}}', b'{"error":""}', b'{"message":5}']
)
def test_what_is_no_error(body: bytes) -> None:
    assert error_in(told(body), is_stream=True) is None
    assert error_of_body(told(body)) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"[5]", b"{}", b"[{}]", b"\xff", b"[" * 60_000])
def test_what_is_no_list_of_errors(body: bytes) -> None:
    assert error_of_list(body) is None


@pytest.mark.parametrize("body", [b"{", b"5", b'"\xff"', b'{"a":' + b"[" * 60_000])
def test_every_way_not_to_be_json_is_known(body: bytes) -> None:
    with pytest.raises(NOT_JSON):
        told(body)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b'{"type":"a.b","x":', "a.b"),
        (b' { "sequence_number" : 273 , "type" : "a.b" , "response"', "a.b"),
        (b'{"n":-1,"id":"x","gone":null,"is":true,"type":"a.b"', "a.b"),
        (b'{"response":{"type":"a.b"', "name"),
        (b'{"text":"\\"type\\":","type":"a.b"', "name"),
        (b'{"type":5', "name"),
        (b"type", "name"),
        (b"", "name"),
    ],
)
def test_the_type_stands_in_front_or_in_the_name(head: bytes, kind: str) -> None:
    assert type_of_head(b"name", head) == kind


@pytest.mark.parametrize(
    ("tail", "opening", "usage"),
    [
        (b'xx","usage":{"input_tokens":1}}', b"{", {"input_tokens": 1}),
        (b'xx"}],"model":"m","usage":{"input_tokens":1},"n":[{}]} ', b"{", {"input_tokens": 1}),
        (b'{"usage":{"input_tokens":9}},"usage":{"input_tokens":1}}', b"{", {"input_tokens": 1}),
        # One level too deep, one too high, inside a string, of a string's own JSON, cut off.
        (b'xx","a":{"usage":{"input_tokens":1}}}', b"{", None),
        (b'xx","usage":{"input_tokens":1}}', b'{"a":{', None),
        (b'xx"usage":{"input_tokens":1}}"}', b"{", None),
        (b'{\\"usage\\":{\\"input_tokens\\":1}}"}', b"{", None),
        (b'xx","usage":{"input_tokens":1', b"{", None),
        (b"", b"{", None),
    ],
)
def test_behind_a_long_part_only_what_closes_rightly_is_taken(
    tail: bytes, opening: bytes, usage: dict[str, int] | None
) -> None:
    found = behind_the_long_part(tail, opening, msgspec.json.Decoder(Told).decode)
    assert (found and found.usage) == usage


def test_the_search_behind_a_long_part_is_bounded() -> None:
    tries = []

    def refuse(data: bytes) -> Told:
        tries.append(data)
        raise msgspec.DecodeError

    assert behind_the_long_part(b'"usage":' * 2000, b"{", refuse) is None
    assert len(tries) == 64
