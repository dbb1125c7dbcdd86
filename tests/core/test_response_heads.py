"""Heads of answers: what goes on goes on as it came; what belongs to one hop stays."""

from __future__ import annotations

from sidecar.core.framing import Framing
from sidecar.core.response_heads import ResponseHead


def _response(*headers: tuple[bytes, bytes], has_body: bool = True) -> ResponseHead:
    head = ResponseHead()
    head.reason = b"OK"
    for name, value in headers:
        head.add(name, value)
    head.finish(200, has_body)
    return head


def test_a_chunked_answer_keeps_its_line_for_those_who_can_read_it() -> None:
    head = _response((b"A", b"1"), (b"Transfer-Encoding", b"Chunked"), (b"B", b"2"))
    assert head.framing is Framing.CHUNKED
    assert head.for_client(True, False) == (
        b"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: Chunked\r\nB: 2\r\n\r\n"
    )
    assert head.for_client(False, True) == (
        b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nconnection: close\r\n\r\n"
    )


def test_an_answer_up_to_the_end_of_its_connection_becomes_chunked() -> None:
    head = _response((b"A", b"1"))
    assert head.framing is Framing.EOF
    assert b"transfer-encoding: chunked\r\n" in head.for_client(True, False)
    assert b"chunked" not in head.for_client(False, True)


def test_an_answer_without_a_body_says_what_it_would_have_had() -> None:
    head = _response((b"Content-Length", b"7"), has_body=False)
    assert head.framing is Framing.NONE
    assert head.for_client(True, False).endswith(b"Content-Length: 7\r\n\r\n")


def test_what_a_connection_header_of_an_answer_names_stays_on_its_hop() -> None:
    head = _response(
        (b"X-Hop", b"1"),
        (b"Connection", b"close, x-hop, content-length"),
        (b"Transfer-Encoding", b"chunked"),
    )
    assert b"X-Hop" not in head.for_client(True, False)
    assert head.framing is Framing.CHUNKED
    assert b"Transfer-Encoding" not in head.for_client(False, False)


def test_an_answer_that_grants_one_says_so_and_no_other_does() -> None:
    for status, kept in ((101, True), (200, False)):
        head = ResponseHead()
        head.reason = b"R"
        head.add(b"Connection", b"Upgrade")
        head.add(b"Upgrade", b"websocket")
        head.finish(status, has_body=False)
        sent = head.for_client(speaks_chunked=True, closes=False)
        assert (b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in sent) is kept


def test_an_interim_answer_has_no_body_to_frame() -> None:
    head = ResponseHead()
    head.reason = b"Early Hints"
    head.add(b"Link", b"</x>")
    head.add(b"Content-Length", b"5")
    head.add(b"Transfer-Encoding", b"chunked")
    head.finish(103, has_body=False)
    sent = head.for_client(speaks_chunked=True, closes=False)
    assert sent == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


def test_what_the_provider_still_allows_is_noted_and_goes_on() -> None:
    head = _response(
        (b"X-RateLimit-Remaining-Requests", b"59"), (b"anthropic-ratelimit-tokens-remaining", b"7")
    )
    assert (head.requests_left, head.tokens_left) == (b"59", b"7")
    sent = head.for_client(speaks_chunked=True, closes=False)
    assert b"X-RateLimit-Remaining-Requests: 59\r\n" in sent


def test_lines_of_ours_stand_after_the_providers() -> None:
    sent = _response((b"A", b"1")).for_client(True, False, b"x-sidecar-request-id: 1\r\n")
    assert b"A: 1\r\nx-sidecar-request-id: 1\r\n" in sent
