"""The block `routes:`.

Knows: how an entry becomes a `routing.Rule`, and which combinations cannot mean anything.
Must not know: how rules are matched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sidecar.policies import routing
from sidecar.settings.blocks import open_block, read_value
from sidecar.settings.kinds import Switch, Text, found, is_null
from sidecar.settings.problems import Problems, did_you_mean, join
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, Scalar, Sequence

ROUTE_KEYS: Final = ("name", "match", "strip_prefix", "to")
NAME: Final = Text("a name (letters, digits, . - and _)", r"[A-Za-z0-9._-]{1,64}")
PATH: Final = Text("a path that begins with /", r"/[\x21-\x7e]*")
PREFIX: Final = Text("a path that begins with / and has no *", r"/[\x21-\x29\x2b-\x7e]*")
METHOD: Final = Text("an HTTP method", r"[A-Za-z]{1,32}")
PATTERN: Final = Text("text, in which * is a wildcard", r"[\x20-\x7e]+")
HEADER_NAME: Final = Text("the name of a header", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MATCH_KINDS: Final[dict[str, Text]] = {
    "path": PATH,
    "prefix": PREFIX,
    "method": METHOD,
    "model": PATTERN,
}
MATCH_KEYS: Final = ("path", "prefix", "method", "header", "model")


def read_routes(
    node: Node | None, upstreams: Collection[str], problems: Problems
) -> tuple[routing.Rule, ...]:
    """The rules in their order. `upstreams`: the names that `to` may have."""
    if node is None or is_null(node):
        return ()
    if not isinstance(node, Sequence):
        problems.add(node.place, "routes", f"expected a list of routes, found {found(node)}")
        return ()
    seen: set[str] = set()
    return tuple(_route(item, at, upstreams, seen, problems) for at, item in enumerate(node.items))


def _route(
    node: Node, at: int, upstreams: Collection[str], seen: set[str], problems: Problems
) -> routing.Rule:
    path = join("routes", str(at))
    entries = open_block(node, path, ROUTE_KEYS, problems)
    name = f"route-{at + 1}"
    if "name" in entries:
        name = read_value(NAME, entries["name"], join(path, "name"), problems, name)
    place = entries["name"].place if "name" in entries else node.place
    if name == routing.BUILT_IN:
        problems.add(place, join(path, "name"), f"the name {routing.BUILT_IN} is taken by us")
    elif name in seen:
        problems.add(place, join(path, "name"), "another route has this name")
    seen.add(name)
    match = _match(entries.get("match"), join(path, "match"), problems)
    strip = False
    if "strip_prefix" in entries:
        where = join(path, "strip_prefix")
        strip = read_value(Switch(), entries["strip_prefix"], where, problems, instead=False)
        if strip and match.prefix is None:
            message = "there is no match.prefix that could be taken off"
            problems.add(entries["strip_prefix"].place, where, message)
    return routing.Rule(name, _to(node, entries, path, upstreams, problems), match, strip)


def _to(
    node: Node,
    entries: Mapping[str, Node],
    path: str,
    upstreams: Collection[str],
    problems: Problems,
) -> str:
    target = entries.get("to")
    if target is None and not isinstance(node, MappingNode):
        pass  # that it is no block has been said
    elif target is None:
        problems.add(node.place, join(path, "to"), "a route needs the name of an upstream")
    elif isinstance(target, Scalar) and target.value in upstreams:
        return target.value
    else:
        word = target.value if isinstance(target, Scalar) else ""
        message = "this is the name of no upstream" + did_you_mean(word, upstreams)
        problems.add(target.place, join(path, "to"), message)
    return ""


def _match(node: Node | None, path: str, problems: Problems) -> routing.Match:
    given: dict[str, str] = {}
    header: tuple[tuple[str, str], ...] = ()
    for key, value in open_block(node, path, MATCH_KEYS, problems).items():
        where = join(path, key)
        if key == "header":
            header = _header(value, where, problems)
        elif text := read_value(MATCH_KINDS[key], value, where, problems, ""):
            given[key] = text.upper() if key == "method" else text
    return routing.Match(
        given.get("path"), given.get("prefix"), given.get("method"), header, given.get("model")
    )


def _header(node: Node, path: str, problems: Problems) -> tuple[tuple[str, str], ...]:
    if not isinstance(node, MappingNode):
        problems.add(node.place, path, f"expected {{name: value}}, found {found(node)}")
        return ()
    pairs: list[tuple[str, str]] = []
    for name, value in node.entries.items():
        where = join(path, name)
        key = Scalar(node.keys[name], name, is_plain=False)
        read_value(HEADER_NAME, key, where, problems, "")
        pairs.append((name.lower(), read_value(PATTERN, value, where, problems, "")))
    return tuple(pairs)
