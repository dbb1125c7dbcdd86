"""The whole YAML as frozen dataclasses.

Knows: every key, its default and its unit. The rules of the policies stand beside their machines
and are composed here.
Must not know: files, environment or text; `parse` turns nodes into these values and `load` finds
the nodes.
Why dataclasses: they are the effective configuration as the rest of the code sees it (resolved,
checked, frozen), so there is no second "runtime config" that could drift from the first.
A field's metadata: `yaml` is its key where the name of the field carries a unit; `choices` are the
words that it may have; `is_file` says that it names a file which must be readable; `is_apart` that
it is no plain value, and is read by code of its own (a block, a secret).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sidecar.core.address import Address
from sidecar.core.origin import Origin
from sidecar.core.secret import Secret
from sidecar.metering.prices import PriceTable
from sidecar.policies import patience, pool, routing, sampling, timeouts
from sidecar.settings.problems import Problem
from sidecar.settings.telemetry import Telemetry

_DATA_ADDRESS: Final = Address("127.0.0.1", 8484)
_ADMIN_ADDRESS: Final = Address("127.0.0.1", 8486)
_APART: Final = {"is_apart": True}
REVEALS: Final = ("request_id", "server_timing")


@dataclass(frozen=True, slots=True)
class ServerTls:
    """`listen.tls:` both are PEM files."""

    cert: str = field(default="", metadata={"is_file": True})
    """The certificate, with what leads to an authority that the callers trust."""
    key: str = field(default="", metadata={"is_file": True})


@dataclass(frozen=True, slots=True)
class Auth:
    """`listen.auth:` whoever calls must bring one of these."""

    tokens: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Listen:
    """`listen:` the data port. Every path on it belongs to the providers."""

    address: Address = _DATA_ADDRESS
    max_connections: int = 4096
    """Callers' connections at once; the longest idle gives way, then 503."""
    max_request_body_bytes: int | None = field(default=None, metadata={"yaml": "max_request_body"})
    allowed_hosts: tuple[str, ...] | None = ("localhost", "127.0.0.1", "::1")
    """Names that a Host header may carry (port ignored), on data and admin; None = any."""
    tls: ServerTls | None = field(default=None, metadata=_APART)
    auth: Auth | None = field(default=None, metadata=_APART)
    timeouts: patience.Rule = field(default_factory=patience.Rule, metadata=_APART)
    reveal: tuple[str, ...] = field(default=(), metadata={"words": REVEALS})
    """Headers that every answer bears, beside its own: x-sidecar-request-id, server-timing."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """`scrape:` a read-only port for scrapers and probes: /metrics /livez /readyz."""

    address: Address | None = None
    """No token is asked for, and no Host: nothing else is to be had there."""


@dataclass(frozen=True, slots=True)
class Admin:
    """`admin:` the operator's port."""

    address: Address = _ADMIN_ADDRESS
    token: Secret | None = field(default=None, metadata=_APART)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """`shutdown:` what SIGTERM, or POST /-/drain, begins."""

    drain_s: float = field(default=25.0, metadata={"yaml": "drain"})
    """How long what runs may take to end by itself; then it is cut."""


@dataclass(frozen=True, slots=True)
class Tls:
    """`tls:` of an upstream."""

    ca_file: str | None = field(default=None, metadata={"is_file": True})
    """PEM of the authorities to trust instead of the system's."""
    client_cert: str | None = field(default=None, metadata={"is_file": True})
    client_key: str | None = field(default=None, metadata={"is_file": True})
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Proxy:
    """`proxy:` of an upstream, resolved at load. `url` None: connect directly."""

    url: str | None
    """scheme://host:port without credentials."""
    credentials: Secret | None = None
    """`user:password`, for Proxy-Authorization."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One entry of `upstreams:`, with `defaults:` merged in and known names filled in."""

    name: str
    url: Origin
    dialect: str
    """auto | openai | anthropic | gemini | bedrock | cohere | ollama | generic"""
    provider: str | None
    """gen_ai.provider.name; None = unknown (for key safety, too)."""
    api_key: Secret | None
    tls: Tls
    proxy: Proxy
    pool: pool.Rule
    timeouts: timeouts.Rule
    usage: str = "as_sent"
    """`ask`: have streams report their usage, and keep the extra event from the caller."""
    propagate: str = sampling.FORWARD
    """What goes up of the caller's trace: forward | participate | none"""


@dataclass(frozen=True, slots=True)
class Prices:
    """`prices:` what answers cost. `table` None: nobody asks."""

    where: str | None
    """`builtin`, or the name of a file; None where it is off."""
    table: PriceTable | None


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective configuration."""

    listen: Listen
    admin: Admin
    upstreams: tuple[Upstream, ...]
    routes: tuple[routing.Rule, ...]
    scrape: Scrape
    telemetry: Telemetry
    prices: Prices
    shutdown: Shutdown
    source: str
    """Where it came from: a file's path, `built-in`, or `--to`."""
    warnings: tuple[Problem, ...]
    """What is allowed, and perhaps not meant."""
    hash: str
    """First 12 hex digits of SHA-256 over the redacted effective configuration."""
