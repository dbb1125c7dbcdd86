"""Each kind of value: what is read, what is refused, and that it is shown as it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.address import Address
from sidecar.settings.blocks import rows
from sidecar.settings.kinds import (
    BadValueError,
    Choice,
    Count,
    Duration,
    Hosts,
    Kind,
    ListenAddress,
    OrOff,
    ReadableFile,
    Size,
    Switch,
    Text,
    found,
    is_off,
)
from sidecar.settings.problems import Place, Problems
from sidecar.settings.schema import Listen, Tls
from sidecar.settings.telemetry import Log
from sidecar.settings.tree import Node, Scalar


def node(text: str) -> Node:
    from sidecar.settings.parse import parse_text

    made = parse_text(text, "f", Problems())
    return Scalar(Place("f"), "") if made is None else made


@pytest.mark.parametrize("text", ["off", "false", "False", "no", "null", "~", "", '"off"'])
def test_a_thing_is_switched_off_in_the_usual_ways(text: str):
    assert is_off(node(text))
    assert OrOff(Duration()).read(node(text)) is None


@pytest.mark.parametrize("text", ["on", "0", '"false"', '""', "{}", "[]", "offf"])
def test_and_in_no_other_way(text: str):
    assert not is_off(node(text))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Duration(), "250ms", 0.25),
        (Duration(), '"5s"', 5),
        (Size(), "64KiB", 65536),
        (Size(), "1048576", 1 << 20),
        (Size(), "1.048576e+06", 1 << 20),
        (Count(), "2M", 2_000_000),
        (Count(), "2e+06", 2_000_000),
        (Count(), "0", 0),
        (Switch(), "true", True),
        (Switch(), "no", False),
        (Choice(("a", "b")), "b", "b"),
        (ListenAddress(), "127.0.0.1:8484", Address("127.0.0.1", 8484)),
        (ListenAddress(), '"[::1]:1"', Address("::1", 1)),
        (Hosts(), '[Localhost, "[::1]", "::1", a.b.]', ("localhost", "::1", "::1", "a.b")),
        (Hosts(), "[]", ()),
        (Text("a name"), "a-b", "a-b"),
    ],
)  # fmt: skip
def test_what_a_kind_reads(kind: Kind[Any], text: str, value: object):
    assert kind.read(node(text)) == value


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (Duration(), "5", "number with its unit"),
        (Duration(), "0s", "longer than 0"),
        (Duration(), "{}", "expected a duration"),
        (Duration(), "off", "number with its unit"),
        (Duration(), "", "found nothing"),
        (Size(), "64k", "a size is"),
        (Size(), "0", "more than 0"),
        (Size(), "[]", "found a list"),
        (Count(), "1.5", "whole number"),
        (Count(), "-1", "whole number"),
        (Count(), "{}", "found a block of keys"),
        (Switch(), "1", "found a number"),
        (Switch(), '"true"', "found text"),
        (Choice(("a", "b")), "c", "expected one of: a, b"),
        (Choice(("1",)), "2", "expected 1"),
        (Choice(("a",)), "[]", "expected a"),
        (ListenAddress(), "8484", "host:port"),
        (ListenAddress(), "[a]", "found a list"),
        (Hosts(), "localhost", "expected a list"),
        (Hosts(), "[1]", "put it in quotes"),
        (Hosts(), '["h:80"]', "without scheme or port"),
        (Hosts(), '["http://h"]', "without scheme or port"),
        (Text("a name"), "5", "put it in quotes"),
        (Text("a name"), "true", "put it in quotes"),
        (Text("a name"), "", "found nothing"),
        (Text("a name"), "''", "found empty text"),
        (Text("a name"), "a b", "expected a name"),
        (Text("a name"), "${env:X}", "only read in api_key"),
        (Text("a name"), "x" * 5000, "longer than 4096"),
    ],
)
def test_what_a_kind_refuses_and_why(kind: Kind[Any], text: str, says: str):
    with pytest.raises(BadValueError, match=re.escape(says)):
        kind.read(node(text))


def test_a_wrong_entry_of_a_list_has_its_own_place():
    with pytest.raises(BadValueError) as caught:
        Hosts().read(node("[a, 5]"))
    assert caught.value.key == "1"
    assert caught.value.place == Place("f", 1, 5)


def test_a_readable_file_is_there(tmp_path: Path):
    file = tmp_path / "ca.pem"
    file.write_text("x")
    assert ReadableFile().read(node(f"'{file}'")) == str(file)
    with pytest.raises(BadValueError, match="No such file"):
        ReadableFile().read(node(f"'{file}x'"))
    with pytest.raises(BadValueError, match="it is a folder"):
        ReadableFile().read(node(f"'{tmp_path}'"))


def test_a_key_pasted_where_its_file_belongs_is_not_repeated():
    pasted = node('"-----BEGIN PRIVATE KEY-----\\ncanary"')
    with pytest.raises(BadValueError) as caught:
        ReadableFile().read(pasted)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{}", "a block of keys"),
        ("[]", "a list"),
        ("null", "nothing"),
        ("yes", "a switch (true or false)"),
        ("1", "a number"),
        ("1e5", "a number"),
        ("0x1f", "a number"),
        (".inf", "a number"),
        ("127.0.0.1", "text"),
        ("'1'", "text"),
    ],
)
def test_what_was_found_is_said_in_words(text: str, what: str):
    assert found(node(text)) == what


def test_the_kind_of_a_field_follows_from_its_name_and_type():
    kinds = {row.field: row.kind for block in (Listen, Tls, Log) for row in rows(block)}
    assert isinstance(kinds["address"], ListenAddress)
    size = kinds["max_request_body_bytes"]
    assert isinstance(size, OrOff)
    assert isinstance(size.kind, Size)
    certificate = kinds["client_cert"]
    assert isinstance(certificate, OrOff)
    assert isinstance(certificate.kind, ReadableFile)
    assert isinstance(kinds["verify"], Switch)
    assert isinstance(kinds["level"], Choice)


@pytest.mark.parametrize(
    "kind", [Duration(), Size(), Count(), Switch(), Choice(("a",)), ListenAddress(), Hosts(),
             ReadableFile(), Text("a"), OrOff(Count())],
)  # fmt: skip
def test_every_kind_has_a_json_schema(kind: Kind[Any]):
    schema = kind.json_schema()
    assert {"type", "enum", "anyOf"} & set(schema)
    for pattern in re.findall(r"'pattern': '([^']*)'", str(schema)):
        re.compile(pattern)


def test_a_value_is_shown_so_that_it_reads_as_itself():
    for kind, value in [
        (Duration(), 90.0),
        (Size(), 65536),
        (Count(), 7),
        (Switch(), True),
        (Choice(("a",)), "a"),
        (ListenAddress(), Address("::1", 1)),
        (Hosts(), ("a", "::1")),
        (ReadableFile(), "f"),
        (Text("a"), "t"),
    ]:
        assert isinstance(OrOff(kind).show(value), str | int | list)
    assert OrOff(Count()).show(None) == "off"
