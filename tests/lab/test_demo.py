"""The demo as a whole, on ports of its own, and its parts against the mock alone."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from sidecar.core.errors import StartError
from sidecar.lab import demo
from sidecar.lab.demo import Ports
from sidecar.lab.mock import Mock


@pytest.fixture
def ports() -> Ports:
    """Three free ones; held together, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return Ports(*numbers)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_runs_for_as_long_as_told_counts_and_leaves_nothing_behind(
    ports: Ports, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # A variable of the user's that would move the proxy elsewhere.
    monkeypatch.setenv("SIDECAR_LISTEN", "127.0.0.1:1")
    monkeypatch.setattr(demo, "_PLAIN_EVERY_S", 0.5)
    assert demo.run(1.2, ports) == 0
    told = capfd.readouterr().out
    assert f"OPENAI_BASE_URL=http://127.0.0.1:{ports.data}/v1" in told
    assert re.search(r"^requests \d+ · in flight \d+ · ok [1-9]", told, re.MULTILINE)
    counted = re.search(r"the proxy counted +(\d+) requests: .*ok \d+", told)
    seen = re.search(r"its callers saw +(\d+) requests: .*ok \d+", told)
    assert counted is not None
    assert seen is not None
    assert int(counted[1]) == int(seen[1]) > 5
    assert re.search(r"first token +p50 \d+ ms, p95 \d+ ms", told)
    assert all(_is_free(port) for port in (ports.data, ports.admin, ports.mock))
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_it_with_a_summary_and_exit_status_0(ports: Ports) -> None:
    code = (
        "from sidecar.lab import demo; demo._FINISH_WITHIN_S = 0.1;"
        f"ports = demo.Ports({ports.data}, {ports.admin}, {ports.mock});"
        "raise SystemExit(demo.run(None, ports))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        for line in process.stdout:
            if b"mock,fault=cut@5" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        status = process.wait(10)
        watchdog.cancel()
    assert status == 0
    assert b"summary" in rest
    assert all(_is_free(port) for port in (ports.data, ports.admin, ports.mock))


@pytest.mark.parametrize("which", ["data", "admin", "mock"])
def test_a_taken_port_is_one_sentence_that_names_it(ports: Ports, which: str) -> None:
    port = getattr(ports, which)
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StartError, match=rf"^the demo needs port {port} of 127\.0\.0\.1 for .*$"),
    ):
        demo.run(1, ports)


def test_a_part_that_does_not_start_is_told_with_its_log(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(demo, "config_of", lambda ports: "nonsense: true\n")
    with pytest.raises(StartError, match="the proxy did not start; its log: ") as caught:
        demo.run(1, ports)
    log = Path(str(caught.value).rpartition(" ")[2])
    assert "nonsense" in log.read_text()
    assert all(_is_free(port) for port in (ports.data, ports.admin, ports.mock))


def test_the_proxys_configuration_points_both_names_at_the_mock(ports: Ports) -> None:
    config = yaml.safe_load(demo.config_of(ports))
    url = f"http://127.0.0.1:{ports.mock}"
    assert config["upstreams"] == {"openai": {"url": url}, "anthropic": {"url": url}}
    assert config["listen"]["address"] == f"127.0.0.1:{ports.data}"


def test_what_it_says_to_paste_can_be_pasted(mock: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell reads it as printed and hands over the code; the mock stands in the proxy's place."""
    text = demo.how_to_try(Ports(data=mock.address.port))
    script = text[text.index("# OpenAI's SDK") : text.index("# what passed")]
    show = 'python() { printf "%s\\0%s\\0%s\\0" "$OPENAI_BASE_URL" "$ANTHROPIC_BASE_URL" "$2"; }\n'
    shown = subprocess.run(["sh", "-c", show + script], capture_output=True, check=True)
    openai_url, _, openai_code, _, anthropic_url, anthropic_code, _ = shown.stdout.decode().split(
        "\0"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", anthropic_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")

    def told_by(code: str) -> str:
        told: list[str] = []
        exec(code, {"print": lambda text, **_: told.append(text)})
        return "".join(told)

    with ThreadPoolExecutor() as threads:
        for told in threads.map(told_by, (openai_code, anthropic_code)):
            assert told.startswith("The quick brown fox")
