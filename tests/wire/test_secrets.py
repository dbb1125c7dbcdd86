"""Canaries: planted keys appear in nothing that the sidecar writes, shows or answers.

Every place where a caller or an operator can put a key gets one of its own, through requests that
go well, that fail in each way, and that are no HTTP at all; with logging at its loudest.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .caller import Caller, request
from .origin import Origin, answer, fin, rst
from .relay import LOOPS, Relay

_ADMIN = (
    "/",
    "/metrics",
    "/livez?verbose",
    "/readyz?verbose",
    "/healthz",
    "/streams",
    "/exchanges?limit=1000",
    "/upstreams",
    "/config",
    "/no-such-page",
)
_PLACES = {
    "authorization": "sk-proj-CANARYauthorization0123456789",
    "x-api-key": "sk-ant-CANARYxapikey0123456789",
    "api-key": "CANARYapikey0123456789abcdef",
    "x-goog-api-key": "AIzaCANARYgoog0123456789",
    "query": "CANARYquery0123456789",
    "cookie": "CANARYcookie0123456789",
    "body": "CANARYbody0123456789",
    "proxy-authorization": "CANARYproxyauth0123456789",
    "malformed": "CANARYmalformed0123456789",
    "upstream-error": "CANARYupstreamtext0123456789",
    "yaml": "CANARYyaml0123456789",
    "url": "CANARYurlpassword0123456789",
    "set-cookie": "CANARYsetcookie0123456789",
}
_MARK = "CANARY"


class Cage:
    """One relay, everything that it answered by itself, and everything that it can show."""

    def __init__(self, folder: Path, loop: str) -> None:
        self.origin = Origin()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            refusing = unused.getsockname()[1]
        self.relay = Relay(
            folder,
            f'  plain: {{url: "http://127.0.0.1:{self.origin.port}"}}\n'
            f'  openai: {{url: "http://127.0.0.1:{self.origin.port}"}}\n'
            f'  keyed: {{url: "http://127.0.0.1:{self.origin.port}",'
            ' api_key: "${env:PLANTED}"}\n'
            f'  down: {{url: "http://127.0.0.1:{refusing}", api_key: "${{env:PLANTED}}"}}\n'
            f'  proxied: {{url: "http://unreachable.invalid",'
            f' proxy: "http://user:{_PLACES["url"]}@127.0.0.1:{refusing}"}}\n',
            loop,
            log_level="debug",
            environment={"PLANTED": _PLACES["yaml"]},
        )
        self.local_answers: list[bytes] = []

    def raw(self, data: bytes) -> None:
        """Any bytes at all; whatever comes back."""
        with Caller(self.relay.data, timeout_s=5) as caller:
            try:
                caller.send(data)
                caller.half_close()
            except OSError:
                pass
            self.local_answers.append(caller.read_to_end()[0])

    def ask(self, target: str, *headers: bytes, body: bytes | None = None) -> int:
        with Caller(self.relay.data) as caller:
            got = caller.ask(request(target, body, *headers))
        if got.header(b"x-sidecar-error") is not None:
            self.local_answers.append(got.head + got.body)
        return got.status

    def outputs(self) -> dict[str, str]:
        """All that can be read of it, by where."""
        shown = {path: self.relay.page(path)[1].decode() for path in _ADMIN}
        shown["log and stderr"] = self.relay.text
        shown["local answers"] = b"\n".join(self.local_answers).decode("latin-1")
        return shown


@pytest.fixture(scope="module", params=LOOPS)
def cage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cage]:
    cage = Cage(tmp_path_factory.mktemp(f"canaries-{request.param}"), request.param)
    yield cage
    assert cage.relay.stop() == 0
    assert _MARK not in cage.relay.text
    cage.origin.close()


def _all_keys() -> tuple[bytes, ...]:
    return (
        f"Authorization: Bearer {_PLACES['authorization']}".encode(),
        f"Proxy-Authorization: Basic {_PLACES['proxy-authorization']}".encode(),
        f"Cookie: session={_PLACES['cookie']}".encode(),
        f"api-key: {_PLACES['api-key']}".encode(),
    )


def _assert_nowhere(cage: Cage) -> None:
    # The log is written by a thread of its own.
    time.sleep(0.2)
    for where, text in cage.outputs().items():
        at = text.find(_MARK)
        assert at < 0, f"{where}: …{text[max(0, at - 200) : at + 60]}…"


def test_no_key_of_an_exchange_shows_up(cage: Cage) -> None:
    """Good, bad, broken and refused exchanges, each with a key in every place."""
    leak = f'{{"error": {{"message": "bad key {_PLACES["upstream-error"]}"}}}}'.encode()
    head = b"HTTP/1.1 %d X\r\nSet-Cookie: s=%b\r\nContent-Length: %d\r\n\r\n"
    planted = _PLACES["set-cookie"].encode()
    scripts = [
        answer(head % (status, planted, len(leak)) + leak) for status in (200, 401, 429, 500)
    ]
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + leak
    nonsense = _PLACES["upstream-error"].encode() + b" is no HTTP\r\n\r\n"
    scripts += [answer(cut, rst), answer(fin), answer(nonsense, fin)]
    body = f'{{"model": "m", "key": "{_PLACES["body"]}"}}'.encode()
    expected = [200, 401, 429, 500, 200, 502, 502]
    for prefix in ("/plain", "/keyed"):
        path = cage.origin.script(*scripts)
        target = f"{prefix}{path}?key={_PLACES['query']}&x=1"
        assert [cage.ask(target, *_all_keys(), body=body) for _ in scripts] == expected
    for prefix in ("/down", "/proxied"):
        target = f"{prefix}/v1/chat/completions?key={_PLACES['query']}"
        assert cage.ask(target, *_all_keys(), body=body) == 502
    _assert_nowhere(cage)


def test_the_callers_keys_reach_the_upstream_unless_it_has_its_own(cage: Cage) -> None:
    """Else the canaries above would prove nothing."""
    ok = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    path = cage.origin.script(ok)
    query = f"?key={_PLACES['query']}&x=1"
    assert cage.ask(f"/plain{path}{query}", *_all_keys()) == 200
    assert cage.ask(f"/keyed{path}{query}", *_all_keys()) == 200
    theirs, ours = cage.origin.seen(path)
    assert theirs.target == path + query
    assert theirs.header(b"authorization") == b"Bearer " + _PLACES["authorization"].encode()
    assert theirs.header(b"api-key") == _PLACES["api-key"].encode()
    assert ours.target == f"{path}?x=1"
    assert ours.header(b"authorization") == b"Bearer " + _PLACES["yaml"].encode()
    assert ours.header(b"api-key") is None
    assert theirs.header(b"proxy-authorization") is None


def test_no_key_of_a_refused_request_shows_up(cage: Cage) -> None:
    """Routing, key safety, hosts and limits refuse before anything goes up."""
    query = f"?key={_PLACES['query']}"
    goog = f"x-goog-api-key: {_PLACES['x-goog-api-key']}".encode()
    ant = f"x-api-key: {_PLACES['x-api-key']}".encode()
    assert cage.ask(f"/unheard/of{query}", *_all_keys()[:3]) in (404, 421)
    assert cage.ask("/unheard/of", _all_keys()[2]) == 404
    assert cage.ask("/v1/models", goog) == 421
    assert cage.ask(f"/v1/models?key={_PLACES['x-goog-api-key']}") == 421
    assert cage.ask("/openai/v1/models", ant) == 421
    assert cage.ask("/plain/x", *_all_keys(), b"Origin: https://evil.example") == 403
    assert cage.ask(f"/plain/x{query}", *_all_keys(), b"Expect: something") == 417
    assert cage.ask(f"/plain/x{query}", *_all_keys(), b"Connection: authorization") == 400
    _assert_nowhere(cage)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: a b\x00c\r\nAuthorization: Bearer %b\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nBad Name: %b\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\x00\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nX: y\r\n %b folded\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/9.9\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n\r\n",
        b"GET /plain/x?key=%b\x80 HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n\r\n",
        b"GRAB /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n\r\n",
        b"GET http://user:%b@evil.example/ HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n\r\n",
        b"CONNECT evil.example:443?%b HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: evil.example\r\nx-api-key: %b\r\n\r\n",
        b"POST /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n"
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nCANARY\r\n\r\n",
        b"Authorization: Bearer %b\r\n%b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00%b%b\r\n\r\n",
        b"GET /plain/x?key=%b&" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\nX: %b\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\n"
        + b"X: y\r\n" * 300
        + b"Z: %b\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nX: %b" + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /plain/x?key=%b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b",
    ],
    ids=lambda data: f"{data[:12].decode('latin-1')}-{len(data)}",
)
def test_no_key_of_bytes_that_are_no_request_shows_up(cage: Cage, data: bytes) -> None:
    before = len(cage.origin.all_seen)
    planted = _PLACES["malformed"].encode()
    cage.raw(data % (planted, planted))
    _assert_nowhere(cage)
    assert len(cage.origin.all_seen) == before
    cage.relay.assert_settled()


def test_the_redacted_configuration_still_says_that_there_is_a_key(cage: Cage) -> None:
    status, body = cage.relay.page("/config")
    assert status == 200
    assert b"api_key" in body
    assert b"keyed" in body
