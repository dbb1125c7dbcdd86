"""The one root of everything we raise on purpose.

Knows: the root and the one child that an operator ever sees.
Must not know: HTTP, YAML or sockets; whoever raises a child gives it its words.
Why one root: `except SidecarError` at the command line is then the whole rule for "a problem, said
in one clear sentence, exit 1"; anything else that escapes is a bug and may show its traceback.
"""

from __future__ import annotations


class SidecarError(Exception):
    """Root of our own exceptions. Its text is one sentence for a person."""


class StartError(SidecarError):
    """The proxy cannot start: a bad file, a taken port, a missing variable."""
