"""The exporters that settings ask for, and what they know of themselves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sidecar.settings.telemetry import Metrics, Otlp, Telemetry, Traces
from sidecar.telemetry.exports import Exports, resource_of
from sidecar.telemetry.page import Page
from tests.wire.collector import Collector
from tests.wire.relay import free_port


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def _exports(telemetry: Telemetry) -> Exports:
    return Exports(telemetry, {}, False, lambda signal, reason, count: None)


async def test_nothing_is_made_where_nothing_is_asked_for() -> None:
    exports = _exports(Telemetry())
    exports.start(lambda: Page((), 1), tuple)
    assert (exports.traced, exports.sampling, list(exports.news())) == (None, None, [])
    await exports.close()


def test_opentelemetry_is_imported_only_if_it_is_needed_and_grpc_only_if_it_is_chosen() -> None:
    program = (
        "import sys, sidecar.process\n"
        "heavy = ('opentelemetry', 'grpc', 'google.')\n"
        "assert not [name for name in sys.modules if name.startswith(heavy)]\n"
        "import sidecar.telemetry.otlp.exporter, sidecar.telemetry.otlp.over_http\n"
        "assert 'grpc' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_pages_leave_at_each_interval_and_once_more_at_the_end(collector: Collector) -> None:
    otlp = Otlp(endpoint=collector.http_url, interval_s=0.05)
    exports = _exports(Telemetry(otlp=otlp, metrics=Metrics(export="otlp")))
    pages = iter(range(1, 10_000))
    prepared: list[int] = []

    def prepare() -> Iterator[None]:
        prepared.append(1)
        yield

    from sidecar.telemetry.ledger import Ledger
    from sidecar.telemetry.page import Pages

    books = Pages(Ledger([]), list, list, "1", wall_ns=lambda: next(pages))
    exports.start(lambda: books.page("otlp"), prepare)
    while len(collector.metrics) < 3:
        await asyncio.sleep(0.01)
    await exports.close()
    made = next(pages) - 1
    assert len(collector.metrics) == made == len(prepared)


async def test_trouble_is_news_once_and_so_is_its_end(collector: Collector) -> None:
    otlp = Otlp(endpoint=f"http://127.0.0.1:{free_port()}", interval_s=0.02, timeout_s=0.1)
    exports = _exports(Telemetry(otlp=otlp, metrics=Metrics(export="otlp")))
    from sidecar.telemetry.ledger import Ledger
    from sidecar.telemetry.page import Pages

    books = Pages(Ledger([]), list, list, "1")
    exports.start(lambda: books.page("otlp"), tuple)
    told: list[tuple[str, str | None]] = []
    for _ in range(200):
        told += exports.news()
        if told:
            break
        await asyncio.sleep(0.01)
    await exports.close()
    [(signal, trouble)] = told
    assert signal == "metrics"
    assert trouble is not None
    assert list(exports.news()) == []


def test_who_we_are_and_what_the_settings_say_instead() -> None:
    resource = dict(resource_of(Telemetry()))
    assert resource["service.name"] == "llm-sidecar"
    assert {"service.version", "service.instance.id", "host.name", "process.pid"} <= resource.keys()
    named = Telemetry(otlp=Otlp(resource=(("service.name", "mine"), ("a", "b"))))
    told = dict(resource_of(named))
    assert (told["service.name"], told["a"]) == ("mine", "b")


def test_the_rule_of_sampling_is_the_settings(collector: Collector) -> None:
    exports = _exports(
        Telemetry(otlp=Otlp(endpoint=collector.http_url), traces=Traces(sample_ratio=0.25))
    )
    rule = exports.sampling
    assert rule is not None
    assert (rule.ratio, rule.is_parent_based) == (0.25, True)
    asyncio.run(exports.close())
