"""A relay in front of one provider, and what must hold whenever a caller is refused at it.

Knows: which keys were planted in a request, every answer that a caller got, and every output in
which a key could turn up.
Must not know: why a request is refused; the tests say that.
Why one upstream only: it takes every path, so that a refusal is never one of routing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from .caller import Answer, Caller, End, eventually, request
from .origin import Origin, answer
from .relay import Relay, Row

MARK = "PLANTED"
KEYS = (
    b"Authorization: Bearer sk-PLANTEDauthorization0123456789\r\n"
    b"x-api-key: PLANTEDxapikey0123456789\r\n"
)
QUERY = b"?key=PLANTEDquery0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ADMIN = ("/metrics", "/exchanges?limit=1000", "/streams", "/upstreams", "/config")


@dataclass(slots=True)
class Wall:
    """The relay, the provider behind it, and all that callers were told by the relay itself."""

    relay: Relay
    origin: Origin
    told: list[bytes] = field(default_factory=list)

    def refuses(self, data: bytes, status: int, reason: str) -> Answer:
        """As `answers_itself`, and the connection ends: what follows may not be what it seems."""
        return self.answers_itself(data, status, reason, is_end=True)

    def answers_itself(
        self, data: bytes, status: int, reason: str, *, is_end: bool = False
    ) -> Answer:
        """These bytes get one answer of ours; the provider hears nothing, one failure is counted
        and recorded, and the next caller is served."""
        seen, counted = len(self.origin.all_seen), self._counted(reason)
        with Caller(self.relay.data, timeout_s=5) as caller:
            caller.send(data)
            got = caller.answer()
            self.told.append(got.head + got.body)
            said = (got.status, got.header(b"x-sidecar-error"))
            assert said == (status, reason.encode()), got.head
            assert got.end is End.WHOLE
            if is_end:
                assert got.header(b"connection") == b"close"
                assert caller.read_to_end() == (b"", End.FIN), "one answer, nothing after it"
        record = self.record_of(got)
        assert (record["outcome"], record["reason"]) == ("refused", reason)
        assert (record["fault"], record["status"]) == ("caller", status)
        assert record["upstream_status"] is None
        assert self._counted(reason) == counted + 1
        assert len(self.origin.all_seen) == seen, self.origin.all_seen[seen:]
        self.serves()
        return got

    def serves(self) -> None:
        """A request with nothing wrong is answered."""
        path = self.origin.script(answer(OK))
        with Caller(self.relay.data) as caller:
            assert caller.ask(request(path)).body == b"ok"

    def record_of(self, got: Answer) -> Row:
        """Of an answer of ours: its body names the exchange."""
        return self.relay.record(json.loads(got.body)["error"]["sidecar"]["request_id"])

    def log_lines(self, request_id: str) -> list[str]:
        """The lines of the log that name this exchange, once there is one."""

        def found() -> list[str]:
            return [line for line in self.relay.text.splitlines() if request_id in line]

        assert eventually(lambda: bool(found())), f"no log line of {request_id}"
        return found()

    def assert_no_key_shows(self) -> None:
        """In no answer, page or line."""
        outputs = {page: self.relay.page(page)[1].decode() for page in _ADMIN}
        outputs["log"] = self.relay.text
        outputs["answers"] = b"\n".join(self.told).decode("latin-1")
        for where, text in outputs.items():
            at = text.find(MARK)
            assert at < 0, f"{where}: …{text[max(0, at - 200) : at + 60]}…"

    def _counted(self, reason: str) -> float:
        return self.relay.total("failures_total", reason=reason)
