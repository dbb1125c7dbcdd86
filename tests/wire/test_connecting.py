"""Providers that cannot be reached, and what the caller is told about it (T42-T48)."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .caller import Answer, Caller, eventually, request
from .origin import Deaf, FullQueue, Origin, answer
from .relay import LOOPS, Relay, free_port

CONNECT_S, LATE_S = 0.5, 0.5
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
numbers = itertools.count(1)


class World:
    """Providers that are hard to reach, and a relay that knows all of them."""

    def __init__(self, folder: Path, loop: str, authority: tuple[trustme.CA, Path]) -> None:
        ca, ca_file = authority
        self.full, self.deaf, self.hangs_up = FullQueue(), Deaf(), Deaf(hangs_up=True)
        self.tls: dict[str, Origin] = {
            "wrong-host": Origin(_context(ca.issue_cert("elsewhere.example"))),
            "self-signed": Origin(_context(trustme.CA().issue_cert("localhost"))),
            "expired": Origin(_expired(ca, folder)),
        }
        self.old = OldServer(ca.issue_cert("localhost"))
        self.alive = Origin()
        urls = {
            "refused": f"http://127.0.0.1:{free_port()}",
            "full": f"http://127.0.0.1:{self.full.port}",
            "nobody": "http://no-such-host.invalid",
            "deaf": f"https://localhost:{self.deaf.port}",
            "hangs-up": f"http://127.0.0.1:{self.hangs_up.port}",
            # `localhost` is both families; this one listens on one of them only.
            "one-family": f"http://localhost:{self.alive.port}",
            "old": f"https://localhost:{self.old.port}",
            **{name: f"https://localhost:{tls.port}" for name, tls in self.tls.items()},
        }
        upstreams = "".join(
            f'  {name}: {{url: "{url}", tls: {{ca_file: "{ca_file}"}},'
            f" timeouts: {{connect: {CONNECT_S}s}}}}\n"
            for name, url in urls.items()
        )
        self.relay = Relay(folder, upstreams, loop)

    def ask(self, upstream: str) -> tuple[Answer, str, float]:
        """(answer, request id, seconds)"""
        request_id = f"connect-{next(numbers)}"
        lines = (b"X-Request-ID: " + request_id.encode(), b"Authorization: Bearer canary-key")
        with Caller(self.relay.data) as caller:
            began = time.monotonic()
            got = caller.ask(request(f"/{upstream}/v1/models", None, *lines))
            return got, request_id, time.monotonic() - began

    def close(self) -> None:
        with ExitStack() as all_of_them:
            for one in (
                self.full,
                self.deaf,
                self.hangs_up,
                self.alive,
                self.old,
                *self.tls.values(),
            ):
                all_of_them.callback(one.close)
            self.relay.assert_settled()
            assert self.relay.stop() == 0
        assert "canary" not in self.relay.text


def _context(cert: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.configure_cert(context)
    return context


class OldServer:
    """Speaks nothing newer than TLS 1.1, and says so with an alert, as real ones do. (asyncio's
    servers reset the connection instead.)"""

    def __init__(self, cert: trustme.LeafCert) -> None:
        self._context = _context(cert)
        self._context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these versions are old is the point
            self._context.minimum_version = ssl.TLSVersion.TLSv1
            self._context.maximum_version = ssl.TLSVersion.TLSv1_1
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.handshakes = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            with accepted, contextlib.suppress(OSError):
                accepted.settimeout(5)
                self._context.wrap_socket(accepted, server_side=True)
                self.handshakes += 1

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)


def _expired(ca: trustme.CA, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    )
    certificate = (
        builder.issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now - dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]  # trustme's keys can sign
    )
    file = folder / "expired.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="module", params=LOOPS)
def world(
    request: pytest.FixtureRequest,
    authority: tuple[trustme.CA, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("world"), request.param, authority)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("upstream", "reason", "least_s"),
    [
        pytest.param("refused", "connect_failed", 0, id="T42 refused"),
        pytest.param("full", "connect_failed", CONNECT_S, id="T43 black hole"),
        pytest.param("nobody", "dns_failed", 0, id="T44 unknown name"),
        pytest.param("deaf", "connect_failed", CONNECT_S, id="T47 handshake that stalls"),
    ],
)
def test_who_cannot_be_reached_is_a_502_in_time(
    world: World, upstream: str, reason: str, least_s: float
) -> None:
    before = world.relay.descriptors
    got, request_id, took_s = world.ask(upstream)
    assert (got.status, got.header(b"x-sidecar-error")) == (502, reason.encode())
    assert upstream.encode() in got.body
    assert least_s <= took_s <= CONNECT_S + LATE_S
    record = world.relay.record(request_id)
    assert (record["outcome"], record["reason"]) == ("connect_failed", reason)
    assert [attempt["reason"] for attempt in record["attempts"]] == [reason]
    assert eventually(lambda: world.relay.descriptors <= before + 1)


def test_t46_one_that_speaks_only_old_tls_gets_no_byte(world: World) -> None:
    got, request_id, _ = world.ask("old")
    assert (got.status, got.header(b"x-sidecar-error")) == (502, b"tls_failed")
    assert world.relay.record(request_id)["reason"] == "tls_failed"
    assert world.old.handshakes == 0


@pytest.mark.parametrize("upstream", ["wrong-host", "self-signed", "expired"])
def test_t46_a_provider_that_cannot_show_who_it_is_gets_no_byte(
    world: World, upstream: str
) -> None:
    got, request_id, _ = world.ask(upstream)
    assert (got.status, got.header(b"x-sidecar-error")) == (502, b"tls_failed")
    assert world.relay.record(request_id)["reason"] == "tls_failed"
    assert world.tls[upstream].all_seen == []


def test_t47_the_key_was_not_said_to_a_stalled_handshake(world: World) -> None:
    world.ask("deaf")
    assert world.deaf.received[:1] == b"\x16", "a ClientHello, and nothing else"
    assert b"canary" not in world.deaf.received
    assert eventually(lambda: world.deaf.open == 0)


def test_t48_one_that_accepts_and_hangs_up_is_asked_once(world: World) -> None:
    before = world.hangs_up.connections
    got, request_id, _ = world.ask("hangs-up")
    assert (got.status, got.header(b"x-sidecar-error")) == (502, b"upstream_reset")
    assert world.relay.record(request_id)["connection"] == "new"
    assert world.hangs_up.connections == before + 1


def test_t45_of_two_addresses_the_live_one_serves(world: World) -> None:
    path = world.alive.at("/v1/models", answer(OK))
    got, request_id, _ = world.ask("one-family")
    assert (got.status, got.body) == (200, b"ok")
    assert world.relay.record(request_id)["outcome"] == "ok"
    assert len(world.alive.seen(path)) == 1
