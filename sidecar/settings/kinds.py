"""What can stand behind a key: durations, sizes, switches, choices, addresses, …

Knows: for each kind of value how a node is read, how the value is shown, and its JSON Schema.
Must not know: which keys there are (`schema` says it; `kind_of` picks the kind from the field).
Why three directions in one place: what `sidecar config` prints must load again as the same value,
and what the JSON Schema allows must be what is read.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import Field
from typing import Any, Final, Generic, TypeVar

from sidecar.core import units
from sidecar.core.address import Address, BadAddressError, parse_address
from sidecar.core.errors import SidecarError
from sidecar.settings.problems import Place
from sidecar.settings.tree import Mapping, Node, Scalar, Sequence

T = TypeVar("T")


class Off(str):
    """The word `off` where it means off, and not a text that happens to be the same."""

    __slots__ = ()


OFF: Final = Off("off")
_OFF_WORDS: Final = frozenset({"off", "false", "no", "null", "~", ""})
_SWITCH: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NULL: Final = frozenset({"null", "~", ""})
_NUMBER: Final = (
    r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|0[xo][0-9a-fA-F]+|[-+]?\.(inf|nan)"
)
# No address, URL or name is longer; what parses them need not defend itself against a megabyte.
_MAX_TEXT: Final = 4096


class BadValueError(SidecarError):
    """A node is not what its key wants. The message has no value in it.

    `place` and `key` where it is an entry within the node that is wrong.
    """

    def __init__(self, message: str, place: Place | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        self.key = key


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_plain and node.value.lower() in _NULL


def is_off(node: Node) -> bool:
    """`off`, `false`, `no`, null; quoted only "off", which is how templates may render it."""
    if not isinstance(node, Scalar):
        return False
    return node.value == OFF or (node.is_plain and node.value.lower() in _OFF_WORDS)


def found(node: Node) -> str:
    """What a node is, in words."""
    if isinstance(node, Mapping):
        return "a block of keys"
    if isinstance(node, Sequence):
        return "a list"
    if is_null(node):
        return "nothing"
    if node.is_plain and node.value.lower() in _SWITCH:
        return "a switch (true or false)"
    if node.is_plain and re.fullmatch(_NUMBER, node.value):
        return "a number"
    return "text"


def text_of(node: Node, wanted: str) -> str:
    """The text of a scalar that YAML, too, takes for text. Raises BadValueError."""
    what = found(node)
    if not isinstance(node, Scalar) or what == "nothing":
        raise BadValueError(f"expected {wanted}, found {what}")
    if what != "text":
        raise BadValueError(f"expected {wanted}, found {what}; put it in quotes if it is text")
    if not node.value:
        raise BadValueError(f"expected {wanted}, found empty text")
    if len(node.value) > _MAX_TEXT:
        raise BadValueError(f"longer than {_MAX_TEXT} characters")
    return node.value


def _loose_text(node: Node, wanted: str) -> str:
    """The characters of any scalar, for kinds whose own parser is strict."""
    if not isinstance(node, Scalar) or is_null(node) or len(node.value) > _MAX_TEXT:
        raise BadValueError(f"expected {wanted}, found {found(node)}")
    return node.value


class Kind(ABC, Generic[T]):
    """One kind of value. `read` raises BadValueError."""

    @abstractmethod
    def read(self, node: Node) -> T: ...

    @abstractmethod
    def show(self, value: T) -> object: ...

    @abstractmethod
    def json_schema(self) -> dict[str, object]: ...


class OrOff(Kind[Any]):
    """A kind that can be switched off; the value is then None."""

    def __init__(self, kind: Kind[Any]) -> None:
        self.kind = kind

    def read(self, node: Node) -> Any:
        return None if is_off(node) else self.kind.read(node)

    def show(self, value: object) -> object:
        return OFF if value is None else self.kind.show(value)

    def json_schema(self) -> dict[str, object]:
        return {"anyOf": [self.kind.json_schema(), {"enum": [OFF, False, None]}]}


class Duration(Kind[float]):
    """Seconds. Zero is refused: it is not clear whether it would mean at once or never."""

    def read(self, node: Node) -> float:
        try:
            seconds = units.parse_duration(_loose_text(node, "a duration (250ms, 5s, 2m, 1h)"))
        except units.BadUnitError as error:
            raise BadValueError(str(error)) from None
        if seconds <= 0:
            raise BadValueError("a duration here is longer than 0; where it may be, write off")
        return seconds

    def show(self, value: float) -> object:
        return units.format_duration(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)$"}


class Size(Kind[int]):
    """Bytes, at least 1."""

    def read(self, node: Node) -> int:
        try:
            size = units.parse_size(_loose_text(node, "a size (64KiB, 4MiB, 1MB)"))
        except units.BadUnitError as error:
            raise BadValueError(str(error)) from None
        if size <= 0:
            raise BadValueError("a size here is more than 0; where it may be, write off")
        return size

    def show(self, value: int) -> object:
        return units.format_size(value)

    def json_schema(self) -> dict[str, object]:
        pattern = r"^\d+(\.\d+)?(B|[KMGT]iB|[kKMGT]B|[eE]\+?\d+)?$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}


class Count(Kind[int]):
    """A whole number from 0."""

    def read(self, node: Node) -> int:
        try:
            return units.parse_count(_loose_text(node, "a whole number (100, 10k, 2M)"))
        except units.BadUnitError as error:
            raise BadValueError(str(error)) from None

    def show(self, value: int) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        pattern = r"^\d+(\.\d+)?([kKMG]|[eE]\+?\d+)?$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}


class Switch(Kind[bool]):
    def read(self, node: Node) -> bool:
        if isinstance(node, Scalar) and node.is_plain and node.value.lower() in _SWITCH:
            return _SWITCH[node.value.lower()]
        raise BadValueError(f"expected true or false, found {found(node)}")

    def show(self, value: bool) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "boolean"}


class Choice(Kind[str]):
    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices

    def read(self, node: Node) -> str:
        if isinstance(node, Scalar) and node.value in self.choices:
            return node.value
        several = "one of: " if len(self.choices) > 1 else ""
        raise BadValueError(f"expected {several}{', '.join(self.choices)}")

    def show(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"enum": list(self.choices)}


class Ratio(Kind[float]):
    """A share of all, from 0 to 1."""

    def read(self, node: Node) -> float:
        text = _loose_text(node, "a number from 0 to 1")
        if not re.fullmatch(r"[01]?(\.[0-9]{0,18})?([eE]-?[0-9]{1,2})?", text) or not text[:1]:
            raise BadValueError("expected a number from 0 to 1")
        try:
            ratio = float(text)
        except ValueError:
            raise BadValueError("expected a number from 0 to 1") from None
        if not 0.0 <= ratio <= 1.0:
            raise BadValueError("expected a number from 0 to 1")
        return ratio

    def show(self, value: float) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "number", "minimum": 0, "maximum": 1}


class Words(Kind[tuple[str, ...]]):
    """A list of words of a closed set, each once."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices

    def read(self, node: Node) -> tuple[str, ...]:
        if not isinstance(node, Sequence):
            raise BadValueError(f"expected a list of: {', '.join(self.choices)}")
        chosen: dict[str, None] = {}
        for at, item in enumerate(node.items):
            try:
                chosen[Choice(self.choices).read(item)] = None
            except BadValueError as error:
                raise BadValueError(str(error), item.place, str(at)) from None
        return tuple(chosen)

    def show(self, value: tuple[str, ...]) -> object:
        return list(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "array", "items": {"enum": list(self.choices)}}


