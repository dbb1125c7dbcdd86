"""`make bench`: the exact figures as a table, held against the bounds without any margin."""

from __future__ import annotations

import statistics

from rich.console import Console
from rich.table import Table

from tests.bench import test_speed as bounds
from tests.bench.measure import Result, run


def table(result: Result) -> Table:
    ours, plain = result.sidecar, result.naive
    made = Table("what", "sidecar", "plain relay", "ratio", "bound", "")
    for column in made.columns[1:4]:
        column.justify = "right"

    def row(what: str, name: str, bound: float) -> None:
        ratio = result.ratio(name)
        a, b = (statistics.median(getattr(figures, name)) for figures in (ours, plain))
        made.add_row(
            what, f"{a:.1f}", f"{b:.1f}", f"{ratio:.3f}", f"{bound} x", _word(ratio, bound)
        )

    row("CPU per buffered request, µs", "request_us", bounds.REQUEST_RATIO)
    row("CPU per streamed event, µs", "event_us", bounds.EVENT_RATIO)
    row("added to the first event, p50, µs", "added_first_us", bounds.ADDED_FIRST_RATIO)
    for sampled, figures in result.traced.items():
        for what, name, bound in (
            ("request", "request_us", bounds.TRACED_REQUEST_RATIO),
            ("event", "event_us", bounds.TRACED_EVENT_RATIO),
        ):
            ratio = result.ratio(name, sampled)
            a, b = (statistics.median(getattr(one, name)) for one in (figures, plain))
            # The bound is for one in ten.
            judged = (f"{bound} x", _word(ratio, bound)) if sampled == 0.1 else ("", "")
            what = f"the same {what}, {sampled:.0%} traced, µs"
            made.add_row(what, f"{a:.1f}", f"{b:.1f}", f"{ratio:.3f}", *judged)
    kib = result.stream_kib
    made.add_row(
        "memory per open stream, KiB",
        f"{kib:.1f}",
        f"{statistics.median(plain.stream_kib):.1f}",
        f"{result.ratio('stream_kib'):.3f}",
        f"{bounds.STREAM_KIB:.0f} KiB",
        _word(kib, bounds.STREAM_KIB),
    )
    ready = result.ready_s
    made.add_row(
        "ready after, s",
        f"{ready:.2f}",
        "",
        "",
        f"{bounds.READY_S} s",
        _word(ready, bounds.READY_S),
    )
    return made


def _word(value: float, bound: float) -> str:
    return "kept" if value <= bound else "missed"


if __name__ == "__main__":
    terminal = Console()
    with terminal.status("measuring; leave the machine alone") as status:
        measured = run(lambda text: status.update(f"measuring: {text}"), traced=(0.1, 1.0))
    terminal.print(table(measured))
