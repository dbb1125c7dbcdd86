"""No response is read in two ways, and none reaches into the next exchange.

What the relay writes is read with h11, another parser than its own. After each odd response the
provider's connection holds a poisoned one: whoever asks next must not get it.
"""

from __future__ import annotations

import time

import pytest

from .caller import Caller, request
from .conftest import Side
from .judge import Heard, hear
from .origin import answer, at_once, fin, read_body, send, sleep
from .relay import Relay
from .response_mutations import Vector, vectors

VECTORS = list(vectors())
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


def test_the_grid_is_as_large_as_it_should_be() -> None:
    assert len(VECTORS) >= 60
    assert len({(vector.data, vector.method) for vector in VECTORS}) == len(VECTORS)


def ask(relay: Relay, target: str, method: bytes) -> Heard:
    """One exchange on a connection of its own, read to its end by h11."""
    with Caller(relay.data) as caller:
        line = request(target, None, b"Connection: close", method=method.decode())
        caller.send(line)
        data, _ = caller.read_to_end()
    return hear(data, has_ended=True, method=method, count=1)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_it_is_refused_or_read_in_one_way(relay: Relay, plain: Side, vector: Vector) -> None:
    # All other connections are busy elsewhere or closed: the next exchange would get this one.
    target, _ = plain.script((read_body, send(vector.data), sleep(0.05), fin))
    heard = ask(relay, target, vector.method)
    assert heard.error is None
    if heard.is_cut:
        assert not vector.must_pass, heard
    else:
        [(status, body, code)] = heard.answers
        if code is not None:
            assert status == 502
            assert not vector.must_pass, heard
        else:
            assert body == vector.body, heard
            # Until the provider's FIN has come: the next request would race it.
            time.sleep(0.08)
    good, _ = plain.script(answer(GOOD))
    assert ask(relay, good, b"GET").answers == ((200, b"good", None),)


def test_a_poisoned_connection_is_not_used_again(relay: Relay, plain: Side) -> None:
    """The poison comes later than the response that it follows: the connection idles by then."""
    late, _ = plain.script(answer(GOOD, sleep(0.05), GOOD.replace(b"good", b"evil"), sleep(0.2)))
    good, path = plain.script(answer(GOOD))
    assert ask(relay, late, b"GET").answers == ((200, b"good", None),)
    time.sleep(0.1)
    assert ask(relay, good, b"GET").answers == ((200, b"good", None),)
    assert len(plain.origin.seen(path)) == 1


def test_t55_hints_arrive_in_order_and_floods_do_not(relay: Relay, plain: Side) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    odd = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    target, _ = plain.script(at_once(hints, odd, hints, GOOD))
    with Caller(relay.data) as caller:
        caller.send(request(target))
        got = caller.read_until(b"good")
    assert got == hints + b"HTTP/1.1 102 Processing\r\n\r\n" + hints + GOOD
    with Caller(relay.data) as caller:
        caller.send(request(target).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert caller.read_to_end()[0].startswith(b"HTTP/1.1 200 OK\r\n")
