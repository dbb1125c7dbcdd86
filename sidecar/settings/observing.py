"""The blocks `telemetry:` and `scrape:`.

Knows: how they nest, and what in them goes badly together.
Must not know: OpenTelemetry's variables (`otel` lays them under the file's nodes); exporters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from sidecar.core.origin import BadUrlError, Origin, parse_origin
from sidecar.core.secret import REDACTED, Secret
from sidecar.settings.blocks import open_block, read_block, read_value
from sidecar.settings.kinds import OFF, BadValueError, Count, Kind, OrOff, Text, found, text_of
from sidecar.settings.problems import Place, Problems, join
from sidecar.settings.references import resolve
from sidecar.settings.telemetry import (
    BOTH,
    SCRAPE,
    SIGNALS,
    Files,
    Label,
    Log,
    Metrics,
    Otlp,
    Signal,
    Telemetry,
    Traces,
)
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, Scalar, Sequence

APART: Final = ("otlp", "traces", "metrics", "log", "labels")
OTLP_APART: Final = ("endpoint", "headers", "resource", "tls", *SIGNALS)
SIGNAL_APART: Final = ("endpoint", "headers")
LABEL_KEYS: Final = ("from", "values", "max")
MAX_LABELS: Final = 4
"""Each one multiplies the series."""
MAX_BATCH: Final = 64
_LABEL_NAME: Final = r"[a-z][a-z0-9_]{0,63}"
LABEL_NAME: Final = Text("a label: lower-case letters, digits and _", _LABEL_NAME)
LABEL_SOURCE: Final = Text("header:NAME", r"header:[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
LABEL_VALUE: Final = Text("a label's value", r"[^\x00-\x1f\x7f\"\\]{1,64}")
_TAKEN: Final = frozenset(
    {
        "upstream", "model", "outcome", "state", "fault", "reason", "phase", "kind", "source",
        "result", "scope", "from", "to", "part", "signal", "label", "le", "quantile", "job",
        "instance", "hash", "version", "python",
    }
)  # fmt: skip
# They would put a credential into every figure.
_NOT_TOLD: Final = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-sidecar-token",
     "proxy-authorization"}
)  # fmt: skip
_DEFAULT_VALUES: Final = 20
T = TypeVar("T")


class Endpoint(Kind[str]):
    """The URL of a collector."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def read(self, node: Node) -> str:
        text = resolve(text_of(node, "a URL"), self._env).strip()
        try:
            parse_origin(text)
        except (BadUrlError, ValueError) as error:
            why = str(error) if isinstance(error, BadUrlError) else "not a URL"
            raise BadValueError(why.replace("api_key", "headers")) from None
        return text

    def show(self, value: str) -> object:
        return value

    def json_schema(self) -> dict[str, object]:
        return {"type": "string", "examples": ["http://127.0.0.1:4318", "https://otlp.example"]}


