"""Settings become what the pipeline walks."""

from __future__ import annotations

from sidecar import plan
from sidecar.policies.routing import Asked, Routed
from sidecar.settings.load import load


class Live:
    """Stands for a live upstream; a plan only carries it."""


def test_each_upstream_is_a_target_with_its_own_live_end() -> None:
    settings = load(None, sets=["listen.max_request_body=1KiB"], env={})
    live = {upstream.name: Live() for upstream in settings.upstreams}
    made = plan.build(settings, live)  # type: ignore[arg-type]  # only carried
    assert set(made.targets) == set(live)
    assert all(made.targets[name].upstream is live[name] for name in live)
    assert made.targets["anthropic"].dialect == "anthropic"
    assert made.max_request_body_bytes == 1024
    assert made.allowed_hosts == settings.listen.allowed_hosts
    assert made.hash == settings.hash


def test_its_router_knows_them() -> None:
    settings = load(None, env={})
    made = plan.build(settings, {u.name: Live() for u in settings.upstreams})  # type: ignore[arg-type,misc]  # only carried
    routed = made.router.route(Asked("POST", "/v1/messages", plan.routing.keys.UNMARKED))
    assert isinstance(routed, Routed)
    assert routed.upstream == "anthropic"


def test_who_tells_usage_anyway_is_not_asked() -> None:
    for usage, names in (("ask", {"openai", "groq"}), ("as_sent", set())):
        settings = load(None, sets=[f"defaults.usage={usage}"], env={})
        made = plan.build(settings, {u.name: Live() for u in settings.upstreams})  # type: ignore[arg-type,misc]  # only carried
        asked = {name for name, target in made.targets.items() if target.asks_usage}
        assert names <= asked
        assert "mistral" not in asked
        assert bool(asked) is bool(names)
