"""One upstream on loopback: its pool, its limits, its head, its proxy, its TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason
from sidecar.core.response_heads import ResponseHead
from sidecar.core.secret import Secret
from sidecar.net.tls import contexts_for
from sidecar.net.upstream import HttpUpstream
from sidecar.net.wire import PooledWire
from sidecar.policies import pool, timeouts
from sidecar.settings.schema import Proxy, Tls, Upstream

from .peers import OK, Opened, answer_all, configured, listening

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Nothing:
    """A sink that keeps nothing."""

    def take(self, head: ResponseHead | None, body: bytes, is_end: bool, read_at: float) -> None:
        """Gone."""

    def more(self, body: bytes, read_at: float) -> None:
        """Gone."""


@contextlib.asynccontextmanager
async def live(made: Upstream, opened: Opened | None = None) -> AsyncIterator[HttpUpstream]:
    upstream = HttpUpstream(made, contexts_for((made,)).get(made.tls), opened or Opened())
    try:
        yield upstream
    finally:
        await upstream.close()


async def taken(upstream: HttpUpstream, must_be_new: bool = False) -> PooledWire:
    wire = await upstream.connect(must_be_new)
    assert isinstance(wire, PooledWire), wire
    return wire


async def asked(upstream: HttpUpstream) -> PooledWire:
    wire = await taken(upstream)
    ending = wire.receive(Nothing(), is_head=False)
    wire.send(GET)
    assert await ending is None
    return wire


async def test_a_connection_is_used_again_and_the_warmest_first() -> None:
    opened = Opened()
    async with (
        listening(answer_all) as port,
        live(configured(f"http://127.0.0.1:{port}"), opened) as up,
    ):
        first, second = await asked(up), await asked(up)
        assert (up.active, up.idle) == (2, 0)
        first.give_back()
        second.give_back()
        assert (up.active, up.idle) == (0, 2)
        again = await taken(up)
        assert again.is_reused
        assert again._protocol is second._protocol
        again.drop()
    assert opened.reasons == ["cold", "busy"]


async def test_the_idle_cap_closes_the_coldest() -> None:
    async with (
        listening(answer_all) as port,
        live(configured(f"http://127.0.0.1:{port}", rule=pool.Rule(max_idle=1))) as up,
    ):
        first, second = await asked(up), await asked(up)
        first.give_back()
        second.give_back()
        assert up.idle == 1
        assert (await taken(up))._protocol is second._protocol


async def test_an_old_connection_is_not_used_again() -> None:
    opened = Opened()
    rule = pool.Rule(max_age_s=0.05)
    async with (
        listening(answer_all) as port,
        live(configured(f"http://127.0.0.1:{port}", rule=rule), opened) as up,
    ):
        (await asked(up)).give_back()
        await asyncio.sleep(0.06)
        wire = await taken(up)
        assert not wire.is_reused
        wire.drop()
    assert opened.reasons == ["cold", "aged"]


async def test_a_new_one_can_be_asked_for() -> None:
    opened = Opened()
    async with (
        listening(answer_all) as port,
        live(configured(f"http://127.0.0.1:{port}"), opened) as up,
    ):
        (await asked(up)).give_back()
        wire = await taken(up, must_be_new=True)
        assert not wire.is_reused
        wire.drop()
    assert opened.reasons == ["cold", "stale"]


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with listening(talk) as port, live(configured(f"http://127.0.0.1:{port}")) as up:
        (await asked(up)).give_back()
        await asyncio.sleep(0.1)
        assert not (await taken(up)).is_reused


async def test_refused_is_connect_failed() -> None:
    async with live(configured("http://127.0.0.1:1")) as up:
        assert await up.connect(False) is Reason.CONNECT_FAILED


async def test_an_unknown_name_is_dns_failed() -> None:
    async with live(configured("http://no-such-host.invalid")) as up:
        assert await up.connect(False) is Reason.DNS_FAILED


async def test_a_host_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        limits = timeouts.Rule(connect_s=0.2)
        async with live(configured(f"http://127.0.0.1:{port}", limits=limits)) as up:
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert await up.connect(False) is Reason.CONNECT_FAILED
            assert 0.15 <= loop.time() - began <= 1.2
        for filler in fillers:
            filler.close()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_caller_that_leaves_while_we_connect_leaves_no_connection(
    is_tls: bool, authority: tuple[trustme.CA, Path]
) -> None:
    """At whatever turn of the loop; a connection that was made for nobody is closed."""
    ca, file = authority
    open_ends: set[asyncio.StreamWriter] = set()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.add(writer)
        try:
            await reader.read()
        finally:
            open_ends.remove(writer)

    scheme, context = ("https", _server(ca, "localhost")) if is_tls else ("http", None)
    async with listening(hold, context) as port:
        url = f"{scheme}://localhost:{port}"
        async with live(configured(url, tls=Tls(ca_file=str(file)))) as up:
            had = 0
            for turns in range(40):
                life = asyncio.create_task(up.connect(False), name="life")
                await (_turns(turns) if turns < 20 else asyncio.sleep((turns - 20) / 4000))
                life.cancel()
                [made] = await asyncio.gather(life, return_exceptions=True)
                if isinstance(made, PooledWire):
                    had += 1
                    made.drop()
                assert (up.active, up.idle) == (0, 0)
            assert had < 40, "some left in time"
            async with asyncio.timeout(2):
                while open_ends:
                    await asyncio.sleep(0.01)


def _head(*headers: tuple[bytes, bytes], target: str = "/v1/x") -> RequestHead:
    return RequestHead("GET", target, 1, ((b"Host", b"localhost"), *headers))


@pytest.mark.parametrize(
    ("dialect", "provider", "line"),
    [
        ("openai", "openai", b"authorization: Bearer ours"),
        ("auto", None, b"authorization: Bearer ours"),
        ("anthropic", "anthropic", b"x-api-key: ours"),
        ("gemini", "gcp.gemini", b"x-goog-api-key: ours"),
        ("openai", "azure.ai.openai", b"api-key: ours"),
    ],
)
async def test_an_own_key_goes_where_its_provider_looks_for_it(
    dialect: str, provider: str | None, line: bytes
) -> None:
    made = configured("http://a.example/base", api_key="ours", dialect=dialect, provider=provider)
    async with live(made) as up:
        head = _head((b"Authorization", b"Bearer mine"), target="/v1/x?key=mine&a=1")
        message = up.head(head, head.target)
    assert message.startswith(b"GET /base/v1/x?a=1 HTTP/1.1\r\nHost: a.example\r\n")
    assert line in message
    assert b"mine" not in message


async def test_without_one_the_callers_key_goes_on() -> None:
    async with live(configured("https://a.example:8443")) as up:
        message = up.head(_head((b"Authorization", b"Bearer mine")), "/v1/x")
    assert message == (
        b"GET /v1/x HTTP/1.1\r\nHost: a.example:8443\r\nAuthorization: Bearer mine\r\n\r\n"
    )


PROXY_AUTH = b"Basic " + base64.b64encode(b"user:pw")


async def test_a_plain_proxy_gets_the_whole_url_and_its_own_credential() -> None:
    proxy = Proxy("http://127.0.0.1:3128", Secret("user:pw"))
    async with live(configured("http://a.example", proxy=proxy)) as up:
        message = up.head(_head(), "/v1/x")
    assert message.startswith(b"GET http://a.example/v1/x HTTP/1.1\r\nHost: a.example\r\n")
    assert b"Proxy-Authorization: " + PROXY_AUTH in message


async def test_it_serves_a_real_one_and_the_origin_never_sees_the_credential() -> None:
    at_origin: list[bytes] = []
    at_proxy: list[bytes] = []

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_origin.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with listening(origin) as port:

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at_proxy.append(head)
                there, away = await asyncio.open_connection("127.0.0.1", port)
                # As a proxy must: its own headers end here, the URL becomes a path.
                line, *rest = head.split(b"\r\n")
                method, url, version = line.split(b" ")
                path = b"/" + url.split(b"/", 3)[3]
                kept = [field for field in rest if not field.lower().startswith(b"proxy-")]
                away.write(b"\r\n".join([b" ".join([method, path, version]), *kept]))
                writer.write(await there.read())
                away.close()

        async with listening(forward) as proxy_port:
            proxy = Proxy(f"http://127.0.0.1:{proxy_port}", Secret("user:pw"))
            async with live(configured("http://a.example/base", proxy=proxy)) as up:
                for is_reused in (False, True):
                    wire = await taken(up)
                    assert wire.is_reused is is_reused
                    ending = wire.receive(Nothing(), is_head=False)
                    # What the caller had for a proxy of its own is not for ours.
                    head = _head((b"Proxy-Authorization", b"Basic mine"))
                    wire.send(up.head(head, "/v1/x"))
                    assert await ending is None
                    wire.give_back()
    assert at_origin == [b"GET /base/v1/x HTTP/1.1\r\nHost: a.example\r\n\r\n"] * 2
    assert len(at_proxy) == 2
    for head in at_proxy:
        assert head.count(b"Proxy-Authorization") == 1
        assert PROXY_AUTH in head


async def test_a_proxy_that_refuses_is_connect_failed() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with listening(refuse) as port:
        proxy = Proxy(f"http://127.0.0.1:{port}")
        async with live(configured("https://a.example", proxy=proxy)) as up:
            assert await up.connect(False) is Reason.CONNECT_FAILED
            assert (up.active, up.idle) == (0, 0)


async def test_a_handshake_that_stalls_is_given_up_in_time() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(say_nothing) as port:
        limits = timeouts.Rule(connect_s=0.1)
        async with live(configured(f"https://localhost:{port}", limits=limits)) as up:
            assert await up.connect(False) is Reason.CONNECT_FAILED


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return ca, file


def _server(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


async def test_an_own_authority_is_trusted_and_only_http_1_1_is_offered(
    authority: tuple[trustme.CA, Path],
) -> None:
    ca, file = authority
    context = _server(ca, "localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with (
        listening(answer_all, context) as port,
        live(configured(f"https://localhost:{port}", tls=Tls(ca_file=str(file)))) as up,
    ):
        wire = await asked(up)
        transport = wire._protocol.transport
        assert transport is not None
        assert transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        wire.drop()


@pytest.mark.parametrize(("name", "trusts"), [("other.example", True), ("localhost", False)])
async def test_a_certificate_that_does_not_fit_is_tls_failed_and_nothing_is_sent(
    authority: tuple[trustme.CA, Path], name: str, trusts: bool
) -> None:
    ca, file = authority
    seen = b""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += await reader.read()

    tls = Tls(ca_file=str(file)) if trusts else Tls()
    async with (
        listening(listen, _server(ca, name)) as port,
        live(configured(f"https://localhost:{port}", tls=tls)) as up,
    ):
        assert await up.connect(False) is Reason.TLS_FAILED
    assert seen == b""


async def test_verification_can_be_switched_off(authority: tuple[trustme.CA, Path]) -> None:
    context = _server(authority[0], "other.example")
    async with (
        listening(answer_all, context) as port,
        live(configured(f"https://localhost:{port}", tls=Tls(verify=False))) as up,
    ):
        (await asked(up)).drop()


async def test_a_client_certificate_is_shown(
    authority: tuple[trustme.CA, Path], tmp_path: Path
) -> None:
    ca, file = authority
    context = _server(ca, "localhost")
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    own = ca.issue_cert("sidecar")
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = Tls(str(file), str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    async with (
        listening(answer_all, context) as port,
        live(configured(f"https://localhost:{port}", tls=tls)) as up,
    ):
        (await asked(up)).drop()


async def test_tls_goes_through_a_proxy_as_a_tunnel_and_the_credential_stays_with_the_proxy(
    authority: tuple[trustme.CA, Path],
) -> None:
    ca, file = authority
    asked_for: list[bytes] = []
    at_origin: list[bytes] = []

    async def origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_origin.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await reader.read()

    async with listening(origin, _server(ca, "localhost")) as port:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked_for.append(await reader.readuntil(b"\r\n\r\n"))
            there, away = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

            async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    to.write(data)
                to.close()

            await asyncio.gather(pump(reader, away), pump(there, writer))

        async with listening(tunnel) as proxy_port:
            made = configured(
                f"https://localhost:{port}",
                tls=Tls(ca_file=str(file)),
                proxy=Proxy(f"http://127.0.0.1:{proxy_port}", Secret("user:pw")),
            )
            async with live(made) as up:
                wire = await taken(up)
                ending = wire.receive(Nothing(), is_head=False)
                wire.send(up.head(_head(), "/v1/x"))
                assert await ending is None
                wire.drop()
    assert asked_for[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % port)
    assert PROXY_AUTH in asked_for[0]
    assert b"roxy" not in at_origin[0]
