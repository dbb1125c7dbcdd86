"""Send traces and metrics to the real Collector, over HTTP and gRPC, and read what it printed.

Knows: how the Collector is built by its own builder, configured and started; what its debug
exporter says.
Must not know: anything inside the sidecar. Needs Go, and the network for the first build; so it is
no part of `make test`, where tests/wire speaks to the published services instead.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.wire.caller import Caller, request
from tests.wire.origin import Origin, answer
from tests.wire.relay import Relay, free_port

VERSION = "0.155.0"
BUILT = Path(__file__).parents[2] / ".venv" / f"otelcol-{VERSION}"
REQUESTS = 20
SPANS = 3 * REQUESTS
_BUILDER = f"""\
dist: {{name: otelcol, output_path: .}}
receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v{VERSION}}}]
processors: [{{gomod: go.opentelemetry.io/collector/processor/batchprocessor v{VERSION}}}]
exporters: [{{gomod: go.opentelemetry.io/collector/exporter/debugexporter v{VERSION}}}]
providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider v1.61.0
  - gomod: go.opentelemetry.io/collector/confmap/provider/fileprovider v1.61.0
"""
_CONFIG = """\
receivers:
  otlp:
    protocols:
      http: {{endpoint: "127.0.0.1:{http}"}}
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
processors: {{batch: {{timeout: 100ms}}}}
exporters: {{debug: {{verbosity: normal, sampling_initial: 1000000}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [debug]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [debug]}}
"""
EVENT = (
    b'data: {"id":"c","model":"gpt-4o","choices":[{"delta":{"content":"x"}}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
)
STREAM = (
    (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
        % (2 * len(EVENT) + 14)
    )
    + EVENT * 2
    + b"data: [DONE]\n\n"
)


def build() -> Path:
    """The Collector's binary; made once."""
    binary = BUILT / "otelcol"
    if not binary.exists():
        if shutil.which("go") is None:
            sys.exit("Go is needed to build the Collector: https://go.dev/dl")
        print(f"building the Collector {VERSION} (about two minutes, once)", flush=True)
        BUILT.mkdir(parents=True, exist_ok=True)
        (BUILT / "builder.yaml").write_text(_BUILDER)
        builder = f"go.opentelemetry.io/collector/cmd/builder@v{VERSION}"
        subprocess.run(["go", "run", builder, "--config", "builder.yaml"], cwd=BUILT, check=True)
    return binary


def run(binary: Path, protocol: str, folder: Path) -> str:
    """What the Collector printed about one run."""
    ports = {"http": free_port(), "grpc": free_port()}
    config = folder / "collector.yaml"
    config.write_text(_CONFIG.format(**ports))
    out = (folder / "collector.log").open("w+b")
    collector = subprocess.Popen([binary, "--config", config], stdout=out, stderr=out)
    origin = Origin()
    try:
        wait_for(ports[protocol.partition("/")[0]])
        endpoint = f"http://127.0.0.1:{ports[protocol.partition('/')[0]]}"
        relay = Relay(
            folder,
            f'  plain: {{url: "http://127.0.0.1:{origin.port}", provider: openai}}\n',
            telemetry=f', otlp: {{endpoint: "{endpoint}", protocol: {protocol}, interval: 300ms}},'
            " metrics: {export: both, semconv: both}",
        )
        with Caller(relay.data) as caller:
            for _ in range(REQUESTS):
                path = origin.script(answer(STREAM), end="/v1/chat/completions")
                assert caller.ask(request(path, b'{"model":"gpt-4o"}')).status == 200
        time.sleep(1.5)
        lost = relay.total("telemetry_dropped_total")
        assert relay.stop() == 0
        assert lost == 0, f"{lost} dropped"
        time.sleep(0.5)
    finally:
        origin.close()
        collector.terminate()
        collector.wait(10)
    out.seek(0)
    return out.read().decode(errors="replace")


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the Collector did not start")


def counted(log: str, what: str) -> int:
    return sum(int(number) for number in re.findall(rf'"{what}": (\d+)', log))


def main() -> None:
    binary = build()
    for protocol in ("http/protobuf", "grpc"):
        with tempfile.TemporaryDirectory() as folder:
            log = run(binary, protocol, Path(folder))
        bad = [line for line in log.splitlines() if re.search(r"\t(error|warn)\t", line)]
        assert not bad, bad
        spans, points = counted(log, "spans"), counted(log, "data points")
        assert spans == SPANS, f"{spans} of {SPANS} spans"
        assert points > 100, f"{points} data points"
        print(f"{protocol}: {spans} spans and {points} data points, nothing rejected")


if __name__ == "__main__":
    main()
