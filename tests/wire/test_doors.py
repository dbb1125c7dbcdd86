"""Who gets in, and over what: tokens, TLS, unix sockets, the admin port beyond loopback."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
import trustme
from websockets.asyncio.client import connect

from .caller import Answer, Caller, request
from .conftest import Side
from .origin import answer, until_left
from .relay import LOOPS, Relay
from .test_websocket import WebSocketOrigin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOKEN, KEY = "canary-token-1", "canary-key-of-ours"


@pytest.fixture(scope="module", params=LOOPS)
def guarded(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Relay]:
    """A relay that asks for a token, in front of an upstream whose key it has and one whose key
    the callers have."""
    url = f"http://127.0.0.1:{sides['plain'].origin.port}"
    relay = Relay(
        tmp_path_factory.mktemp("guarded"),
        f'  ours: {{url: "{url}", api_key: "${{env:KEY}}"}}\n  theirs: {{url: "{url}"}}\n',
        request.param,
        listen=", auth: {tokens: [other-token, '${env:TOKEN}']}",
        admin=", token: '${env:TOKEN}'",
        environment={"TOKEN": TOKEN, "KEY": KEY},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    yield relay
    relay.assert_settled()
    assert relay.stop() == 0
    assert "canary" not in relay.text


def ask(relay: Relay, target: str, *headers: str) -> Answer:
    with Caller(relay.data) as caller:
        return caller.ask(request(target, b"{}", *(line.encode() for line in headers)))


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer {TOKEN}",
        f"X-Api-Key: {TOKEN}",
        f"api-key: {TOKEN}",
        f"x-goog-api-key: {TOKEN}",
        f"x-sidecar-token: {TOKEN}",
    ],
)
def test_a_token_opens_the_door_and_goes_no_further(guarded: Relay, plain: Side, line: str) -> None:
    path = plain.origin.script(answer(OK))
    assert ask(guarded, f"/ours{path}", line, "X-Else: 1").status == 200
    [seen] = plain.origin.seen(path)
    assert TOKEN.encode() not in seen.head
    assert seen.header(b"authorization") == f"Bearer {KEY}".encode()
    assert seen.header(b"x-else") == b"1"


def test_a_callers_own_key_travels_beside_it(guarded: Relay, plain: Side) -> None:
    path = plain.origin.script(answer(OK))
    own = "Authorization: Bearer callers-own"
    assert ask(guarded, f"/theirs{path}", own, f"X-Sidecar-Token: {TOKEN}").status == 200
    [seen] = plain.origin.seen(path)
    assert seen.header(b"authorization") == b"Bearer callers-own"
    assert TOKEN.encode() not in seen.head


@pytest.mark.parametrize(
    "line", ["X-Nothing: 1", "Authorization: Bearer wrong", f"Authorization: Basic {TOKEN}"]
)
def test_without_one_nobody_gets_in(guarded: Relay, plain: Side, line: str) -> None:
    path = plain.origin.script(answer(OK))
    got = ask(guarded, f"/ours{path}", line)
    assert (got.status, got.header(b"x-sidecar-error")) == (401, b"unauthorized")
    assert got.header(b"www-authenticate") == b"Bearer"
    assert json.loads(got.body)["error"]["code"] == "unauthorized"
    assert plain.origin.seen(path) == []


def test_an_sdk_needs_only_another_key(guarded: Relay, plain: Side) -> None:
    plain.origin.at(
        "/v1/models",
        answer(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
            b'{"object":"list","data":[]}'
        ),
    )
    base_url = f"http://127.0.0.1:{guarded.data[1]}/ours/v1"
    with openai.OpenAI(api_key=TOKEN, base_url=base_url, max_retries=0) as client:
        assert client.models.list().data == []
    wrong = openai.OpenAI(api_key="wrong", base_url=base_url, max_retries=0)
    with wrong, pytest.raises(openai.AuthenticationError) as refused:
        wrong.models.list()
    assert refused.value.code == "unauthorized"


def test_the_admin_port_asks_for_its_token_too(guarded: Relay) -> None:
    def page(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
        connection = http.client.HTTPConnection(*guarded.admin, timeout=5)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, dict(response.getheaders())

    for path in ("/", "/metrics", "/config", "/exchanges", "/livez", "/nowhere"):
        assert page(path)[0] == 401, path
        assert page(path, Authorization="Bearer wrong")[0] == 401
    assert page("/-/drain", "POST")[0] == 401
    assert page("/config", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert page("/config?token=" + TOKEN)[0] == 401, "only the first page takes it so"
    status, headers = page("/?token=" + TOKEN)
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert page("/config", Cookie=cookie.partition(";")[0])[0] == 200
    assert page("/config", Cookie="sidecar_admin=0")[0] == 401


@pytest.mark.parametrize("loop", LOOPS)
def test_tls_on_the_data_port(
    loop: str, sides: dict[str, Side], authority: tuple[trustme.CA, Path], tmp_path: Path
) -> None:
    issued = authority[0].issue_cert("localhost")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    for at, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(str(certificate), append=at > 0)
    issued.private_key_pem.write_to_path(str(key))
    origin = WebSocketOrigin()
    relay = Relay(
        tmp_path,
        f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}"}}\n'
        f'  rt: {{url: "http://127.0.0.1:{origin.port}"}}\n',
        loop,
        listen=f", tls: {{cert: {certificate}, key: {key}}}, timeouts: {{headers: 1s}}",
    )
    try:
        path = sides["plain"].origin.script(answer(OK))
        trusting = ssl.create_default_context(cafile=str(authority[1]))
        trusting.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(relay.data) as raw,
            trusting.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            assert tls.selected_alpn_protocol() == "http/1.1"
            for _ in range(2):
                tls.sendall(request(f"/plain{path}"))
                assert tls.recv(1000) == OK
        with Caller(relay.data) as silent:
            assert silent.is_closed_within(3), "a handshake has its time, too"

        async def talk() -> None:
            url = f"wss://localhost:{relay.data[1]}/rt/v1/realtime"
            async with connect(url, ssl=trusting, host="127.0.0.1") as ws:
                await ws.send("x" * 100_000)
                assert await ws.recv() == "x" * 100_000

        asyncio.run(talk())
        relay.assert_settled()
    finally:
        origin.close()
        assert relay.stop() == 0
    assert "Traceback" not in relay.text


@pytest.mark.parametrize("loop", LOOPS)
def test_a_unix_socket_has_no_host_rules(loop: str, sides: dict[str, Side], tmp_path: Path) -> None:
    path = str(tmp_path / "sidecar.sock")
    url = f"http://127.0.0.1:{sides['plain'].origin.port}"
    relay = Relay(
        tmp_path,
        f'  plain: {{url: "{url}"}}\n',
        loop,
        environment={"SIDECAR_LISTEN": f"unix:{path}"},
    )
    try:
        target = sides["plain"].origin.script(answer(OK))
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(path)
            raw.sendall(request(target, host=b"any.example"))
            assert raw.recv(1000) == OK
    finally:
        assert relay.stop() == 0
    assert not Path(path).exists()


def test_a_caller_beyond_its_deadline(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(until_left))
    with Caller(relay.data) as caller:
        message = request(target, b"{}", b"X-Sidecar-Timeout-Ms: 300", b"X-Request-ID: late-1")
        got = caller.ask(message)
    assert (got.status, got.header(b"x-sidecar-error")) == (504, b"deadline_exceeded")
    record = relay.record("late-1")
    assert (record["outcome"], record["fault"]) == ("timeout", "caller")
    assert 300 <= record["duration_ms"] <= 800


def test_a_caller_that_waits_less_hears_from_us_first(relay: Relay, plain: Side) -> None:
    target, _ = plain.script(answer(until_left))
    with Caller(relay.data) as caller:
        got = caller.ask(request(target, b"{}", b"x-stainless-read-timeout: 0.5"))
    assert (got.status, got.header(b"x-sidecar-error")) == (504, b"first_byte_timeout")
