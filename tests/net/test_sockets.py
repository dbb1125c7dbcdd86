"""Doors: TCP and unix sockets, with TLS or without."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from sidecar.core.address import Address
from sidecar.core.errors import StartError
from sidecar.net.sockets import open_door

from .test_listener import OK, get, open_house


async def ask_unix(path: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(get("/"))
    answer = await reader.readexactly(len(OK))
    writer.close()
    return answer


async def test_a_unix_socket_is_listened_on_and_taken_away_again(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    async with open_house(where=Address("", 0, path)) as (house, address, _):
        assert str(address) == f"unix:{path}"
        assert await ask_unix(path) == OK
        assert len(house.handled) == 1
    assert not os.path.exists(path)


async def test_one_that_a_dead_process_left_behind_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    async with open_house(where=Address("", 0, path)):
        assert await ask_unix(path) == OK


async def test_one_that_is_alive_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    async with open_house(where=Address("", 0, path)):
        with pytest.raises(StartError, match=r"^listen\.address unix:.*: another process"):
            async with open_house(where=Address("", 0, path)):
                pass
        assert await ask_unix(path) == OK


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "s.sock"
    file.write_text("precious")
    with pytest.raises(StartError, match="or the file is no socket"):
        await open_door(asyncio.Protocol, Address("", 0, str(file)), None, None)
    assert file.read_text() == "precious"


async def test_another_process_socket_file_is_not_taken_away(tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    door = await open_door(asyncio.Protocol, Address("", 0, path), None, None)
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as newer:
        newer.bind(path)
        door.close()
        assert os.path.exists(path)


async def test_tls_is_spoken_where_it_is_asked_for() -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    async with open_house(tls=context) as (house, address, _):
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=trusting, server_hostname="localhost"
        )
        writer.write(get("/"))
        assert await reader.readexactly(len(OK)) == OK
        writer.close()
        plain, out = await asyncio.open_connection(address.host, address.port)
        out.write(get("/"))
        assert b"HTTP/1.1 200" not in await asyncio.wait_for(plain.read(), 5)
        out.close()
        assert len(house.handled) == 1
