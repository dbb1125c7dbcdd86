"""YAML text -> nodes that remember their place. Nothing is interpreted yet.

Knows: the subset of YAML that is read: mappings, sequences and scalars in one document; and its
limits.
Must not know: any key of ours.
Why events and not `yaml.load`: a loaded dict has forgotten its lines, keeps the last of two equal
keys without a word, expands aliases (a 1 KB file can become gigabytes) and recurses. The event
stream of libyaml has none of these troubles, and a loop with a stack cannot run out of it.
"""

from __future__ import annotations

from typing import Final, Protocol

import yaml

from sidecar.settings.problems import ConfigError, Place, Problem, Problems, join
from sidecar.settings.tree import Mapping, Node, Scalar, Sequence

MAX_TEXT_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
# The C parser is 20 times faster; a PyYAML built without libyaml still works.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: bytes, source: str, problems: Problems) -> Node | None:
    """The root of a file's document; None where there is none.

    Raises ConfigError where no tree can be had; what is wrong within one goes to `problems`.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise _fatal(Place(source), "the file is larger than 1 MiB")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_of_byte(text, error.start, source)
        raise _fatal(place, "the text is not UTF-8") from None
    return parse_text(decoded, source, problems)


def parse_text(text: str, source: str, problems: Problems, has_lines: bool = True) -> Node | None:
    """Like `parse`; `has_lines` False for a single value, whose place is just its source."""
    composer = _Composer(source, has_lines, problems)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _fatal(composer.place(mark), _syntax_message(error.problem, text, mark)) from None
    except yaml.reader.ReaderError as error:
        encoded = text.encode("utf-8", "replace")
        place = _place_of_byte(encoded, error.position, source) if has_lines else Place(source)
        raise _fatal(place, "a character that YAML does not allow") from None
    except UnicodeEncodeError:  # a lone surrogate, from an argument that was not UTF-8
        raise _fatal(Place(source), "the text is not UTF-8") from None
    return composer.root


def _fatal(place: Place, message: str) -> ConfigError:
    return ConfigError([Problem(place, "", message)])


class _Mark(Protocol):
    """A position as both of PyYAML's parsers give it, from 0."""

    line: int
    column: int


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("entries", "items", "key", "keys", "path", "place")

    def __init__(self, place: Place, path: str, is_mapping: bool) -> None:
        self.place = place
        self.path = path
        self.items: list[Node] | None = None if is_mapping else []
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Place] = {}
        self.key: str | None = None
        """The key whose value comes next; None where a key comes next."""

    @property
    def wants_key(self) -> bool:
        return self.items is None and self.key is None

    def path_of_next(self) -> str:
        if self.items is not None:
            return join(self.path, str(len(self.items)))
        return join(self.path, self.key or "")

    def close(self) -> Node:
        if self.items is not None:
            return Sequence(self.place, tuple(self.items))
        return Mapping(self.place, self.entries, self.keys)


class _Composer:
    """Events -> nodes, with a stack of open collections."""

    __slots__ = ("_documents", "_has_lines", "_open", "_problems", "_source", "root")

    def __init__(self, source: str, has_lines: bool, problems: Problems) -> None:
        self._source = source
        self._has_lines = has_lines
        self._open: list[_Open] = []
        self._documents = 0
        self._problems = problems
        self.root: Node | None = None

    def place(self, mark: _Mark | None) -> Place:
        if mark is None or not self._has_lines:
            return Place(self._source)
        return Place(self._source, mark.line + 1, mark.column + 1)

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event)
            if self._open and self._open[-1].wants_key:
                self._take_key(event.value, self.place(event.start_mark))
            else:
                self._give(Scalar(self.place(event.start_mark), event.value, event.implicit[0]))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event)
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._give(self._open.pop().close())
        elif isinstance(event, yaml.AliasEvent):
            place, path = self.place(event.start_mark), self._path()
            self._problems.add_last(place, path, "aliases (*…) are not read here: write it out")
            self._give(Scalar(place, ""))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                place = self.place(event.start_mark)
                raise _fatal(place, "one document a file: a second begins here")

    def _path(self) -> str:
        return self._open[-1].path_of_next() if self._open else ""

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            place = self.place(event.start_mark)
            self._problems.add(place, self._path(), "tags (!…) are not read here")

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        place = self.place(event.start_mark)
        if len(self._open) >= MAX_DEPTH:
            raise _fatal(place, f"nested deeper than {MAX_DEPTH} levels")
        if self._open and self._open[-1].wants_key:
            raise _fatal(place, "a key must be a plain word")
        self._open.append(_Open(place, self._path(), isinstance(event, yaml.MappingStartEvent)))

    def _take_key(self, key: str, place: Place) -> None:
        top = self._open[-1]
        first = top.keys.get(key)
        if first is not None:
            where = f" in line {first.line}" if first.line else ""
            self._problems.add(place, join(top.path, key), f"this key was already given{where}")
        else:
            top.keys[key] = place
        top.key = key

    def _give(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        if top.items is not None:
            top.items.append(node)
        elif top.key is None:  # an alias where a key belongs; it has been reported
            top.key = ""
        else:
            top.entries.setdefault(top.key, node)
            top.key = None


def _syntax_message(problem: str | None, text: str, mark: _Mark | None) -> str:
    """libyaml's own words, which never quote the text, and the hint for the likeliest slip."""
    lines = text.splitlines()
    has_reference = mark is not None and mark.line < len(lines) and "${" in lines[mark.line]
    hint = '; inside { } and [ ] put quotes around "${…}"' if has_reference else ""
    return f"not valid YAML: {problem or 'unknown trouble'}{hint}"


def _place_of_byte(text: bytes, position: int, source: str) -> Place:
    before = text[: max(position, 0)]
    return Place(source, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