class ListenAddress(Kind[Address]):
    def read(self, node: Node) -> Address:
        try:
            return parse_address(_loose_text(node, "an address (127.0.0.1:8484)"))
        except BadAddressError as error:
            raise BadValueError(str(error)) from None

    def show(self, value: Address) -> object:
        return str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "examples": ["127.0.0.1:8484", "[::1]:8484", "localhost:8484"]}


class Hosts(Kind[tuple[str, ...]]):
    """Names as a Host header has them, without port; kept in lower case, without brackets."""

    def read(self, node: Node) -> tuple[str, ...]:
        if not isinstance(node, Sequence):
            raise BadValueError(f"expected a list of host names, found {found(node)}")
        return tuple(self._one(item, at) for at, item in enumerate(node.items))

    @staticmethod
    def _one(node: Node, at: int) -> str:
        try:
            name = text_of(node, "a host name").lower()
        except BadValueError as error:
            raise BadValueError(str(error), node.place, str(at)) from None
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        is_name = all(c.isascii() and (c.isalnum() or c in "-._:") for c in name)
        if not is_name or name.count(":") == 1:
            message = "expected a host name without scheme or port (any port is allowed)"
            raise BadValueError(message, node.place, str(at))
        return name.rstrip(".")

    def show(self, value: tuple[str, ...]) -> object:
        return list(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "array", "items": {"type": "string"}}


class ReadableFile(Kind[str]):
    """A file that is there and can be read now. Relative to the working directory."""

    def read(self, node: Node) -> str:
        path = text_of(node, "the path of a file")
        if "-----" in path or not path.isprintable():
            # Somebody pasted the key itself: it must not come back in a message.
            raise BadValueError("expected the path of a PEM file, not its content")
        try:
            os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
        except OSError as error:
            raise BadValueError(f"cannot read '{path}': {error.strerror}") from None
        if os.path.isdir(path):
            raise BadValueError(f"cannot read '{path}': it is a folder")
        return path

    def show(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string"}


class Text(Kind[str]):
    """Text that holds to a pattern; `wanted` says it in words."""

    def __init__(self, wanted: str, pattern: str = r"[\x21-\x7e]+") -> None:
        self.wanted = wanted
        self.pattern = pattern

    def read(self, node: Node) -> str:
        text = text_of(node, self.wanted)
        if "${" in text:
            raise BadValueError("${…} is only read in api_key, proxy, url and tokens")
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise BadValueError(f"expected {self.wanted}")
        return text

    def show(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


def kind_of(field: Field[Any]) -> Kind[Any]:
    """The kind that a field's name, type and metadata ask for.

    The unit in the name decides (`_s`, `_bytes`), then the annotation; an annotation that allows
    None can be switched off.
    """
    annotation = str(field.type)
    inner = annotation.removesuffix(" | None")
    kind: Kind[Any]
    if "choices" in field.metadata:
        kind = Choice(field.metadata["choices"])
    elif "words" in field.metadata:
        kind = Words(field.metadata["words"])
    elif field.name.endswith("_s"):
        kind = Duration()
    elif field.name.endswith("_bytes"):
        kind = Size()
    elif field.metadata.get("is_file"):
        kind = ReadableFile()
    else:
        kind = _BY_TYPE[inner]
    return OrOff(kind) if inner != annotation else kind


_BY_TYPE: Final[dict[str, Kind[Any]]] = {
    "int": Count(),
    "float": Ratio(),
    "bool": Switch(),
    "Address": ListenAddress(),
    "tuple[str, ...]": Hosts(),
    "str": Text("text"),
}
