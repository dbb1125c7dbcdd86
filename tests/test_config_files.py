"""The shipped configuration is the default one, and every example loads."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.core.providers import KNOWN
from sidecar.policies import patience
from sidecar.settings.blocks import rows
from sidecar.settings.doors import ADMIN_APART, AUTH_KEYS, LISTEN_APART
from sidecar.settings.load import TOP_KEYS, load
from sidecar.settings.observing import APART, LABEL_KEYS, OTLP_APART
from sidecar.settings.schema import Admin, Listen, Scrape, ServerTls, Shutdown, Tls
from sidecar.settings.telemetry import Log, Metrics, Otlp, Telemetry, Traces
from sidecar.settings.upstreams import DEFAULTS_KEYS, Defaults
from sidecar.telemetry import names

CONFIG = Path(__file__).parent.parent / "config"
SHIPPED = CONFIG / "sidecar.yaml"
EXAMPLES = sorted((CONFIG / "examples").glob("*.yaml"))


def written_keys(text: str) -> set[str]:
    return set(re.findall(r"([a-z_]+):", text))


def test_the_shipped_file_equals_the_built_in_configuration():
    shipped, built_in = load(str(SHIPPED), env={}), load(None, env={})
    assert dataclasses.replace(shipped, source=built_in.source) == built_in


def test_the_shipped_file_teaches_every_key():
    keys = {
        *TOP_KEYS,
        *LISTEN_APART,
        *ADMIN_APART,
        *AUTH_KEYS,
        *APART,
        *OTLP_APART,
        *LABEL_KEYS,
        "propagate",
        *DEFAULTS_KEYS,
        "url",
        "dialect",
        "provider",
    }
    keys |= {"name", "match", "strip_prefix", "to", "path", "prefix", "method", "header", "model"}
    defaults = Defaults()
    blocks = (Listen, Admin, Scrape, Log, Shutdown, Telemetry, ServerTls, patience.Rule, Tls)
    for block in (*blocks, Otlp, Traces, Metrics, type(defaults.pool), type(defaults.timeouts)):
        keys |= {row.key for row in rows(block)}
    assert keys - written_keys(SHIPPED.read_text()) == set()


def test_the_shipped_file_names_every_known_provider():
    text = SHIPPED.read_text()
    assert [name for name in KNOWN if name not in text] == []


def test_what_the_shipped_file_shows_in_comments_loads_too(tmp_path: Path):
    text = SHIPPED.read_text().replace("routes: []", "routes:")
    shown = re.sub(r"(?m)^# (?=upstreams:|  )", "", text)
    assert "\nupstreams:\n  openai: {}\n" in shown
    file = tmp_path / "shown.yaml"
    file.write_text(shown)
    settings = load(str(file), env={"GATEWAY_KEY": "k"})
    assert [upstream.name for upstream in settings.upstreams] == ["openai", "gateway"]
    assert [route.name for route in settings.routes] == ["search", "batches"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads(example: Path, tmp_path: Path):
    text = example.read_text()
    # The files that an example names are not here: each is replaced by one that is.
    for name in set(re.findall(r"/(?:etc|run)/[\w./-]+", text)):
        stand_in = tmp_path / name.replace("/", "_")
        stand_in.write_text("stand-in")
        text = text.replace(name, str(stand_in))
    file = tmp_path / example.name
    file.write_text(text)
    names = re.findall(r"env:(\w+)", text)
    env = {name: "https://h.example" if name.endswith("_URL") else "k" for name in names}
    settings = load(str(file), env=env)
    assert settings.upstreams


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {
        "openai-only",
        "own-gateway",
        "azure",
        "corporate-proxy",
    }


OBSERVABILITY = CONFIG / "examples" / "observability"


def _yaml(name: str) -> Any:
    return yaml.safe_load((OBSERVABILITY / name).read_text())


def test_the_observability_example_fits_together():
    """Every port that one file names is one where another listens."""
    settings = load(str(OBSERVABILITY / "sidecar.yaml"), env={})
    assert settings.warnings == ()
    services = _yaml("compose.yaml")["services"]
    assert set(services) == {"sidecar", "collector", "prometheus", "tempo", "grafana"}
    listen, scrape = settings.listen.address, settings.scrape.address
    assert services["sidecar"]["ports"] == [f"127.0.0.1:{listen.port}:{listen.port}"]
    assert "sidecar" in (settings.listen.allowed_hosts or ())
    collector = _yaml("collector.yaml")
    receiving = collector["receivers"]["otlp"]["protocols"]
    assert settings.telemetry.channel("traces").url == (
        f"http://collector:{_port(receiving['http']['endpoint'])}/v1/traces"
    )
    tempo = _yaml("tempo.yaml")
    tempo_port = _port(tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"])
    assert collector["exporters"]["otlp/tempo"]["endpoint"] == f"tempo:{tempo_port}"
    assert collector["service"]["pipelines"]["traces"]["exporters"] == ["otlp/tempo"]
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in _yaml("prometheus.yml")["scrape_configs"]
    }
    assert jobs == {
        "llm-sidecar": [f"sidecar:{scrape.port}"],
        "collector": [f"collector:{_port(collector['exporters']['prometheus']['endpoint'])}"],
    }
    sources = _yaml("grafana/provisioning/datasources/datasources.yaml")["datasources"]
    urls = {source["uid"]: source["url"] for source in sources}
    assert urls["tempo"] == f"http://tempo:{tempo['server']['http_listen_port']}"
    [destination] = sources[0]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": "trace_id", "datasourceUid": "tempo"}
    for service in services.values():
        for volume in service.get("volumes", ()):
            here = (OBSERVABILITY / volume.split(":")[0]).resolve()
            assert here.exists(), volume
        assert re.search(r":v?\d+\.\d+", service["image"]), "pinned"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_what_the_example_asks_prometheus_for_exists():
    text = (OBSERVABILITY / "README.md").read_text()
    asked = set(re.findall(r"llm_sidecar_[a-z_]+", text))
    known = {family.name for family in names.FAMILIES}
    assert asked
    assert {re.sub("_bucket$", "", name) for name in asked} <= known
