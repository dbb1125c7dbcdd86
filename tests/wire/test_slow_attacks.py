"""slowhttptest against the real program: others are served as quickly as without it.

-H sends heads by drops, -B bodies, -X reads answers by drops. How each such caller is given up is
told in test_callers; here only what the rest of the traffic notices: nothing.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator

import pytest

from .caller import Caller, chunk, eventually, request
from .conftest import Side
from .origin import answer, send_until_left
from .relay import LOOPS, Relay

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ATTACKERS = 300
ROUNDS = 3
MEASURED_S = 0.7
BOUND = 1.5


@pytest.fixture(scope="module", params=LOOPS)
def attacked(
    request: pytest.FixtureRequest,
    sides: dict[str, Side],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Relay]:
    relay = Relay(
        tmp_path_factory.mktemp("attacked"),
        f'  plain: {{url: "http://127.0.0.1:{sides["plain"].origin.port}"}}\n',
        request.param,
        listen=", timeouts: {headers: 2s, body: 2s, write: 2s}",
    )
    yield relay
    relay.assert_settled(10)
    assert relay.stop() == 0


def p50_s(relay: Relay, target: str) -> float:
    """Of requests on one connection, one after the other."""
    took: list[float] = []
    end = time.monotonic() + MEASURED_S
    with Caller(relay.data) as caller:
        while (began := time.monotonic()) < end:
            assert caller.ask(request(target, b"{}")).body == b"ok"
            took.append(time.monotonic() - began)
    return statistics.median(took)


def slowhttptest() -> str:
    found = shutil.which("slowhttptest")
    if found is None:
        assert "CI" not in os.environ, "slowhttptest is not installed"
        pytest.skip("slowhttptest is not installed: apt-get install slowhttptest")
    return found


@pytest.mark.parametrize("mode", ["-H", "-B", "-X"])
def test_slow_callers_slow_down_nobody_else(attacked: Relay, plain: Side, mode: str) -> None:
    tool = slowhttptest()
    good, _ = plain.script(answer(OK))
    bad, _ = plain.script(
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"a" * 200_000)
    )
    url = f"http://127.0.0.1:{attacked.data[1]}{bad}"
    ratios: list[float] = []
    for _ in range(ROUNDS):
        before_s = p50_s(attacked, good)
        command = [tool, mode, "-u", url, "-c", str(ATTACKERS), "-r", "1000", "-l", "3", "-i", "1"]
        command += ["-x", "8", "-w", "1", "-y", "8", "-n", "1", "-z", "1", "-p", "3"]
        attack = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            opened = eventually(lambda: attacked.descriptors > ATTACKERS // 2, 5)
            during_s = p50_s(attacked, good)
        finally:
            attack.terminate()
            attack.wait(10)
        assert opened, "the attack did not come about"
        ratios.append(during_s / before_s)
        if ratios[-1] <= BOUND:
            break
        assert eventually(lambda: attacked.descriptors < ATTACKERS // 4, 10)
    assert min(ratios) <= BOUND, ratios


def test_two_hundred_that_vanish_slow_down_nobody_else(attacked: Relay, plain: Side) -> None:
    good, _ = plain.script(answer(OK))
    bad, _ = plain.script(answer(SSE, send_until_left(chunk(b"a"), 0.5)))
    ratios: list[float] = []
    for _ in range(ROUNDS):
        before_s = p50_s(attacked, good)
        callers = [Caller(attacked.data) for _ in range(200)]
        for caller in callers:
            caller.send(request(bad))
        for caller in callers:
            caller.read_until(b"\r\n\r\n")
        for caller in callers:
            caller.reset()
        ratios.append(p50_s(attacked, good) / before_s)
        if ratios[-1] <= BOUND:
            break
    assert min(ratios) <= BOUND, ratios
    assert eventually(lambda: attacked.total("requests_in_flight") == 0)
