"""From a path, the command line and the environment to `Settings`.

Knows: where a configuration may lie, what stands above what (--set, SIDECAR_*, the file, the
schema's defaults), and the order of the work.
Must not know: `os.environ` or `sys.argv`: both are handed in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sidecar.settings import otel, overlay, prices
from sidecar.settings.blocks import open_block, read_block, read_value
from sidecar.settings.checks import Ports, check
from sidecar.settings.doors import Doors
from sidecar.settings.kinds import Choice, OrOff, is_null
from sidecar.settings.observing import Observing
from sidecar.settings.problems import ConfigError, Place, Problem, Problems
from sidecar.settings.routes import read_routes
from sidecar.settings.schema import Prices, Scrape, Settings, Shutdown
from sidecar.settings.show import hash_of
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, mapping
from sidecar.settings.upstreams import Reader

__all__ = ["ConfigError", "find", "load"]

BUILT_IN: Final = "built-in"
USUAL_PLACES: Final = ("sidecar.yaml", "/etc/sidecar/sidecar.yaml")
TOP_KEYS: Final = (
    "version",
    "listen",
    "admin",
    "scrape",
    "defaults",
    "upstreams",
    "routes",
    "telemetry",
    "prices",
    "shutdown",
)
VERSION: Final = "1"
_MAX_READ_BYTES: Final = (1 << 20) + 1


def find(explicit: str | None, env: Mapping[str, str]) -> str | None:
    """The file to load: the one named, $SIDECAR_CONFIG, or one in the usual places; else None."""
    if explicit is not None:
        return explicit
    if env.get("SIDECAR_CONFIG"):
        return env["SIDECAR_CONFIG"]
    return next((place for place in USUAL_PLACES if os.path.exists(place)), None)


def load(
    path: str | None,
    *,
    sets: Sequence[str] = (),
    to: str | None = None,
    env: Mapping[str, str],
) -> Settings:
    """The effective configuration. `path` None: the built-in one. Raises ConfigError."""
    problems = Problems()
    root: Node | None = mapping(Place(BUILT_IN), {}) if path is None else _read(path, problems)
    if root is None or is_null(root):
        message = "the file is empty; write {} for the built-in settings"
        raise ConfigError([Problem(Place(path or BUILT_IN), "", message)])
    if to is not None:
        root = overlay.with_target(root, to)
    root = overlay.with_sets(overlay.with_variables(root, env), sets, problems)
    root = otel.under(root, env, problems)
    source = path or (BUILT_IN if to is None else overlay.TO.source)
    settings = _settings(root, source, env, problems)
    problems.raise_if_any()
    return replace(settings, warnings=problems.warnings, hash=hash_of(settings))


def _read(path: str, problems: Problems) -> Node | None:
    from sidecar.settings.parse import parse  # imports yaml, which the built-in settings need not

    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_READ_BYTES)
    except OSError as error:
        raise ConfigError([Problem(Place(path), "", f"cannot be read: {error.strerror}")]) from None
    except ValueError:
        raise ConfigError([Problem(Place("-c"), "", "this cannot be the name of a file")]) from None
    return parse(text, path, problems)


def _settings(root: Node, source: str, env: Mapping[str, str], problems: Problems) -> Settings:
    entries = open_block(root, "", TOP_KEYS, problems)
    if "version" in entries:
        read_value(Choice((VERSION,)), entries["version"], "version", problems, VERSION)
    doors = Doors(env, problems)
    listen = doors.listen(entries.get("listen"))
    admin = doors.admin(entries.get("admin"))
    scrape = read_block(Scrape(), entries.get("scrape"), "scrape", problems)
    telemetry = Observing(env, problems).telemetry(entries.get("telemetry"))
    reader = Reader(env, problems, telemetry.traces.propagate)
    defaults = reader.defaults(entries.get("defaults"))
    upstreams = reader.upstreams(entries.get("upstreams"), defaults)
    names = [upstream.name for upstream in upstreams]
    routes = read_routes(entries.get("routes"), names, problems)
    table = _prices(entries.get("prices"), problems)
    shutdown = read_block(Shutdown(), entries.get("shutdown"), "shutdown", problems)
    if isinstance(root, MappingNode):
        check(root, Ports(listen, admin, scrape), upstreams, telemetry, problems)
    return Settings(
        listen,
        admin,
        upstreams,
        routes,
        scrape,
        telemetry,
        table,
        shutdown,
        source,
        warnings=(),
        hash="",
    )


def _prices(node: Node | None, problems: Problems) -> Prices:
    kind, place = OrOff(prices.WHERE), Place(BUILT_IN)
    where: str | None = prices.BUILT_IN
    if node is not None:
        where, place = read_value(kind, node, "prices", problems, None), node.place
    return Prices(where, prices.table_of(where, place, problems))
