"""argv -> a command. The only place that prints and that decides the exit status.

Knows: the commands, their options and their help; 0 done, 1 a problem in one clear sentence,
2 usage.
Must not know: how anything is done. What a command needs is imported when it runs, so that
`sidecar check` does not wait for the engine to load.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

from sidecar import __version__
from sidecar.core.address import Address, BadAddressError, parse_address
from sidecar.core.errors import SidecarError
from sidecar.core.units import BadUnitError, parse_duration

DONE: Final = 0
PROBLEM: Final = 1
INTERRUPTED: Final = 130
_DEFAULT_LISTEN: Final = "127.0.0.1:8484"
_DEFAULT_MOCK: Final = "127.0.0.1:8488"

_DESCRIPTION: Final = """\
A transparent sidecar for AI-provider traffic: set one base URL, change nothing else,
and see every stream from its first token to its last byte."""

_EPILOG: Final = """\
first steps:
  sidecar demo                                   everything at once, without key or network
  sidecar run                                    the proxy on 127.0.0.1:8484
  export OPENAI_BASE_URL=http://127.0.0.1:8484/v1
  export ANTHROPIC_BASE_URL=http://127.0.0.1:8484
  curl http://127.0.0.1:8486/exchanges           what passed

`sidecar COMMAND --help` has examples of each command.
exit status: 0 done; 1 a problem, said on stderr; 2 wrong usage; 130 interrupted"""

_RUN_EPILOG: Final = """\
where the configuration comes from (the first that there is):
  -c FILE, $SIDECAR_CONFIG, ./sidecar.yaml, /etc/sidecar/sidecar.yaml, built-in
what stands above it:
  --set, then SIDECAR_LISTEN, SIDECAR_ADMIN and SIDECAR_ALLOWED_HOSTS, then the file

examples:
  sidecar run                                    all known providers, with the callers' own keys
  sidecar run --to https://llm.example.com       everything to one gateway
  sidecar run -c sidecar.yaml --set listen.address=127.0.0.1:9000
  sidecar run --set defaults.timeouts.idle=2m --set telemetry.log.format=text"""

_CHECK_EPILOG: Final = """\
Every problem is told at once, as FILE:LINE:COLUMN: PATH: MESSAGE. Variables and files that
${env:NAME} and ${file:/path} name must be there. Nothing is started and nothing is sent.

