"""One relay for each event loop and one provider for each transport, shared by all wire tests."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from .origin import Origin, Script
from .relay import LOOPS, Relay


@dataclass(frozen=True, slots=True)
class Side:
    """A provider, and how it is reached through the relay."""

    origin: Origin
    prefix: str
    """What the built-in routing takes off again."""
    host: bytes
    """The Host header that it must see."""

    def script(self, *scripts: Script, end: str = "") -> tuple[str, str]:
        """(target at the relay, path at the provider) for these scripts; nobody else's."""
        path = self.origin.script(*scripts, end=end)
        return self.prefix + path, path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A throw-away certificate authority and its file."""
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return ca, file


@pytest.fixture(scope="session")
def sides(authority: tuple[trustme.CA, Path]) -> Iterator[dict[str, Side]]:
    """Both providers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost", "127.0.0.1").configure_cert(context)
    plain, tls = Origin(), Origin(context)
    yield {
        "plain": Side(plain, "/plain", b"127.0.0.1:%d" % plain.port),
        "tls": Side(tls, "/tls", b"localhost:%d" % tls.port),
    }
    plain.close()
    tls.close()


@pytest.fixture(params=["plain", "tls"])
def side(request: pytest.FixtureRequest, sides: dict[str, Side]) -> Side:
    """Each provider in turn."""
    return sides[request.param]


@pytest.fixture
def plain(sides: dict[str, Side]) -> Side:
    """The provider without TLS, where TLS makes no difference."""
    return sides["plain"]


@pytest.fixture(scope="session")
def relays(
    sides: dict[str, Side],
    authority: tuple[trustme.CA, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Relay]]:
    """The relays that were started; each must end well."""
    upstreams = (
        f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}"}}\n'
        f'  tls: {{url: "https://localhost:{sides["tls"].origin.port}",'
        f' tls: {{ca_file: "{authority[1]}"}}}}\n'
    )
    started = {
        loop: Relay(tmp_path_factory.mktemp(f"relay-{loop}"), upstreams, loop) for loop in LOOPS
    }
    yield started
    exits = {loop: relay.stop() for loop, relay in started.items()}
    assert exits == dict.fromkeys(LOOPS, 0)
    for relay in started.values():
        assert "Traceback" not in relay.text, relay.text[-4000:]


@pytest.fixture(params=LOOPS)
def relay(request: pytest.FixtureRequest, relays: dict[str, Relay]) -> Iterator[Relay]:
    """The relay on each event loop in turn; after each test its books must balance."""
    chosen = relays[request.param]
    yield chosen
    chosen.assert_settled()
