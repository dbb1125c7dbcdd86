"""Addresses to listen on."""

from __future__ import annotations

import pytest

from sidecar.core.address import Address, BadAddressError, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8484", Address("127.0.0.1", 8484)),
        ("[::1]:8484", Address("::1", 8484)),
        ("localhost:1", Address("localhost", 1)),
        (":8484", Address("0.0.0.0", 8484)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:0", Address("::1", 0)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: Address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8484", "127.0.0.1", "h:99999", "h:x", "h:-1", "http://h:1", "a@h:1", "[::1:1"]
)
def test_anything_else_is_refused(text: str):
    with pytest.raises(BadAddressError):
        parse_address(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8484", "[::1]:8484", "localhost:0"])
def test_an_address_reads_as_it_was_written(text: str):
    assert str(parse_address(text)) == text


def test_localhost_is_both_families():
    assert Address("localhost", 1).hosts == ("127.0.0.1", "::1")
    assert Address("10.0.0.1", 1).hosts == ("10.0.0.1",)


def test_loopback_stays_on_this_machine():
    assert all(Address(h, 1).is_loopback for h in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(Address(h, 1).is_loopback for h in ("0.0.0.0", "::", "10.0.0.1", "h.example"))


def test_a_unix_socket_is_named_by_its_path_and_never_leaves_the_machine() -> None:
    address = parse_address("unix:/run/sidecar.sock")
    assert (address.path, address.is_unix, address.is_loopback) == ("/run/sidecar.sock", True, True)
    assert str(address) == "unix:/run/sidecar.sock"
    assert not parse_address("127.0.0.1:1").is_unix


@pytest.mark.parametrize("text", ["unix:", "unix:run/s", "unix:/a\nb", "unix:/" + "a" * 103])
def test_a_unix_socket_needs_an_absolute_path_that_the_kernel_takes(text: str) -> None:
    with pytest.raises(BadAddressError):
        parse_address(text)
