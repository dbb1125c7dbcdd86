"""Problems are told with their place, in reading order, and never with a value."""

from __future__ import annotations

import pytest

from sidecar.core.errors import SidecarError
from sidecar.settings.problems import ConfigError, Place, Problem, Problems, did_you_mean, join


def test_a_problem_reads_as_file_line_column_path_message():
    problem = Problem(Place("a.yaml", 3, 5), "listen.address", "no")
    assert str(problem) == "a.yaml:3:5: listen.address: no"


def test_a_place_without_a_line_and_a_problem_without_a_path_leave_them_out():
    assert str(Problem(Place("--set"), "a.b", "no")) == "--set: a.b: no"
    assert str(Problem(Place("a.yaml"), "", "no")) == "a.yaml: no"


def test_problems_come_in_reading_order_and_each_once():
    problems = Problems()
    problems.add(Place("--set"), "x", "last")
    problems.add(Place("f", 2, 1), "b", "second")
    problems.add(Place("f", 1, 9), "a", "first")
    problems.add(Place("f", 2, 1), "b", "second")
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert [problem.message for problem in caught.value.problems] == ["first", "second", "last"]
    assert isinstance(caught.value, SidecarError)
    assert str(caught.value).count("\n") == 2


def test_no_problem_raises_nothing():
    Problems().raise_if_any()


def test_consequences_of_a_problem_are_not_told():
    problems = Problems()
    problems.add_last(Place("f", 1, 1), "a", "an alias")
    problems.add(Place("f", 1, 1), "a", "not a duration")
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any()
    assert [problem.message for problem in caught.value.problems] == ["an alias"]


def test_a_key_that_may_be_a_credential_is_not_shown():
    assert join("a", "b") == "a.b"
    assert join("", "b") == "b"
    assert join("a", "sk-ant-api03-" + "x" * 90) == "a.?"
    assert join("a", "b c") == "a.?"


def test_a_near_word_is_proposed_and_else_all_words():
    assert did_you_mean("idel", ["idle", "total"]) == "; did you mean 'idle'?"
    assert did_you_mean("zzz", ["idle", "total"]) == "; known here: idle, total"
    assert did_you_mean("zzz", []) == ""
