"""`${env:NAME}` and `${file:/path}`: what may stand in for a secret or a URL.

Knows: how they are written and looked up, which kinds of value may hold them, and that nothing
they bring may be shown.
Must not know: which keys use these kinds.
Why only here: a value that is filled in from outside can change what a configuration means without
a line of it changing. For secrets that is the point; elsewhere it would hide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from sidecar.core.origin import BadUrlError, Origin, parse_origin
from sidecar.core.secret import REDACTED, Secret
from sidecar.settings.kinds import OFF, BadValueError, Kind, is_off, text_of
from sidecar.settings.schema import Proxy
from sidecar.settings.tree import Node, Scalar

_REFERENCE: Final = r"\$\{([^}]*)\}?"
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_MAX_FILE_BYTES: Final = 64 * 1024
_FORMS: Final = "${env:NAME} or ${file:/path}"


def resolve(text: str, env: Mapping[str, str]) -> str:
    """The text with its references filled in. Raises BadValueError, which names what is missing."""
    if "${" not in text:
        return text
    return re.sub(_REFERENCE, lambda reference: _look_up(reference, env), text)


def _look_up(reference: re.Match[str], env: Mapping[str, str]) -> str:
    source, _, name = reference[1].partition(":")
    if not reference[0].endswith("}") or source not in ("env", "file") or not name:
        raise BadValueError(f"a reference is written {_FORMS}")
    if source == "env":
        if not re.fullmatch(_NAME, name):
            raise BadValueError(f"a reference is written {_FORMS}")
        if name not in env:
            raise BadValueError(f"the environment variable {name} is not set")
        if not env[name]:
            raise BadValueError(f"the environment variable {name} is empty")
        return env[name]
    try:
        with open(name, "rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadValueError(f"cannot read '{name}': {error.strerror}") from None
    except ValueError:
        raise BadValueError(f"a reference is written {_FORMS}") from None
    if len(content) > _MAX_FILE_BYTES:
        raise BadValueError(f"'{name}' is larger than 64 KiB")
    # Editors and `echo` end a file with a line break that is no part of the key.
    value = content.decode("utf-8", "surrogateescape").strip()
    if not value:
        raise BadValueError(f"'{name}' is empty")
    return value


class Url(Kind[Origin]):
    """An upstream's URL."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def read(self, node: Node) -> Origin:
        text = resolve(text_of(node, "a URL"), self._env)
        try:
            return parse_origin(text)
        except (BadUrlError, ValueError) as error:
            is_ours = isinstance(error, BadUrlError)
            raise BadValueError(str(error) if is_ours else "not a URL") from None

    def show(self, value: Origin) -> object:
        return str(value)

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "examples": ["https://gateway.example.com/base"]}


class ApiKey(Kind[Secret | None]):
    """A credential that fits into a header; `off`: the caller's own goes on."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def read(self, node: Node) -> Secret | None:
        if is_off(node):
            return None
        value = resolve(text_of(node, f"a key: {_FORMS}"), self._env)
        if any(not " " < c <= "~" for c in value):
            raise BadValueError("the key holds a space or a character that no header may carry")
        return Secret(value)

    def show(self, value: Secret | None) -> object:
        return OFF if value is None else REDACTED

    def json_schema(self) -> dict[str, object]:
        return {"anyOf": [{"type": "string"}, {"enum": [OFF, False, None]}]}


class EgressProxy(Kind["Proxy | None"]):
    """`env` (None: whatever the environment says), `off`, or the URL of a proxy."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def read(self, node: Node) -> Proxy | None:
        if is_off(node):
            return Proxy(None)
        if isinstance(node, Scalar) and node.value == "env":
            return None
        return parse_proxy(resolve(text_of(node, "env, off or http://host:port"), self._env))

    def show(self, value: Proxy | None) -> object:
        if value is None:
            return "env"
        if value.url is None:
            return OFF
        scheme, _, authority = value.url.partition("://")
        user = f"{REDACTED}@" if value.credentials else ""
        return f"{scheme}://{user}{authority}"

    def json_schema(self) -> dict[str, object]:
        text: dict[str, object] = {"type": "string", "examples": ["env", "http://proxy:3128"]}
        return {"anyOf": [text, {"enum": [OFF, False, None]}]}


def parse_proxy(text: str) -> Proxy:
    """`http://user:pw@proxy:3128` -> Proxy, credentials apart. Raises BadValueError."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        raise BadValueError("a proxy is written http://host:port")
    if scheme.lower() != "http":
        raise BadValueError("only http:// proxies are spoken to (they tunnel https, too)")
    user, _, authority = rest.rpartition("@")
    try:
        origin = parse_origin(f"http://{authority}")
    except (BadUrlError, ValueError):
        forms = "http://host:port or http://user:pw@host:port"
        raise BadValueError(f"a proxy is written {forms}") from None
    if origin.base_path:
        raise BadValueError("the URL of a proxy has no path")
    credentials = Secret(unquote(user)) if user else None
    return Proxy(str(origin), credentials)
