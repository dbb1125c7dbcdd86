"""A secret is never seen by accident."""

from __future__ import annotations

import dataclasses
import logging
import traceback

from sidecar.core.secret import REDACTED, Secret

CANARY = "sk-canary-7d1f"


def test_no_way_of_printing_shows_it():
    secret = Secret(CANARY)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", repr([secret])]
    assert not any(CANARY in text for text in shown)
    assert str(secret) == REDACTED


def test_a_dataclass_around_it_does_not_show_it_either():
    @dataclasses.dataclass
    class Holder:
        key: Secret

    holder = Holder(Secret(CANARY))
    assert CANARY not in repr(holder)
    assert CANARY not in str(dataclasses.asdict(holder))


def test_a_log_line_and_a_traceback_do_not_show_it():
    record = logging.LogRecord("n", logging.INFO, "p", 1, "key %s", (Secret(CANARY),), None)
    assert CANARY not in record.getMessage()
    error = ValueError(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(error))


def test_reveal_gives_it_for_the_bytes_that_go_home():
    assert Secret(CANARY).reveal() == CANARY


def test_equal_secrets_are_equal_so_that_a_reload_sees_a_change():
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
