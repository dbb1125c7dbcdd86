"""A credential goes to the provider that it is for, or nowhere (421 `wrong_provider`).

Most tests put origins of our own behind the two known names; all else is the built-in table as it
is shipped. One takes the shipped configuration as it stands, with a proxy of ours on the way out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import pytest

from .caller import Answer, Caller, request
from .origin import Origin, answer, fin
from .relay import LOOPS, Relay

_OPENAI_KEY = b"Authorization: Bearer sk-proj-1234"
_ANTHROPIC_KEY = b"x-api-key: sk-ant-api03-1234"
_VERSION = b"anthropic-version: 2023-06-01"


@dataclass(frozen=True, slots=True)
class House:
    """A relay in front of two providers that note what they see."""

    relay: Relay
    openai: Origin
    anthropic: Origin

    def ask(self, target: str, *headers: bytes, body: bytes | None = b"{}") -> Answer:
        with Caller(self.relay.data) as caller:
            return caller.ask(request(target, body, *headers))

    def seen(self) -> dict[str, int]:
        """How many requests each provider has had."""
        return {"openai": len(self.openai.all_seen), "anthropic": len(self.anthropic.all_seen)}


class _Talkative(Origin):
    """Answers any path with an empty list of models."""

    _BODY = b'{"data": [], "has_more": false, "first_id": null, "last_id": null, "object": "list"}'

    def _next_script(self, path: str) -> Any:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        return answer(head + b"Content-Length: %d\r\n\r\n%b" % (len(self._BODY), self._BODY))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Relay with `openai` and `anthropic`."""
    openai_origin, anthropic_origin = _Talkative(), _Talkative()
    relay = Relay(
        tmp_path_factory.mktemp("keys"),
        f'  openai: {{url: "http://127.0.0.1:{openai_origin.port}"}}\n'
        f'  anthropic: {{url: "http://127.0.0.1:{anthropic_origin.port}"}}\n',
        LOOPS[-1],
    )
    yield House(relay, openai_origin, anthropic_origin)
    assert relay.stop() == 0
    openai_origin.close()
    anthropic_origin.close()


@pytest.fixture(scope="module")
def only_openai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Relay whose single upstream is `openai`."""
    origin, nobody = _Talkative(), _Talkative()
    relay = Relay(
        tmp_path_factory.mktemp("keys-one"),
        f'  openai: {{url: "http://127.0.0.1:{origin.port}"}}\n',
        LOOPS[-1],
    )
    yield House(relay, origin, nobody)
    assert relay.stop() == 0
    origin.close()
    nobody.close()


@pytest.fixture(scope="module")
def with_a_route(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Relay with both, and a route of the operator's own that sends /gate to `openai`."""
    openai_origin, anthropic_origin = _Talkative(), _Talkative()
    relay = Relay(
        tmp_path_factory.mktemp("keys-route"),
        f'  openai: {{url: "http://127.0.0.1:{openai_origin.port}"}}\n'
        f'  anthropic: {{url: "http://127.0.0.1:{anthropic_origin.port}"}}\n',
        LOOPS[-1],
        more="routes:\n  - {name: gate, match: {prefix: /gate}, strip_prefix: true, to: openai}\n",
    )
    yield House(relay, openai_origin, anthropic_origin)
    assert relay.stop() == 0
    openai_origin.close()
    anthropic_origin.close()


