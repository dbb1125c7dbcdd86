"""Where we are not transparent: each deviation with its reason, its setting and its test.

Knows: the whole list; the README's table is made of it (`make docs`).
Must not know: the code that deviates. A deviation that is not listed here is a bug; one whose test
does not exist fails the suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """`setting` None: it cannot be switched off. `test`: file::name below tests/."""

    what: str
    reason: str
    setting: str | None
    test: str


DEVIATIONS: Final[tuple[Deviation, ...]] = (
    Deviation(
        "The `Host` header names the upstream; a `/NAME` prefix of the path is taken off",
        "a request must be addressed to its origin",
        "`routes`",
        "wire/test_heads.py::test_request_heads_go_up_in_name_case_order_and_value",
    ),
    Deviation(
        "Hop-by-hop headers stay on their hop, both ways: `Connection` and what it names, "
        "`Keep-Alive`, `Proxy-*`, `TE`, `Trailer`, `Upgrade`",
        "RFC 9110 §7.6.1",
        None,
        "wire/test_heads.py::test_response_heads_come_down_in_name_case_order_and_value",
    ),
    Deviation(
        "White space around a header's value becomes one space after the colon; the request "
        "line is written with single spaces and as HTTP/1.1",
        "heads are written anew; their meaning is the same",
        None,
        "wire/test_heads.py::test_targets_go_up_as_they_were_written",
    ),
    Deviation(
        "Chunk boundaries may move; chunk extensions and trailers are dropped",
        "framing belongs to one hop (RFC 9112 §7.1), and trailers can smuggle headers",
        None,
        "net/test_reader.py::test_chunk_extensions_and_trailers_are_dropped",
    ),
    Deviation(
        "A body that ends with its connection reaches an HTTP/1.1 caller chunked",
        "otherwise a cut could not be told from the end",
        None,
        "wire/test_transparency.py::test_a_body_that_ends_with_its_connection_arrives_chunked",
    ),
    Deviation(
        "An event stream or JSON that ends with its connection, and before its own end, is cut",
        "a truncated answer must not look whole",
        None,
        "wire/test_cut.py::test_t73_a_close_delimited_stream_without_its_last_event_is_cut",
    ),
    Deviation(
        "Trace headers (`traceparent`, `tracestate`, `baggage`) are replaced or taken out",
        "joined traces at your own gateway, or no ids at a stranger's; off by default",
        "`propagate: participate`, `none`",
        "wire/test_telemetry.py::test_trace_headers_go_up_byte_for_byte_or_not_at_all",
    ),
    Deviation(
        "Answers bear `x-sidecar-request-id`, `server-timing`",
        "to find a request again, and to see where its time went; off by default",
        "`listen.reveal`",
        "wire/test_telemetry.py::test_an_answer_bears_what_it_is_told_to_reveal",
    ),
    Deviation(
        "Of interim answers (1xx) only 102 and 103 are passed on; `Expect: 100-continue` is "
        "answered here",
        "an upload is accepted by whoever reads it",
        None,
        "net/test_requests.py::test_a_body_is_waited_for_and_asked_for_once",
    ),
    Deviation(
        "A caller that is too slow is given up: with 408, or a cut once an answer has begun",
        "one that has gone without a word would keep its place for ever",
        "`listen.timeouts`",
        "wire/test_callers.py::test_t33_a_head_that_drips_is_a_408",
    ),
    Deviation(
        "With as many callers as may be connected the longest idle connection is closed, and if "
        "none is idle the new one is refused (503)",
        "descriptors and memory have an end",
        "`listen.max_connections`",
        "wire/test_callers.py::test_t36_the_longest_idle_gives_way_to_a_newcomer",
    ),
    Deviation(
        "A caller's own limits (`x-stainless-read-timeout`, `x-sidecar-timeout-ms`) lower ours: it "
        "gets a 504 just before it would give up",
        "an answer that says what happened is worth more than a bare time-out",
        None,
        "wire/test_doors.py::test_a_caller_that_waits_less_hears_from_us_first",
    ),
    Deviation(
        "With `listen.auth`, the header that carried the token is taken out",
        "it was meant for the sidecar",
        "`listen.auth`",
        "wire/test_doors.py::test_a_token_opens_the_door_and_goes_no_further",
    ),
    Deviation(
        "Before an upstream with a base path, a path with `..` segments (after one decode) is "
        "refused (400)",
        "it would leave the folder that was configured",
        "an upstream without base path",
        "pipeline/test_accept.py::test_a_path_that_leaves_the_base_path_is_refused",
    ),
    Deviation(
        "While the sidecar stops, answers say `connection: close`; then new requests get 503",
        "a retry finds another one",
        "`shutdown.drain`",
        "wire/test_drain.py::test_an_idle_connection_may_still_be_used_for_a_moment",
    ),
    Deviation(
        "Request bodies up to 4 MiB are read whole before they are sent; larger ones stream",
        "they can be sent again if a pooled connection was dead",
        None,
        "wire/test_transparency.py::test_a_large_upload_streams_and_is_not_kept",
    ),
    Deviation(
        "One repetition of an operation without effects, if its pooled connection turns out "
        "to have been closed already",
        "a race that the caller's own pool would meet, too",
        None,
        "wire/test_stale.py::test_a_stale_connection_is_replaced_once_and_the_caller_sees_nothing",
    ),
    Deviation(
        "With `api_key`, the caller's credentials (headers and `?key=`) are replaced by it",
        "that is what it is for",
        "`upstreams.NAME.api_key`",
        "core/test_heads.py::test_an_own_key_takes_the_place_of_all_the_callers_credentials",
    ),
    Deviation(
        "Request headers `x-sidecar-…` are not forwarded",
        "they are meant for the sidecar",
        None,
        "core/test_heads.py::test_hints_for_the_sidecar_are_not_forwarded",
    ),
    Deviation(
        "A request whose key belongs to another provider is refused (421)",
        "keys stay home",
        "an explicit route",
        "wire/test_keys.py::test_a_key_goes_nowhere_rather_than_to_a_stranger",
    ),
    Deviation(
        "A `Host` or `Origin` that is not allowed is refused (421, 403)",
        "a web page could otherwise use your keys through your browser",
        "`listen.allowed_hosts`",
        "policies/test_hosts.py::test_any_other_name_is_misdirected",
    ),
    Deviation(
        "Refused as malformed or ambiguous (400, 414, 431, 501, 505): what HTTP/1.1 forbids, "
        "request lines over 8 KiB, header fields over 16 KiB, more than 128 fields, more than "
        "256 requests that wait on one connection, methods "
        "that the parser does not know, `TRACE`, `CONNECT`, targets that are no path",
        "request smuggling begins with two readings of one request",
        None,
        "net/test_requests.py::test_what_http_forbids_is_refused_once_and_nothing_arrives",
    ),
    Deviation(
        "An answer that is not strict HTTP/1.1 (folded headers, bare line feeds, two lengths,"
        " a head over 256 KiB) becomes a 502",
        "response smuggling, likewise",
        None,
        "net/test_reader.py::test_what_is_no_strict_http_is_no_response",
    ),
    Deviation(
        "`Upgrade: websocket` becomes a raw tunnel; any other `Upgrade` is taken out. A connection "
        "is closed after it, and after an HTTP/1.0 request, and says so (`connection: close`)",
        "the next request could not be told apart safely",
        None,
        "net/test_listener.py::test_the_last_request_of_a_connection_closes_it",
    ),
    Deviation(
        "Where a stream to an OpenAI-like upstream does not ask for usage, "
        "`stream_options.include_usage` is inserted, and the one extra event is withheld",
        "usage that the provider counted; off by default",
        "`usage: ask`",
        "wire/test_measures.py::test_usage_is_asked_for_and_the_one_extra_event_is_withheld",
    ),
    Deviation(
        "Failures before the first byte of an answer are told in the provider's own error "
        "shape, with `x-sidecar-error`",
        "there is no answer to pass on",
        None,
        "pipeline/test_answer.py::test_a_failure_is_told_in_the_providers_own_shape_and_names_the_code",
    ),
)


def markdown() -> str:
    """The table of the README."""
    lines = ["| What differs | Why | Setting |", "|---|---|---|"]
    lines += [f"| {d.what} | {d.reason} | {d.setting or '-'} |" for d in DEVIATIONS]
    return "\n".join(lines) + "\n"
