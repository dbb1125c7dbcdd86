"""One configured upstream: its pool, its head, its counts.

Knows: how a connection to it is made or reused, and what its requests must carry.
Must not know: requests, bodies, policies.
Why one connector per upstream: its limits are the upstream's own, and one that is removed takes its
connections with it.
Why getaddrinfo (aiohttp's ThreadedResolver) although c-ares is quicker: the application itself
resolves names that way, and hosts files, split DNS and VPNs then give the sidecar the same answer.
Look-ups are cached and at most one per name is on its way, so a hanging one holds one thread.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from typing import Final, Protocol

import aiohttp

from sidecar.core.heads import RequestHead
from sidecar.core.outcome import Reason
from sidecar.core.secret import Secret
from sidecar.core.trace import OwnTrace
from sidecar.net.connector import Connector, request_template
from sidecar.net.faults import CONNECT_ERRORS, reason_of_connect
from sidecar.net.wire import PooledWire
from sidecar.policies.keys import drop_query_key
from sidecar.settings.schema import Upstream as Configured

_HEADER_BY_DIALECT: Final = {
    "anthropic": ("x-api-key", ""),
    "gemini": ("x-goog-api-key", ""),
}


class Opened(Protocol):
    """Where new connections are counted, with the reason why one was needed."""

    def connection_opened(self, upstream: str, reason: str) -> None: ...


class HttpUpstream:
    """The Upstream port. Build it on the running loop; `close` it at the end."""

    def __init__(
        self, configured: Configured, context: ssl.SSLContext | None, opened: Opened
    ) -> None:
        self.name = configured.name
        self._url = configured.url
        self._authority = configured.url.authority.encode()
        self._key_header = _key_header(configured)
        self._pool = configured.pool
        self._opened = opened
        self._last_end: str = "cold"
        self.connect_timeout_s = configured.timeouts.connect_s
        self.max_idle = configured.pool.max_idle
        loop = asyncio.get_running_loop()
        proxy = configured.proxy
        authorization = f"Basic {_base64(proxy.credentials)}" if proxy.credentials else None
        template = request_template(
            str(configured.url),
            loop,
            tls=context if context is not None else True,
            proxy=proxy.url,
            proxy_headers={"Proxy-Authorization": authorization} if authorization else None,
        )
        # Through a plain proxy the request line names the whole URL, and the proxy wants its
        # credential with every request; a tunnel does both once, at its start.
        self._target_prefix = configured.url.base_path
        self._proxy_line = b""
        if proxy.url is not None and not configured.url.is_tls:
            self._target_prefix = str(configured.url)
            if authorization:
                self._proxy_line = f"Proxy-Authorization: {authorization}\r\n".encode()
        self._connector = Connector(
            self,
            template,
            resolver=aiohttp.ThreadedResolver(loop=loop),
            use_dns_cache=configured.pool.dns_ttl_s is not None,
            ttl_dns_cache=int(configured.pool.dns_ttl_s or 0),
            keepalive_timeout=configured.pool.keepalive_s,
            loop=loop,
        )

    def is_too_old(self, opened_at: float, now: float) -> bool:
        """For the connector: must this connection not be used again?"""
        too_old = self._pool.is_too_old(opened_at, now)
        if too_old:
            self._last_end = "aged"
        return too_old

    async def connect(
        self, must_be_new: bool, within_s: float | None = None
    ) -> PooledWire | Reason:
        """A connection, from the pool if it may be; a Reason if none can be had (in time)."""
        connector = self._connector
        if not must_be_new and (idle := connector.take_idle()) is not None:
            return PooledWire(connector, idle, is_reused=True)
        why = "stale" if must_be_new else self._why_new()
        try:
            protocol = await connector.open_new(within_s)
        except CONNECT_ERRORS as error:
            return reason_of_connect(error)
        self._opened.connection_opened(self.name, why)
        self._last_end = "cold"
        return PooledWire(connector, protocol, is_reused=False)

    def _why_new(self) -> str:
        if self._connector.active:
            return "busy"
        return self._last_end

    def head(self, head: RequestHead, target: str, trace: OwnTrace | None = None) -> bytes:
        """The request head to send: the caller's, addressed to this upstream."""
        if self._key_header is not None:
            target = drop_query_key(target)
        message = head.for_upstream(
            self._target_prefix + target, self._authority, self._key_header, trace
        )
        if self._proxy_line:
            message = message[:-2] + self._proxy_line + b"\r\n"
        return message

    @property
    def keys(self) -> tuple[str, ...]:
        """Of our own: to be kept out of everything that is told."""
        return () if self._key_header is None else (self._key_header[1].decode("latin-1"),)

    @property
    def idle(self) -> int:
        """Connections that wait."""
        return self._connector.idle

    @property
    def active(self) -> int:
        """Connections that serve an attempt."""
        return self._connector.active

    async def close(self) -> None:
        """Close all connections, at once."""
        await self._connector.close()


def _key_header(configured: Configured) -> tuple[bytes, bytes] | None:
    if configured.api_key is None:
        return None
    key = configured.api_key.reveal()
    if (configured.provider or "").startswith("azure."):
        return b"api-key", key.encode("latin-1")
    if configured.dialect in _HEADER_BY_DIALECT:
        name, prefix = _HEADER_BY_DIALECT[configured.dialect]
        return name.encode(), (prefix + key).encode("latin-1")
    return b"authorization", f"Bearer {key}".encode("latin-1")


def _base64(credentials: Secret) -> str:
    return b64encode(credentials.reveal().encode()).decode()
