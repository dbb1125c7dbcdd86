"""Where we listen: `127.0.0.1:8484`, `[::1]:8484`, `localhost:8484`, `:8484`, `unix:/run/s.sock`.

Knows: how a listen address is written and which ones stay on this machine.
Must not know: how to bind one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sidecar.core.errors import SidecarError
from sidecar.core.origin import BadUrlError, is_loopback_host, split_authority

_UNIX: Final = "unix:"
# What the kernel has room for (Linux; 104 on macOS), less the zero at its end.
_MAX_PATH_BYTES: Final = 103


class BadAddressError(SidecarError):
    """The text is not an address to listen on."""


@dataclass(frozen=True, slots=True)
class Address:
    """host and port; port 0 asks the system for a free one. `localhost` means both families.
    With `path`, a unix socket: host and port then mean nothing."""

    host: str
    port: int
    path: str | None = None

    @property
    def is_unix(self) -> bool:
        return self.path is not None

    @property
    def is_loopback(self) -> bool:
        """It cannot be reached from another machine."""
        return self.is_unix or is_loopback_host(self.host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to bind: two for `localhost`."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)

    def __str__(self) -> str:
        if self.path is not None:
            return _UNIX + self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Raises BadAddressError. The port may be 0; `:8484` means every IPv4 interface."""
    if text.startswith(_UNIX):
        return _unix(text.removeprefix(_UNIX))
    try:
        if text.endswith(":0"):
            host, port = split_authority(text[:-2] + ":1")
            port = 0
        else:
            host, port = split_authority(text)
    except BadUrlError as error:
        raise BadAddressError(str(error)) from None
    if port is None:
        raise BadAddressError("an address is host:port, for example 127.0.0.1:8484")
    if any(c in host for c in "/ @\t\r\n"):
        raise BadAddressError("an address is host:port, for example 127.0.0.1:8484")
    return Address(host or "0.0.0.0", port)


def _unix(path: str) -> Address:
    if not path.startswith("/") or not path.isprintable():
        raise BadAddressError("a unix address is unix:/absolute/path.sock")
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise BadAddressError(f"the path of a unix socket has at most {_MAX_PATH_BYTES} bytes")
    return Address("", 0, path)
