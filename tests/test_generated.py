"""What is generated is up to date, and what the deviations name exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from sidecar.core.deviations import DEVIATIONS, Deviation

TESTS = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("generated", TESTS / "generated.py")
assert _spec is not None
assert _spec.loader is not None
generated = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generated)


@pytest.mark.parametrize("path", generated.expected(), ids=lambda path: path.name)
def test_generated_parts_are_what_make_docs_would_write(path: Path) -> None:
    assert path.read_text() == generated.expected()[path]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda d: d.test)
def test_every_deviation_has_its_test(deviation: Deviation) -> None:
    file, _, name = deviation.test.partition("::")
    assert re.search(rf"^\s*(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)


def test_the_readme_names_every_setting_that_a_deviation_has() -> None:
    readme = (TESTS.parent / "README.md").read_text()
    assert all(d.setting in readme for d in DEVIATIONS if d.setting)
