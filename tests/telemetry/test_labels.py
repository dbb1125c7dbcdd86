"""Names from outside, in bounded number."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.heads import RequestHead
from sidecar.settings.telemetry import Label
from sidecar.telemetry.labels import Admitted, CustomLabels, ModelNames


def _models(most: int, *configured: str) -> tuple[ModelNames, list[None]]:
    capped: list[None] = []
    return ModelNames(most, configured, lambda: capped.append(None)), capped


@given(st.lists(st.text(max_size=200)), st.integers(1, 5))
def test_never_more_values_than_are_let_in(values: list[str], most: int) -> None:
    admitted = Admitted(most, (), lambda: None)
    labels = {admitted.admit(value) for value in values}
    assert len(labels - {"other"}) <= most


def test_t24_ten_thousand_models_are_one_more_than_are_let_in() -> None:
    models, capped = _models(50)
    labels = {models.label(f"asked-{n}", f"answered-{n}", is_good=True) for n in range(10_000)}
    assert len(labels) == 51
    assert len(capped) == 9_950


def test_a_failure_is_counted_under_the_model_that_answers_its_like() -> None:
    models, _ = _models(5, "configured")
    assert models.label("gpt-4o", "gpt-4o-2024-08-06", is_good=True) == "gpt-4o-2024-08-06"
    assert models.label("gpt-4o", None, is_good=False) == "gpt-4o-2024-08-06"
    assert models.label("gpt-4o-2024-08-06", None, is_good=False) == "gpt-4o-2024-08-06"
    assert models.label("configured", None, is_good=False) == "configured"


def test_what_never_answered_is_other_and_what_names_none_is_none() -> None:
    models, capped = _models(5)
    assert models.label("invented", None, is_good=False) == "other"
    assert models.label(None, None, is_good=True) == "none"
    assert capped == []


@pytest.mark.parametrize("name", ["x" * 129, "a\nb", "\x00", "\ud800"])
def test_a_name_that_no_page_should_bear_is_other(name: str) -> None:
    models, capped = _models(5)
    assert models.label(None, name, is_good=True) == "other"
    assert capped == []


def _labels(*rows: Label) -> tuple[CustomLabels, Counter[str]]:
    capped: Counter[str] = Counter()
    return CustomLabels(rows, lambda name: capped.update([name])), capped


def _head(*headers: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead("POST", "/v1/x", 1, headers)


def test_a_label_comes_from_a_header_whether_it_goes_on_or_not() -> None:
    labels, _ = _labels(
        Label("team", "x-sidecar-team", ("search",), 20), Label("tenant", "x-tenant", None, 1)
    )
    head = _head((b"X-Sidecar-Team", b"search"), (b"X-Tenant", b" t1 "))
    assert labels.values_of(head) == ("search", "t1")
    assert b"X-Tenant" in head.parts
    assert b"X-Sidecar-Team" not in head.parts
    assert labels.values_of(_head()) == ("none", "none") == labels.unsaid


def test_strangers_values_are_other_and_those_over_the_cap_are_counted() -> None:
    labels, capped = _labels(Label("a", "x-a", ("yes",), 20), Label("b", "x-b", None, 1))
    first = labels.values_of(_head((b"x-a", b"no"), (b"x-b", b"1")))
    second = labels.values_of(_head((b"x-a", b"no"), (b"x-b", b"2")))
    assert (first, second) == (("other", "1"), ("other", "other"))
    assert capped == {"b": 1}


def test_without_labels_nothing_is_looked_at() -> None:
    labels, _ = _labels()
    assert labels.values_of(_head((b"x", b"1"))) == ()
    assert labels.combinations == ((),)


def test_all_that_can_come_is_known_from_the_start_if_it_is_not_too_much() -> None:
    labels, _ = _labels(Label("a", "x-a", ("x", "y"), 20))
    assert set(labels.combinations) == {("x",), ("y",), ("none",), ("other",)}
    many = tuple(str(n) for n in range(99))
    labels, _ = _labels(Label("a", "x-a", many, 20))
    assert labels.combinations == (("none",),)
