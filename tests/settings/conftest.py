"""Loading a configuration from text, as the command line would from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from sidecar.settings.load import ConfigError, load
from sidecar.settings.schema import Settings

Load = Callable[..., Settings]
Wrong = Callable[..., list[str]]


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """text -> Settings."""

    def run(
        text: str | bytes,
        *,
        env: Mapping[str, str] | None = None,
        sets: Sequence[str] = (),
        to: str | None = None,
    ) -> Settings:
        file = tmp_path / "c.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(str(file), env=env or {}, sets=sets, to=to)

    return run


@pytest.fixture
def wrong(load_text: Load, tmp_path: Path) -> Wrong:
    """text -> the problems it has, each `line:col: path: message`; the file's name is cut off."""

    def run(text: str | bytes, **options: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(text, **options)
        prefix = f"{tmp_path / 'c.yaml'}:"
        return [str(problem).removeprefix(prefix).strip() for problem in caught.value.problems]

    return run
