"""The process around the app: what a person at the terminal reads, and how many callers there may
be."""

from __future__ import annotations

import resource

from sidecar.core.address import Address
from sidecar.process import greeting, raise_descriptor_limit


def test_a_person_is_told_how_to_reach_it() -> None:
    admin = Address("127.0.0.1", 8486)
    plain = greeting(Address("127.0.0.1", 8484), admin, is_tls=False)
    assert "export OPENAI_BASE_URL=http://127.0.0.1:8484/v1\n" in plain
    assert "operator's port http://127.0.0.1:8486" in plain
    tls = greeting(Address("localhost", 8484), admin, is_tls=True)
    assert "export ANTHROPIC_BASE_URL=https://localhost:8484\n" in tls
    unix = greeting(Address("", 0, "/run/s.sock"), admin, is_tls=False)
    assert "listens on unix:/run/s.sock (operator's port" in unix
    assert "export" not in unix


def test_the_limit_of_descriptors_is_raised_to_what_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert raise_descriptor_limit() in (before[1], None)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
