"""The rules of the house, checked by a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "sidecar").rglob("*.py"))
# Map files hold no logic; pipeline/__init__ tells the story and is tested as test_handle.
WITHOUT_A_TEST_OF_THEIR_NAME = {"__init__.py", "__main__.py"}
MAX_LINES = 400
# They say that somebody did not find out what a thing is.
EMPTY_WORDS = re.compile(r"(Manager|Helper|Utils?|Base|Impl|Data)(?=[A-Z_]|$)")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if s.name not in WITHOUT_A_TEST_OF_THEIR_NAME], ids=_name
)
def test_every_source_file_has_a_test_file_of_its_name(source: Path) -> None:
    inside = source.relative_to(ROOT / "sidecar")
    test = ROOT / "tests" / inside.with_name(f"test_{inside.name}")
    assert test.exists(), f"{_name(test)} is missing"


@pytest.mark.parametrize("source", SOURCES, ids=_name)
def test_every_source_file_opens_with_what_it_knows(source: Path) -> None:
    docstring = ast.get_docstring(ast.parse(source.read_text()))
    assert docstring, "a file says what it knows, what it must not know and why this way"


@pytest.mark.parametrize("source", SOURCES, ids=_name)
def test_no_source_file_is_longer_than_it_may_be(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("source", SOURCES, ids=_name)
def test_files_and_classes_are_named_for_what_they_are(source: Path) -> None:
    classes = [
        node.name
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    names = [*classes, source.stem.title()]
    assert not [name for name in names if EMPTY_WORDS.search(name)]


def test_imports_go_downhill_only() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
