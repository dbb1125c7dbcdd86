"""A model's name is read whole, or refused with the reason."""

from __future__ import annotations

import pytest

from sidecar.lab.script import (
    DEFAULT_GAP_S,
    DEFAULT_TTFT_S,
    BadScriptError,
    Fault,
    FaultKind,
    Script,
    parse_model,
)


def test_every_item_is_read() -> None:
    name = "mock,ttft=200ms,gap=20ms,tokens=100,reasoning=20,tools,fault=cut@50x3,retry-after=2"
    assert parse_model(name) == Script(
        model=name,
        ttft_s=0.2,
        gap_s=0.02,
        tokens=100,
        reasoning=20,
        calls_tool=True,
        fault=Fault(FaultKind.CUT, after_events=50, times=3),
        retry_after_s=2,
    )


@pytest.mark.parametrize("name", ["gpt-4o", "claude-sonnet-4-5", "mockingbird", "a,b=c", "mock"])
def test_any_other_name_is_a_model_with_the_default_script(name: str) -> None:
    assert parse_model(name) == Script(name, DEFAULT_TTFT_S, DEFAULT_GAP_S)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fault=status=503", Fault(FaultKind.STATUS, status=503)),
        ("status=503", Fault(FaultKind.STATUS, status=503)),
        ("fault=status=429x2", Fault(FaultKind.STATUS, status=429, times=2)),
        ("status=429x2", Fault(FaultKind.STATUS, status=429, times=2)),
        ("fault=cut@0", Fault(FaultKind.CUT, after_events=0)),
        ("fault=reset@7", Fault(FaultKind.RESET, after_events=7)),
        ("fault=stall@7", Fault(FaultKind.STALL, after_events=7)),
        ("fault=error@7x1", Fault(FaultKind.ERROR, after_events=7, times=1)),
        ("fault=garbage@7", Fault(FaultKind.GARBAGE, after_events=7)),
        ("fault=drip", Fault(FaultKind.DRIP)),
        ("fault=refusex3", Fault(FaultKind.REFUSE, times=3)),
        ("fault=hang", Fault(FaultKind.HANG)),
    ],
)
def test_every_fault_is_read(text: str, fault: Fault) -> None:
    assert parse_model(f"mock,{text}").fault == fault


def test_a_name_is_percent_decoded() -> None:
    """Some providers carry the model in the path, where a comma may come encoded."""
    script = parse_model("mock%2Cttft=0s%2Cfault=cut%4050")
    assert script.model == "mock,ttft=0s,fault=cut@50"
    assert script.fault == Fault(FaultKind.CUT, after_events=50)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ("tfft=1s", "unknown item 'tfft=1s'; known are ttft"),
        ("", "unknown item ''"),
        ("ttft=200", "ttft=200: a duration is a number with its unit"),
        ("ttft", "ttft needs a value"),
        ("tools=1", "tools has no value"),
        ("tokens=many", "tokens=many: a count is a whole number"),
        ("tokens=2000000", "at most 1000000 tokens"),
        ("tokens=5,tokens=6", "tokens is given twice"),
        ("tokens=5,reasoning=6", "reasoning=6 is more than tokens=5"),
        ("fault=explode", "fault=explode: there is no such fault; known are status=503, cut@N"),
        ("fault=cut", "cut needs the number of generated events before it: cut@5"),
        ("fault=cut@x3", "there is no such fault|a count"),
        ("fault=drip@5", "drip takes no @N"),
        ("fault=status=200", "a status is a number from 400 to 599"),
        ("status=5030", "a status is a number from 400 to 599"),
        ("fault=drip,status=503", "one fault at a time"),
        ("retry-after=2s", "retry-after=2s"),
        ("retry-after=100000", "at most a day"),
    ],
)
def test_a_problem_is_named(items: str, problem: str) -> None:
    with pytest.raises(BadScriptError, match=problem):
        parse_model(f"mock,{items}")


def test_an_endless_name_is_refused() -> None:
    with pytest.raises(BadScriptError, match="at most 1000 characters"):
        parse_model("x" * 1001)
