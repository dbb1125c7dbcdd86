"""The command line as a person meets it: what is printed where, and the exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar import __version__, cli
from sidecar.core.errors import StartError
from sidecar.core.sdks import SDKS

COMMANDS = ("run", "check", "config", "env", "mock", "demo")
BASE = "http://127.0.0.1:8484"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sidecar.yaml of the folder that the tests run in, no variables of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("SIDECAR_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def sidecar(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The real thing, in a process of its own."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_good_file_is_ok(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("listen: {address: 127.0.0.1:1}")
    done = sidecar("check", "a.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a.yaml: ok\n", "")


def test_bad_files_are_told_line_by_line_without_a_traceback(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("listn: 1\nversion: 3\n")
    (tmp_path / "b.yaml").write_text("{}")
    done = sidecar("check", "a.yaml", "b.yaml", "c.yaml")
    assert done.returncode == 1
    assert done.stdout == "b.yaml: ok\n"
    assert done.stderr.splitlines() == [
        "a.yaml:1:1: listn: unknown key; did you mean 'listen'?",
        "a.yaml:2:10: version: expected 1",
        "c.yaml: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("check",),
        ("run", "--nope"),
        ("demo", "--for", "5"),
        ("mock", "--listen", "x"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: sidecar" in capsys.readouterr().err


def test_help_of_every_command_teaches_by_example(capsys: pytest.CaptureFixture[str]):
    for arguments in ((), *((command,) for command in COMMANDS)):
        with pytest.raises(SystemExit) as caught:
            cli.main([*arguments, "--help"])
        assert caught.value.code == 0
        shown = capsys.readouterr().out
        assert "examples:" in shown or "first steps:" in shown
        assert max(map(len, shown.splitlines())) <= 100
    assert all(command in cli._parser().format_help() for command in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sidecar {__version__}\n"


def test_the_effective_configuration_is_yaml_without_secrets(tmp_path: Path):
    (tmp_path / "sidecar.yaml").write_text("upstreams: {openai: {api_key: '${env:K}'}}")
    done = sidecar("config", "--set", "defaults.timeouts.idle=9s", K="sk-canary")
    assert done.returncode == 0
    assert done.stdout.startswith("# source: sidecar.yaml, hash: ")
    assert "idle: 9s" in done.stdout
    assert "canary" not in done.stdout + done.stderr
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert sidecar("check", "again.yaml").returncode == 0


def test_the_json_schema_is_json(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["config", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "sidecar.yaml"


@pytest.mark.parametrize("command", ["run", "config"])
def test_a_problem_is_one_sentence_and_exits_with_1(
    command: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main([command, "-c", "nowhere.yaml"]) == 1
    shown = capsys.readouterr()
    assert shown.err == "nowhere.yaml: cannot be read: No such file or directory\n"
    assert shown.out == ""
    assert cli.main([command, "--set", "x"]) == 1
    assert capsys.readouterr().err.startswith("--set: is written")


def test_a_problem_at_start_is_one_sentence_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(_: object) -> int:
        raise StartError("the port is taken")

    monkeypatch.setattr(cli, "_env", fail)
    assert cli.main(["env"]) == 1
    assert capsys.readouterr().err == "sidecar: the port is taken\n"


def test_an_interrupt_is_quiet_and_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_env", interrupt)
    assert cli.main(["env"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_away_is_no_traceback():
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "config", "--schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(10) == 1


def variables(shell: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["env", "--shell", shell, *arguments]) == 0
    return capsys.readouterr().out


def test_a_shell_takes_the_variables(capsys: pytest.CaptureFixture[str]):
    text = variables("sh", capsys)
    names = " ".join(f'"${sdk.variable}"' for sdk in SDKS)
    done = subprocess.run(
        ["sh", "-eu", "-c", f"{text}\nprintf '%s\\n' {names}"], capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [sdk.value(BASE) for sdk in SDKS]
    assert "OPENAI_BASE_URL=http://127.0.0.1:8484/v1\n" in text
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:8484\n" in text
    assert 'Mistral(server_url="http://127.0.0.1:8484/mistral")' in text


def test_every_shell_has_its_own_words(capsys: pytest.CaptureFixture[str]):
    assert f"set -gx CO_API_URL {BASE}/cohere\n" in variables("fish", capsys)
    assert f'$env:GROQ_BASE_URL = "{BASE}/groq"\n' in variables("powershell", capsys)
    dotenv = variables("dotenv", capsys)
    assert all(line[0] == "#" or "=" in line for line in dotenv.splitlines())


@pytest.mark.parametrize(
    ("address", "base_url"),
    [
        ("127.0.0.1:9", "http://127.0.0.1:9"),
        (":9", "http://127.0.0.1:9"),
        ("localhost:9", "http://127.0.0.1:9"),
        ("[::]:9", "http://[::1]:9"),
        ("sidecar.example:9", "http://sidecar.example:9"),
    ],
)
def test_the_variables_name_an_address_that_can_be_called(
    address: str, base_url: str, capsys: pytest.CaptureFixture[str]
):
    text = variables("dotenv", capsys, "--address", address)
    assert f"ANTHROPIC_BASE_URL={base_url}\n" in text


def test_the_address_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SIDECAR_LISTEN", "127.0.0.1:7")
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:7\n" in variables("dotenv", capsys)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "$(id):80", "a;b:80"])
def test_nothing_is_printed_that_a_shell_would_run(
    address: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["env", "--address", address]) == 1
    assert capsys.readouterr().out == ""


def test_the_usual_shell_is_guessed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert cli._usual_shell() == "fish"
    monkeypatch.setenv("SHELL", "/bin/zsh")
    assert cli._usual_shell() == "sh"


def test_check_does_not_wait_for_the_engine():
    code = (
        "import sys; from sidecar.cli import main; main(['check', 'c.yaml']);"
        "assert not {'aiohttp', 'asyncio', 'sidecar.app'} & set(sys.modules)"
    )
    Path("c.yaml").write_text("{}")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
    )


def test_the_console_script_is_the_same_command():
    script = shutil.which("sidecar", path=str(Path(sys.executable).parent))
    if script is not None:  # run from a checkout that is not installed, there is none
        done = subprocess.run([script, "--version"], capture_output=True, text=True)
        assert done.stdout == f"sidecar {__version__}\n"
