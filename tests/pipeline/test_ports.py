"""The real implementations have what the ports ask for; mypy checks the types, this the names."""

from __future__ import annotations

import inspect

import pytest

from sidecar.net.caller import Caller
from sidecar.net.requests import RequestBody
from sidecar.net.upstream import HttpUpstream
from sidecar.net.wire import PooledWire
from sidecar.pipeline import ports
from sidecar.telemetry.desk import TelemetryDesk


@pytest.mark.parametrize(
    ("port", "real"),
    [
        (ports.Body, RequestBody),
        (ports.Client, Caller),
        (ports.Wire, PooledWire),
        (ports.Upstream, HttpUpstream),
        (ports.Desk, TelemetryDesk),
    ],
)
def test_the_real_thing_has_every_member_of_its_port(port: type, real: type) -> None:
    wanted = {name for name in vars(port) if not name.startswith("_")}
    set_in_init = set(inspect.getsource(real.__init__).replace("self.", " self_").split())
    has = set(dir(real)) | {
        word[5:].rstrip(":") for word in set_in_init if word.startswith("self_")
    }
    assert wanted <= has
