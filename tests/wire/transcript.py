"""The recorded answers in `tests/transcripts`, as bytes to replay. Its README explains the fields.

The recordings of WebSockets are left out: an upgraded connection is another path.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from http.client import responses
from itertools import pairwise
from pathlib import Path
from typing import Any

from .caller import LAST_CHUNK, chunk, request
from .origin import Script, answer, fin, send_many

_FOLDER = Path(__file__).parent.parent / "transcripts"
_OURS_TO_SAY = ("content-length", "host", "connection", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One recorded answer."""

    facts: dict[str, Any]
    body: bytes

    @property
    def is_chunked(self) -> bool:
        return "transfer-encoding" in self.facts["headers"]

    @property
    def is_cut(self) -> bool:
        return bool(self.facts["kind"] == "truncated")

    def head(self, missing: int = 0) -> bytes:
        """Status and headers as recorded; framed as they were, chunked or of fixed length."""
        status = self.facts["status"]
        lines = [f"HTTP/1.1 {status} {responses.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.facts["headers"].items()]
        if not self.is_chunked:
            lines.append(f"content-length: {len(self.body) + missing}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def whole(self) -> Script:
        """Everything in one write."""
        return answer(self.head() + self._framed(self.body) + self._last)

    def in_pieces(self) -> Script | None:
        """Cut where the recording says it hurts, each piece in a write of its own."""
        if "chunks" not in self.facts:
            return None
        edges = [0, *self.facts["chunks"], len(self.body)]
        pieces = [self._framed(self.body[a:b]) for a, b in pairwise(edges)]
        return answer(self.head(), send_many([*pieces, self._last]))

    def cut(self) -> Script:
        """All of the body, and then neither the end nor what a fixed length promised."""
        return answer(self.head(missing=1) + self._framed(self.body), fin)

    def ask(self, target: str, *more: bytes) -> bytes:
        """The recorded request, addressed to `target`."""
        asked = self.facts["request"]
        body = json.dumps(asked["json"]).encode() if asked.get("json") is not None else None
        headers = [
            f"{name}: {value}".encode("latin-1")
            for name, value in (asked.get("headers") or {}).items()
            if name.lower() not in _OURS_TO_SAY
        ]
        return request(target, body, *headers, *more, method=asked.get("method") or "POST")

    @property
    def _last(self) -> bytes:
        return LAST_CHUNK if self.is_chunked else b""

    def _framed(self, piece: bytes) -> bytes:
        return chunk(piece) if piece and self.is_chunked else piece


@cache
def read(name: str) -> Transcript:
    """The transcript of this name."""
    facts = json.loads((_FOLDER / f"{name}.json").read_bytes())
    return Transcript(facts, (_FOLDER / f"{name}.body").read_bytes())


def names() -> list[str]:
    """All but those of WebSockets."""
    found = sorted(file.stem for file in _FOLDER.glob("*.json"))
    return [name for name in found if read(name).facts["kind"] != "ws"]