class HeaderValue(Kind[Secret]):
    """What a header of ours says; it may hold a credential."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def read(self, node: Node) -> Secret:
        if not isinstance(node, Scalar):
            raise BadValueError(f"expected text, found {found(node)}")
        value = resolve(node.value, self._env).strip()
        if any(not " " <= c <= "~" for c in value):
            raise BadValueError("holds a character that no header may carry")
        return Secret(value)

    def show(self, value: Secret) -> object:
        return REDACTED

    def json_schema(self) -> dict[str, object]:
        return {"type": "string"}


class Observing:
    """Reads the block of one configuration."""

    def __init__(self, env: Mapping[str, str], problems: Problems) -> None:
        self._problems = problems
        self._endpoint = OrOff(Endpoint(env))
        self._header = HeaderValue(env)

    def telemetry(self, node: Node | None) -> Telemetry:
        problems, inner = self._problems, _entries(node)
        plain = read_block(Telemetry(), node, "telemetry", problems, APART)
        read = replace(
            plain,
            otlp=self._otlp(inner.get("otlp")),
            traces=read_block(Traces(), inner.get("traces"), "telemetry.traces", problems),
            metrics=read_block(Metrics(), inner.get("metrics"), "telemetry.metrics", problems),
            log=read_block(Log(), inner.get("log"), "telemetry.log", problems),
            labels=self._labels(inner.get("labels")),
        )
        self._check(read, inner)
        return read

    def _otlp(self, node: Node | None) -> Otlp:
        path, problems, inner = "telemetry.otlp", self._problems, _entries(node)
        plain = read_block(Otlp(), node, path, problems, OTLP_APART)
        if plain.batch < 1 or plain.batch > MAX_BATCH:
            problems.add(inner["batch"].place, f"{path}.batch", f"is 1 to {MAX_BATCH}")
        if plain.queue < 1:
            problems.add(inner["queue"].place, f"{path}.queue", "is at least 1")
        tls = read_block(Files(), inner.get("tls"), f"{path}.tls", problems)
        if (tls.client_cert is None) != (tls.client_key is None):
            message = "client_cert and client_key belong together: give both or none"
            problems.add(inner["tls"].place, f"{path}.tls", message)
        return replace(
            plain,
            endpoint=self._url(inner.get("endpoint"), f"{path}.endpoint"),
            headers=self._headers(inner.get("headers"), f"{path}.headers"),
            resource=self._resource(inner.get("resource"), f"{path}.resource"),
            tls=tls,
            traces=self._signal(inner.get("traces"), f"{path}.traces"),
            metrics=self._signal(inner.get("metrics"), f"{path}.metrics"),
        )

    def _signal(self, node: Node | None, path: str) -> Signal:
        inner = _entries(node)
        plain = read_block(Signal(), node, path, self._problems, SIGNAL_APART)
        return replace(
            plain,
            endpoint=self._url(inner.get("endpoint"), f"{path}.endpoint"),
            headers=self._headers(inner.get("headers"), f"{path}.headers"),
        )

    def _url(self, node: Node | None, path: str) -> str | None:
        if node is None:
            return None
        url: str | None = read_value(self._endpoint, node, path, self._problems, None)
        return url

    def _headers(self, node: Node | None, path: str) -> tuple[tuple[str, Secret], ...]:
        headers = []
        for name, value, place in self._pairs(node, path):
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", name):
                self._problems.add(place, path, "a header's name is a token")
            secret = read_value(self._header, value, join(path, name), self._problems, Secret(""))
            headers.append((name, secret))
        return tuple(headers)

    def _resource(self, node: Node | None, path: str) -> tuple[tuple[str, str], ...]:
        read = []
        for name, value, place in self._pairs(node, path):
            if not isinstance(value, Scalar) or not 0 < len(value.value) <= 1024:
                self._problems.add(place, join(path, name), f"expected text, found {found(value)}")
            else:
                read.append((name, value.value))
        return tuple(read)

    def _pairs(self, node: Node | None, path: str) -> list[tuple[str, Node, Place]]:
        if node is None:
            return []
        if not isinstance(node, MappingNode):
            open_block(node, path, (), self._problems)
            return []
        return [(key, value, node.keys[key]) for key, value in node.entries.items()]

    def _labels(self, node: Node | None) -> tuple[Label, ...]:
        path, problems = "telemetry.labels", self._problems
        labels = []
        for name, block, place in self._pairs(node, path):
            own = join(path, name)
            if not re.fullmatch(_LABEL_NAME, name, re.ASCII) or name in _TAKEN:
                problems.add(place, own, "a label is a word of a-z, 0-9 and _ that is not in use")
            inner = open_block(block, own, LABEL_KEYS, problems)
            if "from" not in inner:
                problems.add(place, own, 'needs from: "header:NAME"')
                continue
            source = read_value(LABEL_SOURCE, inner["from"], f"{own}.from", problems, "header:-")
            header = source.removeprefix("header:").lower()
            if header in _NOT_TOLD:
                problems.add(inner["from"].place, f"{own}.from", "this header holds a credential")
            most = _DEFAULT_VALUES
            if "max" in inner:
                most = read_value(Count(), inner["max"], f"{own}.max", problems, most)
            values = self._values(inner.get("values"), f"{own}.values")
            labels.append(Label(name, header, values, most))
        if len(labels) > MAX_LABELS and node is not None:
            problems.add(node.place, path, f"more than {MAX_LABELS}; each multiplies the series")
        return tuple(labels)

    def _values(self, node: Node | None, path: str) -> tuple[str, ...] | None:
        if node is None:
            return None
        if not isinstance(node, Sequence) or not node.items:
            message = f"expected a list of one or more, found {found(node)}"
            self._problems.add(node.place, path, message)
            return ()
        read = (
            read_value(LABEL_VALUE, item, join(path, str(at)), self._problems, "-")
            for at, item in enumerate(node.items)
        )
        return tuple(dict.fromkeys(read))

    def _check(self, read: Telemetry, inner: Mapping[str, Node]) -> None:
        problems, metrics = self._problems, inner.get("metrics")
        place = _place(metrics, "export")
        if read.metrics.export != SCRAPE and not read.sends_metrics:
            message = "needs telemetry.otlp.endpoint: there is nowhere to send them"
            problems.add(place, "telemetry.metrics.export", message)
        if read.metrics.export == BOTH:
            message = (
                "figures leave twice, scraped and over OTLP: if both end in one database, every"
                " sum over them counts twice"
            )
            problems.warn(place, "telemetry.metrics.export", message)
        if read.metrics.semconv == BOTH:
            message = (
                "gen_ai.* and http.* say again what llm_sidecar_* says, and are scraped, too:"
                " look at one family only"
            )
            problems.warn(_place(metrics, "semconv"), "telemetry.metrics.semconv", message)
        traces = inner.get("traces")
        if read.traces.propagate == "participate" and not read.sends_traces:
            message = "no spans are made without telemetry.otlp.endpoint: the caller's go on"
            problems.warn(_place(traces, "propagate"), "telemetry.traces.propagate", message)
        if read.traces.capture_content_bytes is not None:
            message = "prompts and answers are exported: they are the users' words"
            where = _place(traces, "capture_content")
            problems.warn(where, "telemetry.traces.capture_content", message)


def origin_of(url: str) -> Origin:
    """Of an endpoint that was read."""
    return parse_origin(url)


def show_telemetry(telemetry: Telemetry) -> dict[str, object]:
    """The block as YAML would have it."""
    from sidecar.settings.blocks import show_block

    otlp = telemetry.otlp
    return {
        **show_block(telemetry),
        "otlp": {
            "endpoint": otlp.endpoint or OFF,
            **show_block(otlp),
            "headers": _hidden(otlp.headers),
            "resource": dict(otlp.resource),
            "tls": show_block(otlp.tls),
            "traces": _show_signal(otlp.traces),
            "metrics": _show_signal(otlp.metrics),
        },
        "traces": show_block(telemetry.traces),
        "metrics": show_block(telemetry.metrics),
        "log": show_block(telemetry.log),
        "labels": {label.name: _show_label(label) for label in telemetry.labels},
    }


def _show_signal(signal: Signal) -> dict[str, object]:
    from sidecar.settings.blocks import show_block

    shown = {"endpoint": signal.endpoint or OFF, **show_block(signal)}
    return {**shown, "headers": _hidden(signal.headers)}


def _show_label(label: Label) -> dict[str, object]:
    values = {} if label.values is None else {"values": list(label.values)}
    return {"from": f"header:{label.header}", **values, "max": label.max_values}


def _hidden(headers: tuple[tuple[str, Secret], ...]) -> dict[str, str]:
    return {name: REDACTED for name, _ in headers}


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.entries if isinstance(node, MappingNode) else {}


def _place(node: Node | None, key: str) -> Place:
    entries = _entries(node)
    if key in entries:
        return entries[key].place
    return Place("built-in") if node is None else node.place