def test_the_shipped_configuration_sends_anthropics_list_of_models_to_anthropic_alone(
    tmp_path: Path,
) -> None:
    """Seen from the egress proxy: which origin is a tunnel asked for? None is ever opened."""
    proxy = Origin()
    refused = answer(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", fin)
    for host in ("api.anthropic.com:443", "api.openai.com:443"):
        proxy.at(host, refused)
    out = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    relay = Relay(tmp_path, None, LOOPS[-1], environment=out)
    base_url = f"http://127.0.0.1:{relay.data[1]}"
    try:
        for key, token in (("sk-ant-1", None), (None, "sk-ant-oat01-1"), ("k", None)):
            with (
                anthropic.Anthropic(
                    api_key=key, auth_token=token, base_url=base_url, max_retries=0
                ) as client,
                pytest.raises(anthropic.InternalServerError) as caught,
            ):
                client.models.list()
            assert caught.value.status_code == 502
        assert {seen.target for seen in proxy.all_seen} == {"api.anthropic.com:443"}
        assert not any(b"sk-ant" in seen.head for seen in proxy.all_seen)
        with Caller(relay.data) as caller:
            assert caller.ask(request("/v1/models", None, _OPENAI_KEY)).status == 502
        assert len(proxy.seen("api.openai.com:443")) == 1
    finally:
        assert relay.stop() == 0
        proxy.close()


def test_anthropics_list_of_models_never_reaches_openai(both: House) -> None:
    """`GET /v1/models` is a path of both; the SDK's headers say whose it is."""
    before = both.seen()
    base_url = f"http://127.0.0.1:{both.relay.data[1]}"
    with anthropic.Anthropic(api_key="sk-ant-api03-1234", base_url=base_url) as client:
        assert client.models.list().data == []
    with anthropic.Anthropic(auth_token="sk-ant-oat01-1234", base_url=base_url) as client:
        assert client.models.list().data == []
    with anthropic.Anthropic(api_key="of no known form", base_url=base_url) as client:
        assert client.models.list().data == []
    assert both.seen() == {
        "openai": before["openai"],
        "anthropic": before["anthropic"] + 3,
    }


@pytest.mark.parametrize(
    ("target", "headers", "goes_to"),
    [
        ("/v1/models", (_OPENAI_KEY,), "openai"),
        ("/v1/models", (_ANTHROPIC_KEY, _VERSION), "anthropic"),
        ("/v1/models", (_VERSION,), "anthropic"),
        ("/v1/chat/completions", (b"Authorization: Bearer sk-ant-1",), "anthropic"),
        ("/v1/chat/completions", (_OPENAI_KEY,), "openai"),
        ("/v1/messages", (_ANTHROPIC_KEY,), "anthropic"),
        ("/openai/v1/models", (_OPENAI_KEY,), "openai"),
        ("/anthropic/v1/models", (_ANTHROPIC_KEY,), "anthropic"),
        ("/v1/models", (), "openai"),
    ],
)
def test_a_key_goes_to_its_own_provider(
    both: House, target: str, headers: tuple[bytes, ...], goes_to: str
) -> None:
    before = both.seen()
    assert both.ask(target, *headers).status == 200
    assert both.seen() == before | {goes_to: before[goes_to] + 1}


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        # Marked for a provider that is not configured.
        ("/v1/chat/completions", (b"Authorization: Bearer gsk_1234",)),
        ("/v1/chat/completions", (b"Authorization: Bearer xai-1234",)),
        ("/v1/chat/completions", (b"Authorization: Bearer sk-or-v1-1234",)),
        ("/v1/chat/completions", (b"Authorization: Bearer ya29.1234",)),
        ("/v1/chat/completions", (b"x-goog-api-key: AIzaSy1234",)),
        ("/v1/chat/completions", (b"x-goog-api-key: of no known form",)),
        ("/v1/chat/completions?key=AIzaSy1234", ()),
        ("/v1/chat/completions?a=b&key=%41IzaSy1234", ()),
        ("/openai/deployments/gpt-4o/chat/completions", (b"api-key: 1234",)),
        ("/openai/v1/chat/completions", (b"api-key: 1234",)),
        # The path names one provider, the key is another's.
        ("/openai/v1/models", (_ANTHROPIC_KEY,)),
        ("/openai/v1/models", (b"Authorization: Bearer sk-ant-1234",)),
        ("/openai/v1/models", (b"Authorization: bearer  sk-ant-1234",)),
        ("/openai/v1/chat/completions", (b"Authorization: Bearer gsk_1234",)),
        ("/anthropic/v1/messages", (b"Authorization: Bearer gsk_1234",)),
        # Two keys that cannot be for the same one.
        ("/v1/models", (_ANTHROPIC_KEY, b"Authorization: Bearer gsk_1234")),
    ],
)
def test_a_key_goes_nowhere_rather_than_to_a_stranger(
    both: House, target: str, headers: tuple[bytes, ...]
) -> None:
    before = both.seen()
    got = both.ask(target, *headers)
    assert got.status == 421
    assert got.header(b"x-sidecar-error") == b"wrong_provider"
    assert both.seen() == before
    assert b"1234" not in got.body
    told = json.loads(got.body)["error"]
    assert told["sidecar"]["code"] == "wrong_provider"
    assert "base URL" in told["message"] or "configured are openai, anthropic" in told["message"]


def test_the_refusal_names_the_base_url_to_use(both: House) -> None:
    got = both.ask("/openai/v1/models", _ANTHROPIC_KEY)
    assert "/anthropic" in json.loads(got.body)["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        (_ANTHROPIC_KEY,),
        (b"Authorization: Bearer gsk_1234",),
        (b"x-goog-api-key: AIza1234",),
        (b"Authorization: Bearer xai-1234",),
    ],
)
def test_a_single_upstream_refuses_a_key_of_another_known_form(
    only_openai: House, headers: tuple[bytes, ...]
) -> None:
    before = only_openai.seen()
    got = only_openai.ask("/v1/models", *headers)
    assert (got.status, got.header(b"x-sidecar-error")) == (421, b"wrong_provider")
    assert only_openai.seen() == before


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v1/models", (_OPENAI_KEY,)),
        ("/v1/models", (_VERSION,)),
        ("/v1/messages", (b"x-api-key: of no known form", _VERSION)),
        ("/any/path/at/all", ()),
    ],
)
def test_a_single_upstream_takes_all_else(
    only_openai: House, target: str, headers: tuple[bytes, ...]
) -> None:
    before = only_openai.seen()["openai"]
    assert only_openai.ask(target, *headers).status == 200
    assert only_openai.seen()["openai"] == before + 1


def test_an_explicit_route_may_do_otherwise(with_a_route: House) -> None:
    assert with_a_route.ask("/gate/v1/models", _ANTHROPIC_KEY).status == 200
    seen = with_a_route.openai.all_seen[-1]
    assert (seen.target, seen.header(b"x-api-key")) == ("/v1/models", b"sk-ant-api03-1234")
    assert with_a_route.anthropic.all_seen == []


def test_an_unknown_path_is_told_what_there_is(both: House) -> None:
    before = both.seen()
    got = both.ask("/unheard/of")
    assert (got.status, got.header(b"x-sidecar-error")) == (404, b"no_route")
    assert "openai, anthropic" in json.loads(got.body)["error"]["message"]
    assert both.seen() == before
