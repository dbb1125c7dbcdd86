"""What is taken, what is refused, and how much of a body is read before anything is sent."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import Reason
from sidecar.pipeline.accept import accept
from sidecar.pipeline.exchange import Exchange, Inbound
from sidecar.pipeline.graph import Plan
from sidecar.pipeline.ports import BodyError
from sidecar.policies import routing

from .fakes import (
    CHUNKED,
    ListDesk,
    RecordingClient,
    ScriptedBody,
    ScriptedUpstream,
    inbound,
    plan,
    sized,
)


async def _accepted(request: Inbound, of: Plan | None = None) -> tuple[Exchange, Reason | None]:
    desk = ListDesk()
    exchange = Exchange(request, RecordingClient(), of or plan(ScriptedUpstream()), desk)
    refusal = await accept(exchange, desk)
    assert desk.started == (refusal is None or exchange.target is not None)
    return exchange, refusal.reason if refusal else None


async def test_a_request_without_a_body_is_ready_at_once() -> None:
    exchange, refused = await _accepted(inbound(target="/up/v1/models?a=b"))
    assert refused is None
    assert (exchange.route, exchange.upstream) == ("built-in", "up")
    assert exchange.upstream_target == "/v1/models?a=b"
    assert exchange.is_body_read
    assert exchange.is_replayable


@pytest.mark.parametrize("pieces", [(b"whole",), (b"in ", b"pieces"), (b"",)])
async def test_a_small_body_is_held_whole(pieces: tuple[bytes, ...]) -> None:
    header, body = sized(*pieces)
    exchange, _ = await _accepted(inbound(header, body=body))
    assert exchange.body == b"".join(pieces)
    assert exchange.is_replayable
    assert exchange.request_bytes == len(exchange.body)


async def test_a_body_over_the_replay_limit_is_not_waited_for() -> None:
    header, body = sized(b"x" * 40, b"y" * 40)
    exchange, refused = await _accepted(inbound(header, body=body))
    assert refused is None
    assert exchange.body == b""
    assert not exchange.is_body_read
    assert not exchange.is_replayable


async def test_of_a_chunked_one_the_first_bytes_are_kept() -> None:
    body = ScriptedBody(b"x" * 40, b"y" * 40, b"z")
    exchange, _ = await _accepted(inbound(CHUNKED, body=body))
    assert exchange.body == b"x" * 40 + b"y" * 40
    assert not exchange.is_replayable


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (inbound(method="TRACE"), Reason.METHOD_NOT_ALLOWED),
        (inbound(method="CONNECT", target="evil:443"), Reason.METHOD_NOT_ALLOWED),
        (inbound(target="http://evil.example/x"), Reason.BAD_REQUEST),
        (inbound(target="*"), Reason.BAD_REQUEST),
        (inbound((b"Connection", b"close, authorization")), Reason.BAD_REQUEST),
        (inbound((b"Transfer-Encoding", b"gzip, chunked")), Reason.BAD_REQUEST),
        (inbound(CHUNKED, CHUNKED), Reason.BAD_REQUEST),
        (inbound(CHUNKED, minor=0), Reason.BAD_REQUEST),
        (inbound(CHUNKED, (b"Content-Length", b"1")), Reason.BAD_REQUEST),
        (inbound((b"Expect", b"a-miracle")), Reason.EXPECTATION_FAILED),
        (inbound((b"Origin", b"https://evil.example")), Reason.ORIGIN_FORBIDDEN),
    ],
)
async def test_what_no_upstream_must_see(request_: Inbound, reason: Reason) -> None:
    _, refused = await _accepted(request_)
    assert refused is reason


async def test_a_connection_that_framing_was_tried_on_is_not_used_again() -> None:
    request = inbound(CHUNKED, (b"Content-Length", b"1"))
    exchange, _ = await _accepted(request)
    assert exchange.client.will_close


async def test_options_star_is_a_request() -> None:
    _, refused = await _accepted(inbound(method="OPTIONS", target="*"))
    assert refused is None


async def test_a_body_over_the_limit_is_refused_by_its_length_before_it_is_read() -> None:
    header, body = sized(b"x" * 30)
    exchange, refused = await _accepted(
        inbound(header, body=body), plan(ScriptedUpstream(), limit=20)
    )
    assert refused is Reason.REQUEST_TOO_LARGE
    assert not exchange.is_body_read


async def test_and_by_its_size_where_it_tells_none() -> None:
    request = inbound(CHUNKED, body=ScriptedBody(b"x" * 30))
    _, refused = await _accepted(request, plan(ScriptedUpstream(), limit=20))
    assert refused is Reason.REQUEST_TOO_LARGE


async def test_a_body_that_breaks_its_framing_is_refused() -> None:
    request = inbound(CHUNKED, body=ScriptedBody(b"x", BodyError(Reason.BAD_REQUEST, "broken")))
    _, refused = await _accepted(request)
    assert refused is Reason.BAD_REQUEST


async def test_a_rule_on_the_model_reads_the_body_first() -> None:
    rule = routing.Rule("mini", "up", routing.Match(model="gpt-4o*"))
    header, body = sized(b'{"model": ', b'"gpt-4o-mini"}')
    exchange, refused = await _accepted(
        inbound(header, body=body), plan(ScriptedUpstream(), rules=[rule])
    )
    assert refused is None
    assert exchange.route == "mini"


async def test_a_rule_on_a_header_sees_it() -> None:
    rule = routing.Rule("team", "up", routing.Match(header=(("x-team", "a"),)))
    exchange, _ = await _accepted(
        inbound((b"X-Team", b"a")), plan(ScriptedUpstream(), rules=[rule])
    )
    assert exchange.route == "team"


async def test_a_key_of_another_provider_goes_nowhere() -> None:
    request = inbound((b"Authorization", b"Bearer gsk_x"))
    _, refused = await _accepted(request, plan(ScriptedUpstream(), provider="openai"))
    assert refused is Reason.WRONG_PROVIDER


@pytest.mark.parametrize("target", ["/up/../secret", "/up/v1/%2e%2e/%2E%2e/secret"])
async def test_a_path_that_leaves_the_base_path_is_refused(target: str) -> None:
    request = inbound(target=target)
    _, refused = await _accepted(request, plan(ScriptedUpstream(), has_base_path=True))
    assert refused is Reason.BAD_REQUEST


async def test_where_there_is_no_base_path_there_is_nothing_to_leave() -> None:
    exchange, refused = await _accepted(inbound(target="/up/../a"))
    assert refused is None
    assert exchange.upstream_target == "/../a"


async def test_a_token_is_asked_of_everybody_and_taken_out() -> None:
    guarded = plan(ScriptedUpstream(), tokens=(b"tok",))
    _, refused = await _accepted(inbound(), guarded)
    assert refused is Reason.UNAUTHORIZED
    exchange, refused = await _accepted(inbound((b"X-Api-Key", b"tok")), guarded)
    assert refused is None
    assert exchange.head.credentials == []
    assert b"tok" not in exchange.head.for_upstream("/", b"h")


async def test_a_body_over_the_limit_is_read_no_further_than_that() -> None:
    body = ScriptedBody(b"x" * 8, b"y" * 8, hangs=True)
    exchange, refused = await _accepted(
        inbound(CHUNKED, body=body), plan(ScriptedUpstream(), limit=10)
    )
    assert refused is Reason.REQUEST_TOO_LARGE
    assert exchange.request_bytes == 16
