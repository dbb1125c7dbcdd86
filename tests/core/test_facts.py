"""Facts: what counts as one."""

from __future__ import annotations

import pytest

from sidecar.core.facts import MAX_REASONS, Facts, Usage, count, text, word


@pytest.mark.parametrize(("value", "tokens"), [(0, 0), (5, 5), (5.0, 5)])
def test_a_count_is_a_whole_number(value: object, tokens: int) -> None:
    assert count(value) == tokens


@pytest.mark.parametrize("value", [None, -1, 1.5, "5", True, float("nan"), float("inf"), 1 << 53])
def test_nothing_else_is(value: object) -> None:
    assert count(value) is None


def test_words_and_texts() -> None:
    assert [word(5), word("a"), word(""), word(True), word(None)] == ["5", "a", None, None, None]
    assert [text("a"), text(""), text(5)] == ["a", None, None]


def test_a_reason_is_told_once_and_the_last_model_stands() -> None:
    facts = Facts()
    for reason in ("stop", None, "", 5, "stop", "length"):
        facts.finish(reason)
    assert facts.finish_reasons == ["stop", "length"]
    for model in ("a", "", None, "b"):
        facts.name_model(model)
    assert facts.model == "b"


def test_what_was_not_understood_is_counted_by_its_reason() -> None:
    facts = Facts()
    facts.skip("unreadable")
    facts.skip("unreadable")
    assert facts.skipped == {"unreadable": 2}
    assert facts.usage is None
    assert facts.counted() is facts.counted() == Usage()


def test_a_provider_that_never_ends_to_end_is_not_kept_in_full() -> None:
    facts = Facts()
    for number in range(1000):
        facts.finish(f"reason {number}")
    assert facts.finish_reasons == [f"reason {number}" for number in range(MAX_REASONS)]
