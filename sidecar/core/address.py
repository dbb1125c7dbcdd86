"""Where we listen: `127.0.0.1:8484`, `[::1]:8484`, `localhost:8484`, `:8484`.

Knows: how a listen address is written and which ones stay on this machine.
Must not know: how to bind one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.errors import SidecarError
from sidecar.core.origin import BadUrlError, is_loopback_host, split_authority


class BadAddressError(SidecarError):
    """The text is not an address to listen on."""


@dataclass(frozen=True, slots=True)
class Address:
    """host and port; port 0 asks the system for a free one. `localhost` means both families."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_loopback_host(self.host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to bind: two for `localhost`."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Raises BadAddressError. The port may be 0; `:8484` means every IPv4 interface."""
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
