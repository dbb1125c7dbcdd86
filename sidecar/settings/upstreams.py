"""The blocks `defaults:` and `upstreams:`.

Knows: how an upstream comes together: known names bring their URL, `defaults:` its limits, and its
own keys stand above both, key by key.
Must not know: where the nodes came from; sockets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sidecar.core.origin import Origin
from sidecar.core.providers import KNOWN, identify
from sidecar.core.secret import Secret
from sidecar.policies import pool, sampling, timeouts
from sidecar.settings.blocks import open_block, place_of, read_block, read_value
from sidecar.settings.kinds import Choice, OrOff, Text, is_null
from sidecar.settings.problems import Place, Problems, did_you_mean, join
from sidecar.settings.proxies import DIRECT, Environment
from sidecar.settings.references import ApiKey, EgressProxy, Url
from sidecar.settings.schema import Proxy, Tls, Upstream
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node

DEFAULTS_KEYS: Final = ("pool", "timeouts", "usage", "tls", "proxy", "api_key")
UPSTREAM_KEYS: Final = ("url", "dialect", "provider", "propagate", *DEFAULTS_KEYS)
AUTO: Final = "auto"
DIALECTS: Final = Choice(
    (AUTO, "openai", "anthropic", "gemini", "bedrock", "cohere", "ollama", "generic")
)
AS_SENT: Final = "as_sent"
ASK: Final = "ask"
USAGE: Final = Choice((AS_SENT, ASK))
PROPAGATES: Final = Choice(sampling.PROPAGATE)
PROVIDER: Final = OrOff(Text("the name of a provider", r"[A-Za-z0-9._-]{1,64}"))
NAME_PATTERN: Final = r"[a-z0-9_-]{1,64}"
# First segments of the providers' own paths, which `/NAME/…` would swallow, and the metrics' word
# for requests that reached no upstream.
_RESERVED: Final = frozenset({"v1", "v1beta", "v2", "api", "model", "none"})
_NOWHERE: Final = Origin("http", "url-missing.invalid", 80)


@dataclass(frozen=True, slots=True)
class Defaults:
    """`defaults:`, merged into every upstream."""

    pool: pool.Rule = field(default_factory=pool.Rule)
    timeouts: timeouts.Rule = field(default_factory=timeouts.Rule)
    tls: Tls = field(default_factory=Tls)
    proxy: Proxy | None = None
    """None: what the environment says."""
    api_key: Secret | None = None
    usage: str = AS_SENT


class Reader:
    """Reads the two blocks of one configuration."""

    def __init__(
        self, env: Mapping[str, str], problems: Problems, propagate: str = sampling.FORWARD
    ) -> None:
        """`propagate`: of an upstream that does not say it itself."""
        self._problems = problems
        self._propagate = propagate
        self._url = Url(env)
        self._proxy = EgressProxy(env)
        self._api_key = ApiKey(env)
        self._environment = Environment(env, problems)
        self._default_nodes: Mapping[str, Node] = {}

    def defaults(self, node: Node | None) -> Defaults:
        self._default_nodes = open_block(node, "defaults", DEFAULTS_KEYS, self._problems)
        return self._shared(Defaults(), self._default_nodes, "defaults")

    def upstreams(self, node: Node | None, defaults: Defaults) -> tuple[Upstream, ...]:
        """Without the block, all that have a name of their own; with it, only those named."""
        if node is None:
            return tuple(self._upstream(name, {}, None, defaults) for name in KNOWN)
        if isinstance(node, MappingNode) and node.entries:
            return tuple(
                self._named(name, value, node.keys[name], defaults)
                for name, value in node.entries.items()
            )
        if isinstance(node, MappingNode) or is_null(node):
            self._problems.add(node.place, "upstreams", "names no upstream; left out, all exist")
        else:
            open_block(node, "upstreams", (), self._problems)
        return ()

    def _named(self, name: str, node: Node, place: Place, defaults: Defaults) -> Upstream:
        path = join("upstreams", name)
        if not re.fullmatch(NAME_PATTERN, name, re.ASCII):
            message = "an upstream's name is lower-case letters, digits, - and _, at most 64"
            self._problems.add(place, path, message)
        elif name in _RESERVED:
            self._problems.add(place, path, "this name is reserved; choose another")
        entries = open_block(node, path, UPSTREAM_KEYS, self._problems)
        if "url" not in entries and name not in KNOWN:
            hint = did_you_mean(name, KNOWN)
            message = f"an upstream that is no known provider needs a url{hint}"
            self._problems.add(place, path, message)
        return self._upstream(name, entries, place, defaults)

    def _upstream(
        self, name: str, entries: Mapping[str, Node], place: Place | None, defaults: Defaults
    ) -> Upstream:
        path = join("upstreams", name)
        url = KNOWN[name].url if name in KNOWN else _NOWHERE
        if "url" in entries:
            url = read_value(self._url, entries["url"], join(path, "url"), self._problems, url)
        provider, dialect = identify(name, url.host)
        if "provider" in entries:
            provider = read_value(
                PROVIDER, entries["provider"], join(path, "provider"), self._problems, provider
            )
        if "dialect" in entries:
            asked = read_value(
                DIALECTS, entries["dialect"], join(path, "dialect"), self._problems, AUTO
            )
            dialect = dialect if asked == AUTO else asked
        propagate = self._propagate
        if (node := entries.get("propagate")) is not None:
            where = join(path, "propagate")
            propagate = read_value(PROPAGATES, node, where, self._problems, propagate)
        own = self._shared(defaults, entries, path)
        self._check_tls(own.tls, entries.get("tls"), path)
        if url.is_loopback:
            proxy = DIRECT
        else:
            proxy = own.proxy if own.proxy is not None else self._environment.proxy_for(url)
        return Upstream(
            name,
            url,
            dialect,
            provider,
            own.api_key,
            own.tls,
            proxy,
            own.pool,
            own.timeouts,
            own.usage,
            propagate,
        )

    def _shared(self, base: Defaults, entries: Mapping[str, Node], path: str) -> Defaults:
        """The keys that `defaults:` and an upstream have in common, laid over `base`."""
        if not entries:
            return base
        problems = self._problems
        proxy, api_key, usage = base.proxy, base.api_key, base.usage
        if (node := entries.get("proxy")) is not None:
            proxy = read_value(self._proxy, node, join(path, "proxy"), problems, proxy)
        if (node := entries.get("api_key")) is not None:
            api_key = read_value(self._api_key, node, join(path, "api_key"), problems, api_key)
        if (node := entries.get("usage")) is not None:
            usage = read_value(USAGE, node, join(path, "usage"), problems, usage)
        return Defaults(
            read_block(base.pool, entries.get("pool"), join(path, "pool"), problems),
            read_block(base.timeouts, entries.get("timeouts"), join(path, "timeouts"), problems),
            read_block(base.tls, entries.get("tls"), join(path, "tls"), problems),
            proxy,
            api_key,
            usage,
        )

    def _check_tls(self, tls: Tls, own: Node | None, path: str) -> None:
        if (tls.client_cert is None) == (tls.client_key is None):
            return
        given, other = ("client_cert", "client_key")
        if tls.client_cert is None:
            given, other = other, given
        if (place := place_of(given, own)) is None:
            place, path = place_of(given, self._default_nodes.get("tls")), "defaults"
        if place is not None:
            message = f"{given} and {other} belong together: give both or none"
            self._problems.add(place, join(path, "tls"), message)
