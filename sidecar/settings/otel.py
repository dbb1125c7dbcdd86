"""OpenTelemetry's own variables, laid under the file: what it does not say, they do.

Knows: which `OTEL_*` variable fills which key, and in which units each is written.
Must not know: what the keys do. A value passes the same reader as one in the file, with the
variable's name as its place.
Source: OpenTelemetry specification, "OTLP exporter" and "Environment variables" (1.60).
Why not left to an exporter that reads them itself: a file that says something else must win, and
`sidecar config` must show what is in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote

from sidecar.settings.kinds import is_null
from sidecar.settings.problems import Place, Problems
from sidecar.settings.telemetry import GRPC, SERVICE_NAME, SIGNALS
from sidecar.settings.tree import Mapping as MappingNode
from sidecar.settings.tree import Node, Scalar, mapping

_BASE: Final = "OTEL_EXPORTER_OTLP_"
_SECONDS_AT_MOST: Final = 300.0
"""Of a time-out: a smaller number is meant in seconds, a larger one in milliseconds. The
specification says milliseconds, Python's own exporters read seconds, and people write either."""
_DEFAULT_CONTENT: Final = "8KiB"
_SPOKEN: Final = frozenset({"tracecontext", "baggage"})
_SAMPLERS: Final = {
    "always_on": ("1", "false"),
    "always_off": ("0", "false"),
    "traceidratio": (None, "false"),
    "parentbased_always_on": ("1", "true"),
    "parentbased_always_off": ("0", "true"),
    "parentbased_traceidratio": (None, "true"),
}
_RESOURCE_BY_VARIABLE: Final = {
    "POD_NAME": "k8s.pod.name",
    "POD_NAMESPACE": "k8s.namespace.name",
    "POD_UID": "k8s.pod.uid",
    "NODE_NAME": "k8s.node.name",
    "CONTAINER_NAME": "k8s.container.name",
}
"""As the downward API is usually asked to name them."""


def under(root: Node, env: Mapping[str, str], problems: Problems) -> Node:
    """The tree with what the variables say where the file says nothing."""
    if not isinstance(root, MappingNode):
        return root
    return _Under(root, env, problems).tree()


