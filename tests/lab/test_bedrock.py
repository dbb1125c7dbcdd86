"""Bedrock's messages are the bytes that were recorded."""

from __future__ import annotations

import json
from pathlib import Path

from sidecar.lab import bedrock

RECORDED = Path(__file__).parents[1] / "transcripts"


def test_a_message_is_encoded_as_the_recorded_one() -> None:
    recorded = (RECORDED / "bedrock-converse.aws.stream.02.body").read_bytes()
    first = recorded[: int.from_bytes(recorded[:4], "big")]
    payload = first[first.index(b"{") : -4]
    names = {":event-type": "messageStart"}
    assert bedrock.message(names, json.loads(payload)) == first


def test_signatures_are_explained() -> None:
    assert "AWS_BEARER_TOKEN_BEDROCK" in bedrock.WHY_NOT_SIGNED


def test_an_error_names_its_type_in_a_header() -> None:
    from sidecar.lab.reply import Stamp

    told = bedrock.headers(Stamp("0123456789abcdef" * 3, 0), 1, 429)
    assert told["x-amzn-errortype"].startswith("ThrottlingException")
