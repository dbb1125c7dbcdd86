"""Paths that would lead out of the folder they are appended to.

Knows: dot segments, written plainly or percent-encoded.
Must not know: what is done about them. A path is looked at and never changed.
Why: an upstream whose url has a base path is a folder of somebody's server; `/../` in a caller's
path must not reach its neighbours. Where there is no base path there is nothing to leave, and the
bytes go on as they are.
"""

from __future__ import annotations

from urllib.parse import unquote


def climbs(target: str) -> bool:
    """True where the path of the target has a `..` segment, after one decode."""
    path = target.partition("?")[0]
    if ".." not in path and "%" not in path:
        return False
    return ".." in unquote(path, "latin-1").replace("\\", "/").split("/")