class _Under:
    def __init__(self, root: MappingNode, env: Mapping[str, str], problems: Problems) -> None:
        self._root = root
        self._file: Node | None = root.entries.get("telemetry")
        self._env = env
        self._problems = problems
        self._found: dict[tuple[str, ...], Node] = {}

    def tree(self) -> Node:
        is_disabled = self._text("OTEL_SDK_DISABLED").lower() == "true"
        if is_disabled:
            self._put(("otlp", "endpoint"), "OTEL_SDK_DISABLED", "off")
        else:
            self._exporters()
            self._endpoints()
        self._shape()
        self._sampling()
        self._resource()
        self._unspoken()
        node = self._file
        for path, leaf in self._found.items():
            node = _lay_under(node, path, leaf)
        if node is self._file or node is None:
            return self._root
        keys = {**self._root.keys, "telemetry": self._root.keys.get("telemetry", node.place)}
        entries = {**self._root.entries, "telemetry": node}
        return MappingNode(self._root.place, entries, keys)

    def _text(self, variable: str) -> str:
        return self._env.get(variable, "").strip()

    def _put(self, path: tuple[str, ...], variable: str, value: str) -> None:
        self._found.setdefault(path, Scalar(Place(variable), value))

    def _says(self, *path: str) -> bool:
        """The file has an opinion."""
        node: Node | None = self._file
        for key in path:
            node = node.entries.get(key) if isinstance(node, MappingNode) else None
        return node is not None

    def _exporters(self) -> None:
        asked = self._text("OTEL_TRACES_EXPORTER")
        if asked == "none":
            self._put(("traces", "enabled"), "OTEL_TRACES_EXPORTER", "off")
        kinds = {kind.strip() for kind in self._text("OTEL_METRICS_EXPORTER").split(",")} - {""}
        if "otlp" in kinds:
            export = "both" if "prometheus" in kinds else "otlp"
            self._put(("metrics", "export"), "OTEL_METRICS_EXPORTER", export)
        elif self._text(_BASE + "METRICS_ENDPOINT") and "none" not in kinds and not kinds:
            self._put(("metrics", "export"), _BASE + "METRICS_ENDPOINT", "otlp")
        for variable, words in (
            ("OTEL_TRACES_EXPORTER", {asked} - {""}),
            ("OTEL_METRICS_EXPORTER", kinds),
        ):
            for word in words - {"otlp", "none", "prometheus"}:
                self._warn(variable, f"{_shown(word)} is not spoken here; otlp and none are")
        if "otlp" in {asked, *kinds} and not self._text(_BASE + "ENDPOINT"):
            # Asked for by name, it goes where the specification says.
            protocol = self._text(_BASE + "PROTOCOL")
            port = 4317 if protocol == GRPC else 4318
            variable = "OTEL_TRACES_EXPORTER" if asked == "otlp" else "OTEL_METRICS_EXPORTER"
            self._put(("otlp", "endpoint"), variable, f"http://localhost:{port}")

    def _endpoints(self) -> None:
        settings: tuple[tuple[str, str, Callable[[str, str], str | None]], ...] = (
            ("ENDPOINT", "endpoint", self._endpoint),
            ("PROTOCOL", "protocol", lambda _, text: text),
            ("COMPRESSION", "compression", lambda _, text: text),
            ("TIMEOUT", "timeout", self._timeout),
        )
        for end, key, convert in settings:
            value = self._text(_BASE + end)
            if value and (converted := convert(_BASE + end, value)) is not None:
                is_off = key == "compression" and converted == "none"
                self._put(("otlp", key), _BASE + end, "off" if is_off else converted)
            for signal in SIGNALS:
                variable = f"{_BASE}{signal.upper()}_{end}"
                value = self._text(variable)
                # What the file says of both stands above what a variable says of one.
                if not value or self._says("otlp", key):
                    continue
                if (converted := convert(variable, value)) is not None:
                    self._put(("otlp", signal, key), variable, converted)
        self._header_pairs(("otlp", "headers"), _BASE + "HEADERS")
        for signal in SIGNALS:
            if not self._says("otlp", "headers"):
                path = ("otlp", signal, "headers")
                self._header_pairs(path, f"{_BASE}{signal.upper()}_HEADERS")
        for end, key in (
            ("CERTIFICATE", "ca_file"),
            ("CLIENT_CERTIFICATE", "client_cert"),
            ("CLIENT_KEY", "client_key"),
        ):
            if value := self._text(_BASE + end):
                self._put(("otlp", "tls", key), _BASE + end, value)

    def _endpoint(self, variable: str, text: str) -> str | None:
        if "://" in text:
            return text
        signal = variable.removeprefix(_BASE).removesuffix("ENDPOINT")
        insecure = self._text(f"{_BASE}{signal}INSECURE") or self._text(_BASE + "INSECURE")
        return f"{'http' if insecure.lower() == 'true' else 'https'}://{text}"

    def _timeout(self, variable: str, text: str) -> str | None:
        try:
            number = float(text)
        except ValueError:
            return text  # the reader says what is wrong with it
        if number <= _SECONDS_AT_MOST:
            self._warn(variable, f"is read as seconds, for it is at most {_SECONDS_AT_MOST:g}")
            return f"{number:g}s"
        return f"{number:g}ms" if number < 1e6 else f"{number / 1000:g}s"

    def _header_pairs(self, path: tuple[str, ...], variable: str) -> None:
        pairs: dict[str, Node] = {}
        for part in self._text(variable).split(","):
            name, separator, value = part.partition("=")
            if separator and name.strip():
                text = unquote(value.strip())
                pairs[unquote(name.strip())] = Scalar(Place(variable), text, is_plain=False)
        if pairs:
            self._found.setdefault(path, mapping(Place(variable), pairs))

    def _shape(self) -> None:
        milliseconds = {
            "OTEL_METRIC_EXPORT_INTERVAL": ("otlp", "interval"),
            "OTEL_METRIC_EXPORT_TIMEOUT": ("otlp", "metrics", "timeout"),
            "OTEL_BSP_SCHEDULE_DELAY": ("otlp", "delay"),
            "OTEL_BSP_EXPORT_TIMEOUT": ("otlp", "traces", "timeout"),
        }
        for variable, path in milliseconds.items():
            value = self._text(variable)
            if value and not (path[-1] == "timeout" and self._says("otlp", "timeout")):
                self._put(path, variable, f"{value}ms" if value.isdigit() else value)
        if value := self._text("OTEL_BSP_MAX_QUEUE_SIZE"):
            self._put(("otlp", "queue"), "OTEL_BSP_MAX_QUEUE_SIZE", value)
        if value := self._text("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"):
            # The usual 512 would hold up streams.
            least = str(min(int(value), 64)) if value.isdigit() else value
            self._put(("otlp", "batch"), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", least)
        variable = _BASE + "METRICS_TEMPORALITY_PREFERENCE"
        if value := self._text(variable).lower():
            value = "delta" if value == "lowmemory" else value
            self._put(("otlp", "temporality"), variable, value)
        variable = "OTEL_METRICS_EXEMPLAR_FILTER"
        if value := self._text(variable):
            self._put(("metrics", "exemplars"), variable, "no" if value == "always_off" else "yes")
            if value == "always_on":
                self._warn(variable, "exemplars point to sampled traces only")
        for variable in (
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        ):
            if value := self._text(variable):
                self._put(("traces", "attribute_limit"), variable, value)
        variable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
        if (value := self._text(variable).lower()) in ("span_only", "span_and_event", "true"):
            self._put(("traces", "capture_content"), variable, _DEFAULT_CONTENT)

    def _sampling(self) -> None:
        variable = "OTEL_TRACES_SAMPLER"
        name = self._text(variable)
        if not name:
            return
        if name not in _SAMPLERS:
            self._warn(variable, f"{_shown(name)} is not known here; known: {', '.join(_SAMPLERS)}")
            return
        ratio, is_parent_based = _SAMPLERS[name]
        if ratio is None:
            ratio = self._text("OTEL_TRACES_SAMPLER_ARG") or "1"
        if not self._says("traces", "sample_ratio"):
            self._put(("traces", "sample_ratio"), variable, ratio)
            self._put(("traces", "parent_based"), variable, is_parent_based)

    def _resource(self) -> None:
        pairs: dict[str, Node] = {}
        variable = "OTEL_RESOURCE_ATTRIBUTES"
        for part in self._text(variable).split(","):
            name, separator, value = part.partition("=")
            if separator and name.strip() and value.strip():
                text = unquote(value.strip())
                pairs[unquote(name.strip())] = Scalar(Place(variable), text, is_plain=False)
        for variable, attribute in _RESOURCE_BY_VARIABLE.items():
            if text := self._text(variable):
                pairs.setdefault(attribute, Scalar(Place(variable), text, is_plain=False))
        if name := self._text("OTEL_SERVICE_NAME"):
            pairs["service.name"] = Scalar(Place("OTEL_SERVICE_NAME"), name, is_plain=False)
        for name, node in pairs.items():
            self._found[("otlp", "resource", name)] = node

    def _unspoken(self) -> None:
        """What is asked for, and not to be had."""
        variable = _BASE + "METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
        if self._text(variable) not in ("", "explicit_bucket_histogram"):
            self._warn(variable, "histograms here have explicit bounds only")
        spoken = {word.strip() for word in self._text("OTEL_PROPAGATORS").split(",")} - {""}
        if spoken - _SPOKEN:
            self._warn("OTEL_PROPAGATORS", "only tracecontext and baggage are read here")
        for signal in SIGNALS:
            for end in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
                if self._text(variable := f"{_BASE}{signal.upper()}_{end}"):
                    self._warn(variable, f"both signals share one: set {_BASE}{end}")
        if self._text("OTEL_LOGS_EXPORTER") not in ("", "none"):
            self._warn("OTEL_LOGS_EXPORTER", "logs go to standard output, as JSON with trace_id")

    def _warn(self, variable: str, message: str) -> None:
        self._problems.warn(Place(variable), "", message)


def service_name(resource: tuple[tuple[str, str], ...]) -> str:
    """What we call ourselves."""
    return dict(resource).get("service.name", SERVICE_NAME)


def _shown(word: str) -> str:
    return f"'{word}'" if word.isalnum() and len(word) < 32 else "this"


def _lay_under(node: Node | None, path: tuple[str, ...], leaf: Node) -> Node | None:
    """The tree with `leaf` at `path`, unless something stands there, or on the way there."""
    if not path:
        return leaf if node is None else node
    if node is None or is_null(node):
        node = mapping(leaf.place, {})
    if not isinstance(node, MappingNode):
        return node
    child = _lay_under(node.entries.get(path[0]), path[1:], leaf)
    if child is None or child is node.entries.get(path[0]):
        return node
    keys = {**node.keys, path[0]: node.keys.get(path[0], leaf.place)}
    return MappingNode(node.place, {**node.entries, path[0]: child}, keys)
