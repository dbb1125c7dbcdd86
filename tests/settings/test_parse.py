"""YAML, the safe part of it, with places."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.settings import parse as parse_module
from sidecar.settings.parse import MAX_DEPTH, MAX_TEXT_BYTES, parse, parse_text
from sidecar.settings.problems import ConfigError, Place, Problems
from sidecar.settings.tree import Mapping, Node, Scalar, Sequence


def tree(text: str | bytes) -> Node | None:
    problems = Problems()
    root = parse(text if isinstance(text, bytes) else text.encode(), "f", problems)
    problems.raise_if_any()
    return root


def problem(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        tree(text)
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_every_node_knows_its_place():
    root = tree("a: 1\nb:\n  - x\n  - 'y'\n")
    assert isinstance(root, Mapping)
    assert root.keys == {"a": Place("f", 1, 1), "b": Place("f", 2, 1)}
    assert root.entries["a"] == Scalar(Place("f", 1, 4), "1")
    items = root.entries["b"]
    assert isinstance(items, Sequence)
    assert items.items == (
        Scalar(Place("f", 3, 5), "x"),
        Scalar(Place("f", 4, 5), "y", is_plain=False),
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n...\n", "\ufeff"])
def test_a_document_without_content_has_no_root_or_a_null_one(text: str):
    assert tree(text) is None or tree(text) == Scalar(Place("f", 2, 1), "")


def test_a_duplicate_key_is_refused_with_its_line():
    assert problem("a: 1\nb:\n  c: 1\n  c: 2\n") == (
        "f:4:3: b.c: this key was already given in line 3"
    )


def test_an_alias_is_refused_with_its_line():
    assert problem("a: &x {b: 1}\nc: *x\n") == (
        "f:2:4: c: aliases (*…) are not read here: write it out"
    )


def test_an_alias_bomb_costs_nothing():
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.perf_counter()
    with pytest.raises(ConfigError):
        tree("\n".join(lines))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("text", ["a: !!python/object:os.system x", "a: !x y", "a: !!str y"])
def test_a_tag_is_refused(text: str):
    assert problem(text) == "f:1:4: a: tags (!…) are not read here"


def test_a_merge_key_is_just_a_key():
    root = tree("a: {<<: {b: 1}}")
    assert isinstance(root, Mapping)
    inner = root.entries["a"]
    assert isinstance(inner, Mapping)
    assert list(inner.entries) == ["<<"]


def test_a_second_document_is_refused():
    assert problem("a: 1\n---\nb: 1\n") == "f:2:1: one document a file: a second begins here"


def test_a_key_that_is_a_collection_is_refused():
    assert problem("? [a]\n: 1\n") == "f:1:3: a key must be a plain word"


def test_depth_is_limited_and_deep_nesting_does_not_exhaust_the_stack():
    tree("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert "nested deeper than 32 levels" in problem("[" * 33 + "]" * 33)
    assert "nested deeper" in problem("[" * 500_000)


def test_size_is_limited():
    tree(b"a: " + b"x" * (MAX_TEXT_BYTES - 3))
    assert problem(b"#" * (MAX_TEXT_BYTES + 1)) == "f: the file is larger than 1 MiB"


def test_bytes_that_are_no_text_are_refused_with_their_place():
    assert problem(b"a: 1\nb: \xff\n") == "f:2:4: the text is not UTF-8"
    assert problem(b"a: 1\nb: \x00\n") == "f:2:4: a character that YAML does not allow"


def test_a_syntax_error_has_its_line_and_none_of_the_text():
    message = problem("a: 1\nb: [sk-canary\nc: 2\n")
    assert message.startswith("f:3:")
    assert "not valid YAML" in message
    assert "canary" not in message


def test_an_unquoted_reference_in_braces_gets_the_hint():
    assert "put quotes around" in problem("a: {b: ${env:X}}")


def test_a_single_value_has_its_source_as_its_place():
    problems = Problems()
    assert parse_text("5s", "--set", problems, has_lines=False) == Scalar(Place("--set"), "5s")
    with pytest.raises(ConfigError, match=r"^--set: the text is not UTF-8$"):
        parse_text("\ud800", "--set", problems, has_lines=False)


def test_it_works_without_the_c_parser(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parse_module, "_LOADER", yaml.SafeLoader)
    assert tree("a: [1, 'b']") is not None
    assert "already given" in problem("a: 1\na: 2")
    assert "canary" not in problem("a: 'sk-canary\n")
    assert "does not allow" in problem(b"a: \x01")


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_config_error(text: bytes):
    with contextlib.suppress(ConfigError):
        tree(text)


@given(st.text(alphabet="ab:-[]{}*&!|>%@'\"#,? \n\t", max_size=60))
def test_no_text_made_of_yaml_signs_does_either(text: str):
    with contextlib.suppress(ConfigError):
        tree(text)
