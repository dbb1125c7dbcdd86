"""Where an upstream lives: scheme, host, port and an optional base path.

Knows: how a configured URL is cut up, and how a caller's raw path is joined to it.
Must not know: DNS, sockets, TLS. No percent-decoding happens here: the caller's path is bytes that
belong to the caller, and string concatenation onto a fixed origin is what keeps a path such as
`//evil` from ever choosing the authority.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.errors import SidecarError

_DEFAULT_PORT = {"http": 80, "https": 443}
# A caller sends the path that it would send direct, `/v1/...` included, so a version at the end of
# a configured URL would come twice.
_VERSION_TAILS = ("/v1", "/v1beta")


class BadUrlError(SidecarError):
    """The text is not a URL of an upstream; the message says why, without the text."""


@dataclass(frozen=True, slots=True)
class Origin:
    """scheme://host:port plus base path. `host` is without brackets, in lower case."""

    scheme: str
    host: str
    port: int
    base_path: str = ""

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """True for addresses that never leave the machine: such upstreams never use a proxy."""
        return is_loopback_host(self.host)

    @property
    def authority(self) -> str:
        """The value of the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.base_path}"


def is_loopback_host(host: str) -> bool:
    """True for `localhost`, `::1` and 127.0.0.0/8; a name that only begins with 127. is a name."""
    if host in ("localhost", "::1"):
        return True
    octets = host.split(".")
    return len(octets) == 4 and octets[0] == "127" and all(o.isdigit() for o in octets)


def parse_origin(text: str) -> Origin:
    """`https://acme.example/openai/v1` -> Origin(…, base_path="/openai"). Raises BadUrlError.

    User names, queries and fragments are refused: a credential in a URL would show in the
    effective configuration, and the other two have no meaning for an origin.
    """
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORT:
        raise BadUrlError("a URL begins with http:// or https://")
    authority, slash, path = rest.partition("/")
    if any(c in rest for c in "?#\\ \t\r\n") or any(ord(c) < 33 or ord(c) > 126 for c in rest):
        raise BadUrlError("a URL has no query, fragment, space or control character here")
    if "@" in authority:
        raise BadUrlError("put the credential in api_key, not into the URL")
    host, port = split_authority(authority)
    if not host:
        raise BadUrlError("the URL names no host")
    # (":" stands in IPv6 addresses only.) What no resolver would look up would fail each request.
    labels = () if ":" in host else host.removesuffix(".").split(".")
    if not all(0 < len(label) < 64 for label in labels):
        raise BadUrlError("between two dots of a host stand 1 to 63 characters")
    base = (slash + path).rstrip("/")
    for tail in _VERSION_TAILS:
        if base.endswith(tail):
            base = base[: -len(tail)]
            break
    return Origin(scheme, host.lower(), port or _DEFAULT_PORT[scheme], base)


def split_authority(text: str) -> tuple[str, int | None]:
    """`[::1]:8080` -> ("::1", 8080); `host` -> ("host", None). Raises BadUrlError."""
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise BadUrlError("an IPv6 address is written [::1] or [::1]:8080")
        port_text = tail[1:]
        has_port = bool(tail)
    else:
        host, colon, port_text = text.partition(":")
        has_port = bool(colon)
    if not has_port:
        return host, None
    if not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        raise BadUrlError("a port is a number from 1 to 65535")
    return host, int(port_text)
