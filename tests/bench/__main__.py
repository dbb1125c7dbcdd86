"""`make bench`: the figures as a table, with the bounds beside them."""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Result, run
from tests.bench.test_speed import BOUNDS


def show(result: Result, console: Console) -> None:
    ours, plain = result.sidecar, result.naive
    direct = min(result.direct_first_s)
    table = Table("what", "sidecar", "plain relay", "ratio", "bound")

    def row(what: str, a: float, b: float, ratio: float, bound: str) -> None:
        table.add_row(what, f"{a:.1f}", f"{b:.1f}", f"{ratio:.2f}", bound)

    median = statistics.median
    row(
        "CPU per buffered request, µs",
        median(ours.request_us),
        median(plain.request_us),
        result.ratio("request_us"),
        f"{BOUNDS['request']} x",
    )
    row(
        "CPU per streamed event, µs",
        median(ours.event_us),
        median(plain.event_us),
        result.ratio("event_us"),
        f"{BOUNDS['event']} x",
    )
    row(
        "added to the first event, µs (p50)",
        (min(ours.first_s) - direct) * 1e6,
        (min(plain.first_s) - direct) * 1e6,
        result.added_first_ratio(),
        f"{BOUNDS['first']} x",
    )
    row(
        "memory per open stream, KiB",
        ours.stream_kib[0],
        plain.stream_kib[0],
        ours.stream_kib[0] / plain.stream_kib[0],
        f"{BOUNDS['kib']} KiB",
    )
    table.add_row("ready after, s", f"{result.ready_s:.2f}", "-", "-", f"{BOUNDS['ready']} s")
    console.print(table)


if __name__ == "__main__":
    terminal = Console()
    with terminal.status("measuring; leave the machine alone") as status:
        figures = run(lambda text: status.update(f"measuring: {text}"))
    show(figures, terminal)
