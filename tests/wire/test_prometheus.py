"""A real Prometheus: it finds nothing wrong, scrapes, keeps exemplars and answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .caller import LAST_CHUNK, Caller, chunk, request
from .conftest import Side
from .origin import answer
from .relay import Relay, free_port

CHAT = "/v1/chat/completions"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"traceparent: 00-{TRACE_ID}-b7ad6b7169203331-01".encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = (
    b'data: {"model":"gpt-4o","choices":[{"delta":{"content":"x"}}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
)
STREAM = HEAD + chunk(EVENT) + chunk(EVENT) + chunk(b"data: [DONE]\n\n") + LAST_CHUNK


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus")
    return found


@pytest.fixture
def busy(tmp_path: Path, plain: Side) -> Iterator[Relay]:
    url = f"http://127.0.0.1:{plain.origin.port}"
    made = Relay(
        tmp_path,
        f'  plain: {{url: "{url}", dialect: openai, provider: openai}}\n',
        telemetry=", metrics: {semconv: both}",
    )
    with Caller(made.data) as caller:
        for _ in range(3):
            target, _ = plain.script(answer(STREAM), end=CHAT)
            caller.ask(request(target, b'{"model":"gpt-4o"}', PARENT))
        target, _ = plain.script(answer(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), end=CHAT)
        caller.ask(request(target, b"{}"))
    yield made
    made.assert_settled()
    assert made.stop() == 0


def test_promtool_finds_nothing_wrong(busy: Relay) -> None:
    page = busy.page("/metrics")[1]
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


class Server:
    """Prometheus on a free port, with its files in a folder of ours."""

    def __init__(self, folder: Path, target: str) -> None:
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            f'- {{job_name: sidecar, static_configs: [{{targets: ["{target}"]}}]}}\n'
        )
        self._port = free_port()
        self._process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=5) as response:
            told = json.load(response)
        assert told["status"] == "success"
        return told["data"]

    def value(self, query: str) -> float | None:
        """Of a query with one result; None while there is none."""
        try:
            result = self.ask("query", query=query)["result"]
        except OSError:
            return None
        return float(result[0]["value"][1]) if result else None

    def wait_for(self, query: str, expected: float, within_s: float = 30.0) -> None:
        end = time.monotonic() + within_s
        while (found := self.value(query)) != expected:
            assert time.monotonic() < end, f"{query} is {found}, not {expected}"
            time.sleep(0.2)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def test_a_real_prometheus_scrapes_keeps_exemplars_and_answers(busy: Relay, tmp_path: Path) -> None:
    program("prometheus")
    server = Server(tmp_path, f"127.0.0.1:{busy.admin[1]}")
    try:
        server.wait_for('llm_sidecar_requests_total{upstream="plain",outcome="ok"}', 3)
        server.wait_for("up", 1)
        assert server.value("sum(llm_sidecar_requests_total) + sum(llm_sidecar_requests_in_flight)"
                            " - sum(llm_sidecar_requests_started_total)") == 0  # fmt: skip
        assert server.value('llm_sidecar_failures_total{reason="http_5xx"}') == 1
        assert server.value("sum(llm_sidecar_tokens_total)") == 15
        assert server.value("llm_sidecar_phase_seconds_count{phase='answer'}") == 4
        assert server.value("gen_ai_client_operation_duration_seconds_count{error_type=''}") == 3
        quantile = "histogram_quantile(0.5, llm_sidecar_time_to_first_token_seconds_bucket)"
        assert server.value(quantile) is not None
        # Types and help have come along.
        kinds = server.ask("metadata")
        assert kinds["llm_sidecar_time_to_first_token_seconds"][0]["type"] == "histogram"
        now = float(server.ask("query", query="time()")["result"][1])
        series = server.ask(
            "query_exemplars",
            query="llm_sidecar_request_duration_seconds_bucket",
            start=str(now - 60),
            end=str(now + 60),
        )
        ids = {one["labels"]["trace_id"] for found in series for one in found["exemplars"]}
        assert ids == {TRACE_ID}
    finally:
        server.stop()
