"""Listening: TCP, both families of `localhost`, unix sockets; with TLS or without.

Knows: how an address is bound, and what can go wrong when somebody else has it.
Must not know: what is served.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidecar.core.address import Address
from sidecar.core.errors import StartError

_BACKLOG: Final = 4096
_NO_SUCH_FAMILY: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_HANDSHAKE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where we listen; `address` names the port that was really bound."""

    address: Address
    _servers: tuple[asyncio.Server, ...]
    _inode: int | None
    """The socket file that we made."""

    def close(self) -> None:
        """Let nobody in any more. The socket file goes, too, unless it is another's by now."""
        for server in self._servers:
            server.close()
        path = self.address.path
        if path is not None and self._inode is not None and _inode(path) == self._inode:
            os.unlink(path)


async def open_door(
    protocols: Callable[[], asyncio.BaseProtocol],
    address: Address,
    context: ssl.SSLContext | None,
    handshake_s: float | None,
) -> Door:
    """Listen, and make a protocol for each connection. Raises StartError."""
    timeout_s = None if context is None else handshake_s or _HANDSHAKE_S
    loop = asyncio.get_running_loop()
    if address.path is not None:
        try:
            listening = _bind_unix(address.path)
            server = await loop.create_unix_server(
                protocols,
                sock=listening,
                backlog=_BACKLOG,
                ssl=context,
                ssl_handshake_timeout=timeout_s,
            )
        except OSError as error:
            raise StartError(_sentence(address, error)) from None
        return Door(address, (server,), _inode(address.path))
    servers: list[asyncio.Server] = []
    port = address.port
    for host in address.hosts:
        try:
            server = await loop.create_server(
                protocols,
                host,
                port,
                backlog=_BACKLOG,
                ssl=context,
                ssl_handshake_timeout=timeout_s,
            )
        except OSError as error:
            if servers and error.errno in _NO_SUCH_FAMILY:
                continue  # `localhost` on a machine with one family only
            for opened in servers:
                opened.close()
            raise StartError(_sentence(address, error)) from None
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
    return Door(Address(address.host, port), tuple(servers), None)


def _bind_unix(path: str) -> socket.socket:
    """A socket file of ours. One that nobody listens on any more is replaced; the event loops
    would replace any, and so take the callers of a process that still runs."""
    if _is_socket(path):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(path)
            except (ConnectionRefusedError, FileNotFoundError):
                os.unlink(path)
            else:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(path)
    except BaseException:
        listening.close()
        raise
    return listening


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _sentence(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE and address.is_unix:
        return (
            f"listen.address {address}: another process listens there, or the file is no socket;"
            " stop that one, or set listen.address (or SIDECAR_LISTEN) to another path"
        )
    if error.errno == errno.EADDRINUSE:
        return (
            f"listen.address {address}: the port is in use by another process; stop that one,"
            " or set listen.address (or SIDECAR_LISTEN) to another port"
        )
    # The numbers of a failed look-up are not the system's.
    is_lookup = error.errno is None or isinstance(error, socket.gaierror)
    why = "no such host" if is_lookup else os.strerror(error.errno or 0).lower()
    return f"listen.address {address}: cannot listen there ({why}); set it to another address"
