"""Which egress proxy the environment asks for, and for which hosts.

Knows: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as the standard library reads them, so that a machine
on which an SDK works direct also works through us.
Must not know: the process's environment: it is given, and read once.
Why not `urllib.request`, whose rules these are: it reads `os.environ` by itself, asks the system's
settings on macOS and Windows, and costs 20 ms to import.
"""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.core.origin import Origin
from sidecar.settings.kinds import BadValueError
from sidecar.settings.problems import Place, Problems
from sidecar.settings.references import parse_proxy
from sidecar.settings.schema import Proxy

DIRECT = Proxy(None)


class Environment:
    """The environment's proxies. One that cannot be used is reported when it is first needed."""

    def __init__(self, env: Mapping[str, str], problems: Problems) -> None:
        self._env = env
        self._problems = problems
        self._parsed: dict[str, Proxy] = {}

    def proxy_for(self, origin: Origin) -> Proxy:
        name = f"{origin.scheme}_proxy"
        found = _value(name, self._env)
        if found is None or _is_exempt(origin, _value("no_proxy", self._env)):
            return DIRECT
        variable, text = found
        if name not in self._parsed:
            try:
                # The scheme may be left out here, as curl and the SDKs allow.
                self._parsed[name] = parse_proxy(text if "://" in text else f"http://{text}")
            except BadValueError as error:
                message = f"{error}; `proxy: off` under `defaults:` ignores the variable"
                self._problems.add(Place(variable), "", message)
                self._parsed[name] = DIRECT
        return self._parsed[name]


def _value(name: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """(variable, text): the lower-case name wins, and unsets the other if it is empty."""
    if name in env:
        return (name, env[name]) if env[name] else None
    upper = name.upper()
    if name == "http_proxy" and "REQUEST_METHOD" in env:
        return None  # under CGI, HTTP_PROXY is what the caller sent as the header `Proxy:`
    return (upper, env[upper]) if env.get(upper) else None


def _is_exempt(origin: Origin, no_proxy: tuple[str, str] | None) -> bool:
    if no_proxy is None:
        return False
    if no_proxy[1] == "*":
        return True
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    forms = (origin.host, host, f"{host}:{origin.port}")
    for entry in no_proxy[1].split(","):
        name = entry.strip().lstrip(".").lower()
        if name and any(form == name or form.endswith(f".{name}") for form in forms):
            return True
    return False
