"""One root for everything raised on purpose."""

from __future__ import annotations

import importlib
import pkgutil

import sidecar.core
from sidecar.core.errors import SidecarError, StartError


def test_a_start_error_is_one_of_ours_and_reads_as_its_sentence():
    assert isinstance(StartError("the port is taken"), SidecarError)
    assert str(StartError("the port is taken")) == "the port is taken"


def test_every_exception_of_core_has_the_one_root():
    for module in pkgutil.iter_modules(sidecar.core.__path__):
        names = vars(importlib.import_module(f"sidecar.core.{module.name}")).values()
        for thing in names:
            if isinstance(thing, type) and issubclass(thing, Exception):
                assert issubclass(thing, SidecarError)
