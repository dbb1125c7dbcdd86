"""The oldest dependencies that may serve, and that their parsers are the compiled ones.

Knows: which release fixed the last published fault that reaches a relay. Must not know: later ones;
`make audit` asks the advisory data for those.
Why asserted: an image may be put together by hand, and a missing wheel falls back to pure Python,
whose parsers are other code, with faults of their own.
"""

from __future__ import annotations

import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from pathlib import Path

import aiohttp.http_parser
import httptools.parser.parser
from packaging.requirements import Requirement
from packaging.version import Version

from sidecar.net import aio

ROOT = Path(__file__).parent.parent
# Two that would reach us were fixed shortly before: requests smuggled in the body of an upgrade
# (CVE-2026-69243), and a read beyond the heap for a malformed chunked response (CVE-2026-69244).
AIOHTTP = Version("3.14.5")
COMPILED = tuple(EXTENSION_SUFFIXES)


def _floor_asked() -> Version:
    """The oldest aiohttp that an installer may take."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(line) for line in project["dependencies"]]
    versions = next(one.specifier for one in asked if one.name == "aiohttp")
    return next(Version(spec.version) for spec in versions if spec.operator == ">=")


def test_no_aiohttp_with_known_faults_is_installed() -> None:
    assert _floor_asked() >= AIOHTTP
    assert Version(version("aiohttp")) >= AIOHTTP


def test_a_start_asks_for_the_same_aiohttp_as_an_installation() -> None:
    assert _floor_asked() == Version(".".join(map(str, aio.FLOOR)))


def test_requests_and_responses_are_read_by_compiled_code() -> None:
    assert str(httptools.parser.parser.__file__).endswith(COMPILED)
    for parser in (httptools.HttpRequestParser, httptools.HttpResponseParser):
        assert parser.__module__ == "httptools.parser.parser"


def test_the_operators_port_is_read_by_compiled_code() -> None:
    """aiohttp falls back to its own parser in Python where the extension cannot be loaded."""
    parser = aiohttp.http_parser.HttpRequestParser
    assert parser is not aiohttp.http_parser.HttpRequestParserPy
    assert parser.__module__ == "aiohttp._http_parser"
