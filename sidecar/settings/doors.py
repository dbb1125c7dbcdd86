"""The blocks `listen:` and `admin:`: where we listen, for whom, and for how long.

Knows: the blocks within them and their secrets.
Must not know: what only the whole configuration can tell (`checks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sidecar.settings.blocks import open_block, read_block, read_value
from sidecar.settings.kinds import found, is_off
from sidecar.settings.problems import Problems, join
from sidecar.settings.references import ApiKey
from sidecar.settings.schema import Admin, Auth, Listen, ServerTls
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, Sequence

LISTEN_APART: Final = ("tls", "auth", "timeouts")
ADMIN_APART: Final = ("token",)
AUTH_KEYS: Final = ("tokens",)


class Doors:
    """Reads both blocks of one configuration."""

    def __init__(self, env: Mapping[str, str], problems: Problems) -> None:
        self._problems = problems
        self._key = ApiKey(env)

    def listen(self, node: Node | None) -> Listen:
        base = Listen()
        plain = read_block(base, node, "listen", self._problems, LISTEN_APART)
        inner = _entries(node)
        if plain.max_connections < 1:
            place = inner["max_connections"].place
            self._problems.add(place, "listen.max_connections", "is at least 1")
        limits = inner.get("timeouts")
        return replace(
            plain,
            tls=self._tls(inner.get("tls")),
            auth=self._auth(inner.get("auth")),
            timeouts=read_block(base.timeouts, limits, "listen.timeouts", self._problems),
        )

    def admin(self, node: Node | None) -> Admin:
        plain = read_block(Admin(), node, "admin", self._problems, ADMIN_APART)
        token = _entries(node).get("token")
        if token is None:
            return plain
        return replace(
            plain, token=read_value(self._key, token, "admin.token", self._problems, None)
        )

    def _tls(self, node: Node | None) -> ServerTls | None:
        if node is None or is_off(node):
            return None
        tls = read_block(ServerTls(), node, "listen.tls", self._problems)
        if not {"cert", "key"} <= _entries(node).keys():
            self._problems.add(node.place, "listen.tls", "needs cert and key: two PEM files")
        return tls

    def _auth(self, node: Node | None) -> Auth | None:
        if node is None or is_off(node):
            return None
        path = "listen.auth.tokens"
        tokens = open_block(node, "listen.auth", AUTH_KEYS, self._problems).get("tokens")
        if not isinstance(tokens, Sequence) or not tokens.items:
            what = "nothing" if tokens is None else found(tokens)
            place = node.place if tokens is None else tokens.place
            self._problems.add(place, path, f"expected a list of one or more, found {what}")
            return Auth(())
        secrets = []
        for at, item in enumerate(tokens.items):
            secret = read_value(self._key, item, join(path, str(at)), self._problems, None)
            if secret is None and is_off(item):
                self._problems.add(item.place, join(path, str(at)), "expected a token, found off")
            elif secret is not None:
                secrets.append(secret)
        return Auth(tuple(secrets))


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.entries if isinstance(node, MappingNode) else {}
