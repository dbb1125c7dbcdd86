"""`make fuzz`: 100,000 exchanges, half of them on each event loop, then damaged answers for every
reader until FUZZ_SECONDS (600) are over, and a summary at the end.

make fuzz ARGS="--seed 7 --exchanges 1000 --loop uvloop"
make fuzz ARGS="--seed 7 --only 123"        one of them, with every byte; --times 20 for races
"""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fuzz import readers
from tests.fuzz.provider import Play
from tests.fuzz.run import AT_ONCE, Report, Run, run
from tests.fuzz.story import Send, Step
from tests.wire.relay import LOOPS

_SHOWN_FAULTS = 20


def main() -> int:
    asked = _arguments()
    terminal = Console(highlight=False)
    terminal.print(f"seed {asked.seed}")
    loops = LOOPS if asked.loop is None else [asked.loop]
    runs: list[Run] = []
    if asked.only is not None:
        runs = [_play(terminal, asked.seed, [asked.only] * asked.times, loop, 1) for loop in loops]
        if (last := runs[-1].last) is not None:
            _tell(terminal, runs[-1])
            terminal.print(f"{len(last.caller.answers)} whole answers; damage: {last.story.kind}")
    else:
        share = asked.exchanges // len(loops)
        for n, loop in enumerate(loops):
            numbers = range(n * share, (n + 1) * share)
            runs.append(_play(terminal, asked.seed, numbers, loop, AT_ONCE))
        terminal.print(_summary([one.report for one in runs]))
    status = 0
    if asked.only is None and asked.loop is None and asked.seconds > 0:
        status = _read(terminal, asked.seed, asked.seconds)
    found = [(one.report.loop, *fault) for one in runs for fault in one.report.faults]
    for loop, number, what in found[:_SHOWN_FAULTS]:
        terminal.print(f"[red]fault[/] on {loop}: {escape(what[:1500])}")
        if number is not None:
            terminal.print(f'  make fuzz ARGS="--seed {asked.seed} --loop {loop} --only {number}"')
    terminal.print(f"{len(found)} faults" if found else "no fault")
    return 1 if found else status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument(
        "--seconds",
        type=float,
        default=float(os.environ.get("FUZZ_SECONDS", "600")),
        help="how long the readers are fuzzed",
    )
    parser.add_argument("--loop", choices=LOOPS, help="only this one of the event loops")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one exchange, with its bytes")
    parser.add_argument("--times", type=int, default=1, help="how often, with --only")
    return parser.parse_args()


def _play(terminal: Console, seed: int, numbers: Sequence[int], loop: str, at_once: int) -> Run:
    columns = (
        TextColumn(loop),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[faults]} faults"),
    )
    with Progress(*columns, console=terminal) as progress, tempfile.TemporaryDirectory() as folder:
        task = progress.add_task(loop, total=len(numbers), faults=0)

        def told(report: Report) -> None:
            if report.exchanges % 100 == 0 or report.exchanges == len(numbers):
                progress.update(task, completed=report.exchanges, faults=len(report.faults))

        return run(Path(folder), seed, numbers, loop, told, at_once)


def _read(terminal: Console, seed: int, seconds: float) -> int:
    """Damaged answers for every reader, for so long; 1 if one did what it must not."""
    began = time.monotonic()
    columns = (
        TextColumn("readers"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[cases]} answers"),
    )
    with Progress(*columns, console=terminal) as progress:
        task = progress.add_task("readers", total=seconds, cases=0)

        def told(cases: int) -> None:
            if cases % 150 == 0:
                progress.update(task, completed=time.monotonic() - began, cases=cases)

        cases, faults = readers.run(
            seed, itertools.count(), lambda: time.monotonic() - began > seconds, told
        )
    terminal.print(f"{cases:,} damaged answers for {len(readers.FAMILIES)} readers")
    for fault in faults[:_SHOWN_FAULTS]:
        terminal.print(f"[red]fault[/] {escape(repr(fault))}, seed {seed}")
    return 1 if faults else 0


def _summary(reports: list[Report]) -> Table:
    made = Table("what", *(report.loop for report in reports))
    for column in made.columns[1:]:
        column.justify = "right"

    def row(what: str, values: list[str]) -> None:
        made.add_row(what, *values)

    row("exchanges", [f"{report.exchanges:,}" for report in reports])
    row("exchanges a second", [f"{report.exchanges / report.took_s:,.0f}" for report in reports])
    row("descriptors, start and end", ["{} {}".format(*report.descriptors) for report in reports])
    mib = [tuple(size / (1 << 20) for size in report.rss_bytes) for report in reports]
    row("memory, warm and end, MiB", [f"{warm:.1f} {end:.1f}" for warm, end in mib])
    for title, name in (
        ("damage", "damaged"),
        ("outcome", "outcomes"),
        ("answer", "answers"),
    ):
        counts = [getattr(report, name) for report in reports]
        for key, _ in sum(counts[1:], counts[0]).most_common(15):
            row(f"{title}: {key}", [f"{count[key]:,}" for count in counts])
    return made


def _tell(terminal: Console, one: Run) -> None:
    """The last story, as it was written and as it went."""
    result = one.last
    assert result is not None
    story, caller = result.story, result.caller
    _print(terminal, "the caller", story.steps)
    for turn in story.turns:
        when = "before it has read the body" if turn.is_early else "to the whole request"
        _print(terminal, f"the provider, {when} {turn.token.decode()}", turn.steps)
    for play in result.plays:
        terminal.print(escape(f"the provider got: {_seen(play)}"))
    how = "the caller left" if caller.has_left else "FIN" if caller.has_fin else "RST"
    terminal.print(escape(f"the caller got, until {how}: {bytes(caller.received)!r}"))


def _print(terminal: Console, who: str, steps: list[Step]) -> None:
    terminal.print(f"{who}:")
    for step in steps:
        terminal.print("  " + escape(repr(step.data if isinstance(step, Send) else step)))


def _seen(play: Play) -> str:
    message = play.message
    return f"{message.state.value} {message.start} {message.fields} {len(message.body)} bytes"


if __name__ == "__main__":
    sys.exit(main())
