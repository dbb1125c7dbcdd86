"""Settings -> what a person may see: the same keys and spellings as in YAML, no secrets.

Knows: how to write settings back. What it prints loads again as the same settings, but for keys
and proxy passwords, which read `[redacted]`.
Must not know: where they came from, or the values of secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policies import routing
from sidecar.settings.blocks import show_block
from sidecar.settings.kinds import OFF, Off, OrOff
from sidecar.settings.observing import show_telemetry
from sidecar.settings.prices import WHERE
from sidecar.settings.references import ApiKey, EgressProxy
from sidecar.settings.schema import Listen, Settings, Upstream
from sidecar.settings.upstreams import PROVIDER

if TYPE_CHECKING:
    import yaml

KEY: Final = ApiKey({})


def effective(settings: Settings) -> dict[str, object]:
    """The whole configuration with `defaults:` merged in. Plain types only, ready for JSON."""
    return {key: _plain(value) for key, value in _tree(settings).items()}


def _plain(value: object) -> object:
    """The value with `off` as an ordinary string: JSON encoders refuse subclasses."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Off) else value


def _tree(settings: Settings) -> dict[str, object]:
    return {
        "version": 1,
        "listen": _listen(settings.listen),
        "admin": {**show_block(settings.admin), "token": KEY.show(settings.admin.token)},
        "scrape": show_block(settings.scrape),
        "upstreams": {upstream.name: _upstream(upstream) for upstream in settings.upstreams},
        "routes": [_route(rule) for rule in settings.routes],
        "telemetry": show_telemetry(settings.telemetry),
        "prices": OrOff(WHERE).show(settings.prices.where),
        "shutdown": show_block(settings.shutdown),
    }


def _listen(listen: Listen) -> dict[str, object]:
    auth = listen.auth
    return {
        **show_block(listen),
        "tls": OFF if listen.tls is None else show_block(listen.tls),
        "auth": OFF if auth is None else {"tokens": [KEY.show(one) for one in auth.tokens]},
        "timeouts": show_block(listen.timeouts),
    }


def hash_of(settings: Settings) -> str:
    """12 hex digits that change with anything that is shown; never with a secret."""
    import hashlib
    import json

    text = json.dumps(effective(settings), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def to_yaml(settings: Settings) -> str:
    """The effective configuration as a file that `sidecar run -c` takes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes `off` without quotes, as people do."""

    def represent(dumper: yaml.SafeDumper, text: Off) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:bool", text)

    Dumper.add_representer(Off, represent)
    tree = _tree(settings)
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _upstream(upstream: Upstream) -> dict[str, object]:
    return {
        "url": str(upstream.url),
        "dialect": upstream.dialect,
        "provider": PROVIDER.show(upstream.provider),
        "api_key": KEY.show(upstream.api_key),
        "tls": show_block(upstream.tls),
        "proxy": EgressProxy({}).show(upstream.proxy),
        "pool": show_block(upstream.pool),
        "timeouts": show_block(upstream.timeouts),
        "usage": upstream.usage,
        "propagate": upstream.propagate,
    }


def _route(rule: routing.Rule) -> dict[str, object]:
    match = rule.match
    pairs = {
        "path": match.path,
        "prefix": match.prefix,
        "method": match.method,
        "header": dict(match.header) or None,
        "model": match.model,
    }
    return {
        "name": rule.name,
        "match": {key: value for key, value in pairs.items() if value is not None},
        "strip_prefix": rule.strip_prefix,
        "to": rule.to,
    }
