"""What stands above the file: `--to`, `SIDECAR_*` and `--set`, as nodes laid over its tree.

Knows: how a dotted path and a value become nodes that carry their source as their place.
Must not know: which keys exist. An unknown path is found by the reader, like one in the file, and
told with the place `--set`.
Why on the tree: every source then passes the same reader, with the same words for the same slip.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from dataclasses import replace
from typing import Final

from sidecar.core.origin import BadUrlError, parse_origin
from sidecar.core.providers import KNOWN
from sidecar.settings.kinds import is_null
from sidecar.settings.problems import ConfigError, Place, Problems, join
from sidecar.settings.tree import Mapping, Node, Scalar, Sequence, mapping

SET: Final = Place("--set")
TO: Final = Place("--to")
DEFAULT_NAME: Final = "default"
_VARIABLES: Final = {
    "SIDECAR_LISTEN": ("listen", "address"),
    "SIDECAR_ADMIN": ("admin", "address"),
    "SIDECAR_ALLOWED_HOSTS": ("listen", "allowed_hosts"),
}


def with_target(root: Node, url: str) -> Node:
    """Everything to one URL: the file's upstreams and routes no longer count."""
    entry = mapping(TO, {"url": Scalar(TO, url, is_plain=False)})
    upstreams = mapping(TO, {name_of(url): entry})
    if not isinstance(root, Mapping):
        return root
    entries = {key: node for key, node in root.entries.items() if key != "routes"}
    return replace(root, entries={**entries, "upstreams": upstreams})


def name_of(url: str) -> str:
    """The known provider whose host the URL has, else `default`."""
    try:
        origin = parse_origin(url)
    except (BadUrlError, ValueError):
        return DEFAULT_NAME
    for known in KNOWN.values():
        # Many things may listen on loopback; only the port tells Ollama from them.
        is_same_port = origin.port == known.url.port or not known.url.is_loopback
        if origin.host == known.url.host and is_same_port:
            return known.name
    return DEFAULT_NAME


def with_variables(root: Node, env: AbstractMapping[str, str]) -> Node:
    """`SIDECAR_*` over the file. An empty variable counts as not set."""
    for variable, segments in _VARIABLES.items():
        text = env.get(variable, "").strip()
        if text:
            root = _put(root, segments, _from_variable(variable, text)) or root
    return root


def _from_variable(variable: str, text: str) -> Node:
    place = Place(variable)
    if variable != "SIDECAR_ALLOWED_HOSTS" or text == "off":
        return Scalar(place, text)
    names = (name.strip() for name in text.split(","))
    return Sequence(place, tuple(Scalar(place, name, is_plain=False) for name in names if name))


def with_sets(root: Node, sets: AbstractSequence[str], problems: Problems) -> Node:
    """Each `path=value` over all else; of two equal paths the later one counts."""
    for text in sets:
        path, separator, value = text.partition("=")
        segments = tuple(path.strip().split("."))
        if not separator or not all(segments):
            problems.add(SET, "", "is written --set path=value, for example listen.address=:8484")
            continue
        changed = _put(root, segments, _value(value, problems))
        if changed is None:
            shown = ""
            for segment in segments:
                shown = join(shown, segment)
            problems.add(SET, shown, "there is no such entry in the list")
        else:
            root = changed
    return root


def _value(text: str, problems: Problems) -> Node:
    """The text as YAML; as plain text where it is none, so that `[::1]:8484` needs no quotes."""
    from sidecar.settings.parse import parse_text  # imports yaml

    try:
        node = parse_text(text, SET.source, problems, has_lines=False)
    except ConfigError:
        return Scalar(SET, text, is_plain=False)
    return Scalar(SET, "") if node is None else node


def _put(node: Node | None, segments: tuple[str, ...], leaf: Node) -> Node | None:
    """A copy of the tree with `leaf` at the path; None where a list has no such entry.

    What is neither a block nor a list stays as it is: the reader will say so at its own place.
    """
    if not segments:
        return leaf
    key, rest = segments[0], segments[1:]
    if node is None or is_null(node):
        node = mapping(leaf.place, {})
    if isinstance(node, Mapping):
        child = _put(node.entries.get(key), rest, leaf)
        if child is None:
            return None
        entries = {**node.entries, key: child}
        return Mapping(node.place, entries, {**node.keys, key: node.keys.get(key, leaf.place)})
    if isinstance(node, Sequence):
        at = int(key) if key.isascii() and key.isdigit() and len(key) < 6 else len(node.items)
        if at >= len(node.items):
            return None
        item = _put(node.items[at], rest, leaf)
        if item is None:
            return None
        return replace(node, items=(*node.items[:at], item, *node.items[at + 1 :]))
    return node
