"""Arrays that are streamed element by element."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts import CONTENT, UNREADABLE, Facts
from sidecar.dialects.json_array import MAX_ELEMENT_BYTES, JsonArrayReader


class Kept:
    def __init__(self) -> None:
        self.facts = Facts()
        self.elements: list[bytes] = []

    def event(self, name: bytes, data: bytes) -> int:
        self.elements.append(data)
        return UNREADABLE if data == b"{}" else CONTENT

    def whole(self, body: bytes) -> int:
        raise AssertionError("elements are no body")


def read(data: bytes, step: int) -> tuple[Kept, list[int]]:
    kept = Kept()
    reader = JsonArrayReader(kept)
    kinds = [k for at in range(0, len(data), step) for k in reader.feed(data[at : at + step])]
    return kept, kinds + reader.end()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3), max_size=5),
    st.sampled_from([",", "\n,\r\n", " , "]),
    st.integers(1, 40),
    st.booleans(),
)
def test_each_element_is_told_once_and_whole(
    elements: list[dict[str, object]], comma: str, step: int, is_ascii: bool
) -> None:
    body = "[" + comma.join(json.dumps(one, ensure_ascii=is_ascii) for one in elements) + "\n]"
    try:
        data = body.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    kept, kinds = read(data, step)
    assert [json.loads(one) for one in kept.elements] == elements
    assert (len(kinds), kept.facts.events) == (len(elements), len(elements))


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_objects_without_an_array_are_elements_too(step: int) -> None:
    assert read(b'{"a":1}\n{"error":{"b":"}"}}', step)[0].elements == [
        b'{"a":1}',
        b'{"error":{"b":"}"}}',
    ]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_element_that_is_cut_counts_nowhere(step: int) -> None:
    kept, _ = read(b'[{"a":1},{"b":"x', step)
    assert (kept.elements, kept.facts.events) == ([b'{"a":1}'], 1)


@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_one_that_is_too_long_is_passed_over_and_told(step: int) -> None:
    long = b'{"x":"' + b"a" * MAX_ELEMENT_BYTES + b'"}'
    kept, _ = read(b'[{"a":1},' + long + b',{"b":2}]', step)
    assert kept.elements == [b'{"a":1}', b'{"b":2}']
    assert (kept.facts.events, kept.facts.skipped) == (3, {"event_too_large": 1})


def test_what_cannot_be_read_is_said() -> None:
    kept, kinds = read(b'[{},{"a":1}]', 1)
    assert (kinds, kept.facts.skipped) == ([CONTENT], {"unreadable": 1})


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_read_alike_and_without_a_word(data: bytes, step: int) -> None:
    assert read(data, 1000)[0].elements == read(data, step)[0].elements
