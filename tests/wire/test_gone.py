"""Providers that are gone before a word: in the handshake, at once, in the head, in the pool.

Case numbers (T46 …) are those of the design's list of faults. After each case the books balance, a
new caller is served and no descriptor stays.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from .caller import Answer, Caller, eventually, request
from .origin import (
    FullQueue,
    Origin,
    Script,
    Step,
    Turn,
    answer,
    at_once,
    bare_fin,
    fin,
    read_bytes,
    rst,
    send,
    sleep,
    wait_for,
)
from .relay import LOOPS, Relay, Row

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
_CHAT = "/v1/chat/completions"
_KEY = b"sk-a-key-of-the-caller"
_LIMIT_S = 2.0
_numbers = itertools.count(1)


class Doorstep:
    """A step that plays whatever story was laid on it: before anything is read."""

    def __init__(self) -> None:
        self.story: Script = ()
        self.heard = b""

    async def __call__(self, turn: Turn) -> None:
        try:
            for step in self.story:
                await step(turn)
        finally:
            self.heard = bytes(turn.seen.body)


@dataclass(frozen=True, slots=True)
class House:
    """A relay, and providers that are asked on a fresh connection each time (`plain`, `tls`), on a
    pooled one (`pooled`), or in vain: `mute` has never heard of TLS, `blackhole` of anything."""

    relay: Relay
    origins: dict[str, Origin]
    doorsteps: dict[str, Doorstep]

    def ask(self, upstream: str, path: str) -> tuple[Answer, Row]:
        request_id = f"gone-test-{next(_numbers)}"
        lines = (b"X-Request-ID: " + request_id.encode(), b"Authorization: Bearer " + _KEY)
        with Caller(self.relay.data) as caller:
            got = caller.ask(request(f"/{upstream}{path}", b"{}", *lines))
        return got, self.relay.record(request_id)

    def script(self, upstream: str, *scripts: Script) -> str:
        """The path for these scripts: of an operation that may be repeated without harm."""
        return self.origins[upstream].script(*scripts, end=_CHAT)

    def held(self) -> float:
        """Descriptors, without the upstream connections that the books know of."""
        return self.relay.descriptors - self.relay.total("connections_open")


@pytest.fixture(scope="module", params=LOOPS)
def house(
    request: pytest.FixtureRequest,
    authority: tuple[trustme.CA, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    ca, ca_file = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with ExitStack() as held:
        doorsteps = {name: Doorstep() for name in ("plain", "tls", "pooled", "mute")}
        origins = {
            name: held.enter_context(closing(Origin(context if name == "tls" else None, (step,))))
            for name, step in doorsteps.items()
        }
        urls = {
            name: f"{'https' if name in ('tls', 'mute') else 'http'}://localhost:{origin.port}"
            for name, origin in origins.items()
        }
        urls["blackhole"] = f"http://127.0.0.1:{held.enter_context(closing(FullQueue())).port}"
        upstreams = "".join(
            f'  {name}: {{url: "{url}", tls: {{ca_file: "{ca_file}"}},'
            f" timeouts: {{connect: {_LIMIT_S}s}}"
            f"{'' if name == 'pooled' else ', pool: {max_idle: 0}'}}}\n"
            for name, url in urls.items()
        )
        relay = Relay(tmp_path_factory.mktemp("gone"), upstreams, request.param)
        yield House(relay, origins, doorsteps)
        assert relay.stop() == 0
        assert "Traceback" not in relay.text, relay.text[-4000:]
        assert _KEY.decode() not in relay.text


@pytest.fixture(autouse=True)
def nothing_stays(house: House) -> Iterator[None]:
    # Ends of callers and scrapers that have left are closed in the system's own time.
    before = min(house.held() for _ in range(3))
    yield
    for doorstep in house.doorsteps.values():
        doorstep.story = ()
    house.relay.assert_settled()
    got, record = house.ask("plain", house.script("plain", answer(_OK)))
    assert (got.status, got.body, record["outcome"]) == (200, b"ok", "ok")
    assert eventually(lambda: house.relay.total("connections_open", state="active") == 0)
    assert eventually(lambda: house.held() <= before), (before, house.held())


def _assert_a_502_of_ours(got: Answer, record: Row, upstream: str, reason: str, fault: str) -> None:
    assert got.status == 502
    assert got.header(b"x-sidecar-error") == reason.encode()
    error = json.loads(got.body)["error"]
    assert error["code"] == reason
    assert upstream in error["message"]
    assert (record["outcome"], record["reason"]) == ("connect_failed", reason)
    assert (record["fault"], record["status"], record["upstream_status"]) == (fault, 502, None)
    assert [(a["upstream"], a["reason"]) for a in record["attempts"]] == [(upstream, reason)]


# --- in the handshake ---


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ((read_bytes(5), send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), fin), "tls_failed"),
        # A fatal alert: handshake_failure.
        ((read_bytes(5), send(b"\x15\x03\x03\x00\x02\x02\x28"), fin), "tls_failed"),
        # Whether it was TLS that it did not like, nobody knows.
        ((fin,), "connect_failed"),
        ((rst,), "connect_failed"),
        ((read_bytes(5), fin), "connect_failed"),
        ((read_bytes(5), rst), "connect_failed"),
    ],
    ids=["no TLS", "alert", "fin", "rst", "fin after hello", "rst after hello"],
)
def test_t46_a_handshake_that_breaks_is_told_at_once_and_the_key_stays_home(
    house: House, story: Script, reason: str
) -> None:
    house.doorsteps["mute"].story = story
    began = time.monotonic()
    got, record = house.ask("mute", _CHAT)
    assert time.monotonic() - began < _LIMIT_S / 2
    _assert_a_502_of_ours(got, record, "mute", reason, "network")
    assert house.origins["mute"].all_seen == []
    # As far as it listened, it heard a ClientHello.
    assert b"\x16\x03\x01".startswith(house.doorsteps["mute"].heard[:3])


def test_t38_a_caller_who_leaves_while_we_connect_is_not_connected_for(house: House) -> None:
    request_id = f"gone-test-{next(_numbers)}"
    with Caller(house.relay.data) as caller:
        caller.send(request("/blackhole/v1/x", b"{}", b"X-Request-ID: " + request_id.encode()))
        assert eventually(lambda: house.relay.total("requests_in_flight") == 1)
    left_at = time.monotonic()
    record = house.relay.record(request_id)
    assert time.monotonic() - left_at < 1
    assert (record["outcome"], record["reason"]) == ("client_cancelled", "client_left")
    assert record["status"] is None


# --- once connected, before an answer ---

_AT_ONCE: dict[str, Script] = {
    "fin at once": (fin,),
    # A reset that overtakes our own `connect` would be a failed one.
    "rst at once": (sleep(0.02), rst),
}
_LATER: dict[str, Script] = {
    "fin after the head": at_once(fin),
    "rst after the head": at_once(rst),
    "fin after the request": answer(fin),
    "bare fin after the request": answer(bare_fin),
    "rst after the request": answer(rst),
    "fin in the status line": answer(b"HTTP/1.1 2", fin),
    "fin in the head": answer(b"HTTP/1.1 200 OK\r\nContent-", fin),
    "bare fin in the head": answer(b"HTTP/1.1 200 OK\r\nContent-", bare_fin),
    "rst in the head": answer(b"HTTP/1.1 200 OK\r\nContent-", rst),
    "fin after 100": answer(b"HTTP/1.1 100 Continue\r\n\r\n", fin),
    "fin in 103": answer(_HINT[:-2], fin),
}


@pytest.mark.parametrize("upstream", ["plain", "tls"])
@pytest.mark.parametrize("name", [*_AT_ONCE, *_LATER])
def test_t48_t52_a_fresh_connection_that_ends_unanswered_is_told_and_not_tried_again(
    house: House, name: str, upstream: str
) -> None:
    """It may have had the request, and may bill it."""
    house.doorsteps[upstream].story = _AT_ONCE.get(name, ())
    path = house.script(upstream, _LATER.get(name, answer(_OK)), answer(_OK))
    connections = house.origins[upstream].connections
    got, record = house.ask(upstream, path)
    _assert_a_502_of_ours(got, record, upstream, "upstream_reset", "provider")
    assert record["connection"] == "new"
    assert house.origins[upstream].connections == connections + 1
    assert len(house.origins[upstream].seen(path)) == (name in _LATER)


@pytest.mark.parametrize("upstream", ["plain", "tls"])
@pytest.mark.parametrize("ending", [fin, bare_fin, rst])
def test_t55_a_hint_is_no_answer(house: House, ending: Step, upstream: str) -> None:
    """It is passed on, and after it our own answer still has its place."""
    path = house.script(upstream, answer(_HINT, sleep(0.05), ending), answer(_OK))
    with Caller(house.relay.data) as caller:
        caller.send(request(f"/{upstream}{path}", b"{}"))
        assert caller.read_until(b"\r\n\r\n") == _HINT
        got = caller.answer()
    assert (got.status, got.header(b"x-sidecar-error")) == (502, b"upstream_reset")
    assert len(house.origins[upstream].seen(path)) == 1


def test_t55_a_hint_does_not_wait_for_the_answer(house: House) -> None:
    heard = threading.Event()
    path = house.script("tls", answer(_HINT, wait_for(heard), _OK))
    with Caller(house.relay.data) as caller:
        caller.send(request(f"/tls{path}", b"{}"))
        assert caller.read_until(b"\r\n\r\n") == _HINT
        heard.set()
        got = caller.answer()
    assert (got.status, got.body) == (200, b"ok")


# --- in the pool (test_stale.py: what may be repeated, and what not) ---


def _stale(house: House) -> float:
    return house.relay.total("connections_opened_total", upstream="pooled", reason="stale")


def test_t49_one_that_ends_under_the_request_is_replaced_and_counted(house: House) -> None:
    path = house.script("pooled", answer(_OK), answer(fin), answer(_OK))
    assert house.ask("pooled", path)[0].body == b"ok"
    before = _stale(house)
    got, record = house.ask("pooled", path)
    assert (got.status, got.body) == (200, b"ok")
    assert [a["reason"] for a in record["attempts"]] == ["upstream_reset", None]
    assert (record["outcome"], record["connection"]) == ("ok", "new")
    assert _stale(house) == before + 1


@pytest.mark.parametrize("ending", [fin, bare_fin, rst])
def test_t49_one_that_ended_before_costs_no_attempt(house: House, ending: Step) -> None:
    path = house.script("pooled", answer(_OK, ending), answer(_OK))
    before = _stale(house)
    assert house.ask("pooled", path)[0].body == b"ok"
    assert eventually(lambda: house.relay.total("connections_open", upstream="pooled") == 0)
    got, record = house.ask("pooled", path)
    assert (got.status, got.body) == (200, b"ok")
    assert [a["reason"] for a in record["attempts"]] == [None]
    assert _stale(house) == before