examples:
  sidecar check sidecar.yaml
  sidecar check deploy/*.yaml && echo all good"""

_CONFIG_EPILOG: Final = """\
What `sidecar run` would use with the same options, after all defaults, variables and --set;
keys and proxy passwords read [redacted].

examples:
  sidecar config
  sidecar config -c sidecar.yaml --set defaults.timeouts.idle=2m
  sidecar config --schema > sidecar.schema.json  for editors: completion and hints"""

_ENV_EPILOG: Final = """\
examples:
  eval "$(sidecar env)"                          sh, bash, zsh
  sidecar env --shell fish | source
  sidecar env --shell powershell | Out-String | Invoke-Expression
  sidecar env --shell dotenv >> .env"""

_MOCK_EPILOG: Final = """\
The simulated providers are steered by the model's name, so that any SDK can ask for what it wants:
  mock                                           a short answer
  mock,ttft=200ms,gap=20ms,tokens=100            slower, longer
  mock,fault=status=503                          an error
  mock,fault=cut@50                              the stream ends after 50 events

examples:
  sidecar mock &
  sidecar run --to http://127.0.0.1:8488
  curl http://127.0.0.1:8488/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model": "mock,tokens=5", "stream": true, "messages": []}'"""

_DEMO_EPILOG: Final = """\
Simulated providers, the proxy before them and sample traffic through it. Prints what to paste to
send requests of your own, and a live line of figures; until Ctrl-C, or for as long as --for says.

examples:
  sidecar demo
  sidecar demo --for 30s"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status. `argparse` itself exits with 2, or 0 for help."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        status = command(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `sidecar config | head`: nobody reads on. Without this the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEM
    except SidecarError as error:
        _tell(error)
        return PROBLEM


def _tell(error: SidecarError) -> None:
    from sidecar.settings.problems import ConfigError

    # A problem with its place begins with the file, so that editors and terminals can jump there.
    begin = "" if isinstance(error, ConfigError) else "sidecar: "
    print(f"{begin}{error}", file=sys.stderr)


def _run(arguments: argparse.Namespace) -> int:
    from sidecar import process
    from sidecar.settings.load import find, load

    path = find(arguments.config, os.environ)
    return process.run(load(path, sets=arguments.set, to=arguments.to, env=os.environ))


def _check(arguments: argparse.Namespace) -> int:
    from sidecar.settings.load import ConfigError, load

    status = DONE
    for path in arguments.files:
        try:
            settings = load(path, env=os.environ)
        except ConfigError as error:
            _tell(error)
            status = PROBLEM
        else:
            for warning in settings.warnings:
                print(f"{warning} (a warning)", file=sys.stderr)
            print(f"{path}: ok")
    return status


def _config(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        import json

        from sidecar.settings.json_schema import json_schema

        print(json.dumps(json_schema(), indent=2))
        return DONE
    from sidecar.settings.load import find, load
    from sidecar.settings.show import to_yaml

    path = find(arguments.config, os.environ)
    settings = load(path, sets=arguments.set, to=arguments.to, env=os.environ)
    print(f"# source: {settings.source}, hash: {settings.hash}")
    print(to_yaml(settings), end="")
    return DONE


_LINE_BY_SHELL: Final = {
    "sh": "export {name}={value}",
    "fish": "set -gx {name} {value}",
    "powershell": '$env:{name} = "{value}"',
    "dotenv": "{name}={value}",
}


def _env(arguments: argparse.Namespace) -> int:
    from sidecar.core.sdks import SDKS, mistral_argument

    base_url = _base_url(arguments.address)
    line = _LINE_BY_SHELL[arguments.shell]
    for sdk in SDKS:
        print(f"# {sdk.reader}" + (f" ({sdk.note})" if sdk.note else ""))
        print(line.format(name=sdk.variable, value=sdk.value(base_url)))
    print(f"# mistralai reads no variable; in the code: {mistral_argument(base_url)}")
    return DONE


def _base_url(address: Address) -> str:
    """How a program on this machine reaches the address."""
    # 127.0.0.1 and not localhost: many clients try ::1 first and wait.
    any_host = {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}
    host = any_host.get(address.host, address.host)
    # What is printed gets pasted into shells.
    if address.port == 0 or not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
        raise BadAddressError("an address that can be called is host:port, such as 127.0.0.1:8484")
    return f"http://{Address(host, address.port)}"


def _mock(arguments: argparse.Namespace) -> int:
    from sidecar.lab import mock

    return mock.run(arguments.listen)


def _demo(arguments: argparse.Namespace) -> int:
    from sidecar.lab import demo

    return demo.run(arguments.for_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sidecar",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sidecar {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, epilog: str
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=command)
        return one

    run = add("run", _run, "the proxy", _RUN_EPILOG)
    _add_settings(run)
    check = add("check", _check, "all problems of configuration files at once", _CHECK_EPILOG)
    check.add_argument("files", nargs="+", metavar="FILE")
    config = add("config", _config, "the effective configuration, secrets hidden", _CONFIG_EPILOG)
    _add_settings(config)
    config.add_argument("--schema", action="store_true", help="print the JSON Schema instead")
    env = add("env", _env, "the variables that turn every SDK to the sidecar", _ENV_EPILOG)
    env.add_argument("--shell", choices=tuple(_LINE_BY_SHELL), default=_usual_shell())
    env.add_argument(
        "--address",
        type=_address,
        default=os.environ.get("SIDECAR_LISTEN") or _DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help="where the sidecar listens (default: $SIDECAR_LISTEN, else %(default)s)",
    )
    mock = add("mock", _mock, "simulated providers with scripted faults", _MOCK_EPILOG)
    mock.add_argument(
        "--listen",
        type=_address,
        default=_DEFAULT_MOCK,
        metavar="HOST:PORT",
        help="where to listen (default: %(default)s)",
    )
    demo = add("demo", _demo, "proxy, simulated providers and sample traffic", _DEMO_EPILOG)
    demo.add_argument(
        "--for", dest="for_s", type=_duration, metavar="DURATION", help="stop after 30s, 5m, …"
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--config", metavar="FILE", help="the configuration file (YAML)")
    parser.add_argument("--to", metavar="URL", help="send everything to this URL")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="one key over all else, for example listen.address=:8484; may be repeated",
    )


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except BadUnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _usual_shell() -> str:
    if os.name == "nt":
        return "powershell"
    return "fish" if os.environ.get("SHELL", "").endswith("/fish") else "sh"
