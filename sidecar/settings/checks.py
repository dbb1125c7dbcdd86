"""What only the whole configuration can tell: ports that meet, keys that would be open to all.

Knows: the rules between blocks.
Must not know: how blocks are read.
Why refusals and not warnings: each of these is a proxy that answers strangers with somebody's key,
or that calls itself until the descriptors run out; a line in a log would come too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

from sidecar.core.address import Address
from sidecar.core.origin import Origin
from sidecar.settings.blocks import place_of
from sidecar.settings.observing import origin_of
from sidecar.settings.problems import Place, Problems, join
from sidecar.settings.schema import Admin, Listen, Scrape, Upstream
from sidecar.settings.telemetry import SIGNALS, Telemetry
from sidecar.settings.tree import Mapping, Node

_ANY: Final = frozenset({"0.0.0.0", "::"})
_DEFAULT: Final = Place("built-in")


@dataclass(frozen=True, slots=True)
class Ports:
    """The blocks of what we listen on."""

    listen: Listen
    admin: Admin
    scrape: Scrape

    def addresses(self) -> list[tuple[str, Address]]:
        """(block, address), the most wanted first."""
        taken = [("listen", self.listen.address), ("admin", self.admin.address)]
        if self.scrape.address is not None:
            taken.append(("scrape", self.scrape.address))
        return taken


def check(
    root: Mapping,
    ports: Ports,
    upstreams: tuple[Upstream, ...],
    telemetry: Telemetry,
    problems: Problems,
) -> None:
    """Adds what is wrong between the blocks of `root`, whose values are the other arguments."""
    _check_ports(root, ports, problems)
    _check_wallet(root, ports.listen, upstreams, problems)
    _check_loops(root, ports, upstreams, problems)
    _check_collector(root, ports, telemetry, problems)
    _check_shared_key(root, upstreams, problems)


def _child(node: Node | None, key: str) -> Node | None:
    return node.entries.get(key) if isinstance(node, Mapping) else None


def _place(root: Mapping, block: str, key: str) -> Place | None:
    return place_of(key, _child(root, block))


def _check_ports(root: Mapping, ports: Ports, problems: Problems) -> None:
    admin = ports.admin
    if not admin.address.is_loopback and admin.token is None:
        message = (
            "beyond loopback, everybody who reaches it would read what passes here;"
            " set admin.token, or keep it on 127.0.0.1"
        )
        problems.add(_place(root, "admin", "address") or _DEFAULT, "admin.address", message)
    for (block, address), (other, second) in combinations(ports.addresses(), 2):
        if not _meets(address, second):
            continue
        # Told where it was written; a default is not to blame.
        place = _place(root, block, "address")
        if place is None:
            block, other = other, block
        message = f"is the same as {other}.address; the two need a port each"
        place = place or _place(root, block, "address") or _DEFAULT
        problems.add(place, f"{block}.address", message)


def _check_wallet(
    root: Mapping, listen: Listen, upstreams: tuple[Upstream, ...], problems: Problems
) -> None:
    holders = [upstream.name for upstream in upstreams if upstream.api_key is not None]
    if listen.address.is_loopback or listen.auth is not None or not holders:
        return
    message = (
        f"beyond loopback, everybody who reaches it would spend the api_key of {holders[0]};"
        " set listen.auth, listen on 127.0.0.1, or let the callers bring their own keys"
    )
    problems.add(_place(root, "listen", "address") or _DEFAULT, "listen.address", message)


def _check_loops(
    root: Mapping, ports: Ports, upstreams: tuple[Upstream, ...], problems: Problems
) -> None:
    for upstream in upstreams:
        for key, address in ports.addresses():
            if not _meets(address, Address(upstream.url.host, upstream.url.port)):
                continue
            node = _child(_child(root, "upstreams"), upstream.name)
            place = place_of("url", node) or _place(root, key, "address") or _DEFAULT
            path = join(join("upstreams", upstream.name), "url")
            problems.add(place, path, f"is our own {key}.address: requests would go in circles")


def _check_collector(root: Mapping, ports: Ports, telemetry: Telemetry, problems: Problems) -> None:
    """What is sent about a request must not come in as one."""
    for signal in SIGNALS:
        channel = telemetry.channel(signal)
        if channel is None:
            continue
        url = origin_of(channel.url)
        for key, address in ports.addresses():
            if _meets(address, Address(url.host, url.port)):
                otlp = _child(_child(root, "telemetry"), "otlp")
                place = place_of("endpoint", _child(otlp, signal), otlp) or _DEFAULT
                message = f"is our own {key}.address: it must be a collector's"
                problems.add(place, "telemetry.otlp.endpoint", message)


def _check_shared_key(root: Mapping, upstreams: tuple[Upstream, ...], problems: Problems) -> None:
    """One key for several origins is somebody's key at a stranger's door."""
    place = _place(root, "defaults", "api_key")
    if place is None:
        return
    block = _child(root, "upstreams")
    inheriting = [u for u in upstreams if place_of("api_key", _child(block, u.name)) is None]
    origins = {_site(u.url) for u in inheriting if u.api_key is not None}
    if len(origins) > 1:
        message = (
            f"this key would go to {len(origins)} different origins;"
            " give each upstream its own api_key"
        )
        problems.add(place, "defaults.api_key", message)


def _site(url: Origin) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port


def _meets(address: Address, other: Address) -> bool:
    """True where connecting to (or binding) `other` would reach `address`."""
    if address.is_unix or other.is_unix:
        return address == other
    if address.port != other.port or other.port == 0:
        return False
    ours, theirs = set(address.hosts), set(other.hosts)
    if ours & theirs or theirs & _ANY:
        return True
    return bool(ours & _ANY) and other.is_loopback
