"""The same code compared with itself over separate runs: how often a comparison says that something changed.

``python -m tests.bench.aa DIRECTORY`` measures six runs one after the other (those that are there already are not made
again), compares all ordered pairs and prints how many end with which exit code, how many rows say that something
changed, and how many printed intervals of two runs overlap. ``make selfcheck`` calls it; it takes about five minutes
and is no test, since its outcome is the machine's too. It ends with 1 where more than one pair ends with 1.

With ``--planted FACTOR`` it also multiplies one benchmark of three of the runs and says whether that is found.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import combinations, permutations
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import Analysis, analyse
from web_terminal_suite.bench.analysis.comparison.judging import status
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_runs
from web_terminal_suite.bench.errors import BenchError
from web_terminal_suite.bench.pipeline import BenchOptions, plan, run, save_record
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis.comparison.results import RunComparison
    from web_terminal_suite.bench.samples import Cell, Run, Trial

RUNS = 6
FILTERS = (
    "execute_echo_simple", "create_session_basic", "session_lookup", "websocket_round_trip_ping_pong",
    "keystroke_echo/tty",
)  # fmt: skip
MOST = 1
"""Pairs of 30 that may end with 1."""
CHANGED = (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)


def measured(directory: Path, runs: int, filters: Sequence[str]) -> list[Run]:
    """The runs in ``directory``, made where they are missing."""
    found = []
    for number in range(1, runs + 1):
        path = directory / f"run-{number}.json"
        if not path.exists():
            made = run(plan(BenchOptions(filters=tuple(filters), seed=number)), record=path)
            save_record(path, made, analyse(made))
        found.append(record.load(path))
    return found


def chosen(options: argparse.Namespace) -> list[Run]:
    """The records that were named, or the runs that are measured."""
    if options.records:
        return [record.load(path) for path in options.records]
    return measured(options.directory, options.runs, options.filter or FILTERS)


def print_pairs(runs: Sequence[Run], terms: Terms) -> int:
    """Print what comparing each with each amounts to; the number of pairs that say slower."""
    compared = [compare_runs(("base", base), [("new", new)], terms, force=True) for base, new in permutations(runs, 2)]
    codes = Counter(str(status(each)) for each in compared)
    rows = [row for (each,) in compared for row in each.rows]
    changed = [row for row in rows if row.change in CHANGED]
    noticed = sorted(row.noticeable for row in rows if row.noticeable is not None and row.statistic == "p50")
    print(f"{len(compared)} ordered pairs: {', '.join(f'{n} {word}' for word, n in codes.items())}")
    print(f"{len(changed)} of {len(rows)} rows say that something changed")
    for row in changed:
        print(f"  {row.new} {row.statistic} {row.change}: {row.ratio}")
    if noticed:
        print(f"a p50 would have been noticed from {noticed[len(noticed) // 2]:.2f}x (median of {len(noticed)} rows)")
    return codes["slower"]


def print_overlaps(analyses: Sequence[Analysis]) -> None:
    """Print how many printed intervals of two runs overlap, by statistic."""
    for statistic in ("p50", "p95"):
        ends: dict[tuple[Cell, str], list[tuple[float, float]]] = {}
        for each in analyses:
            for result in each.results:
                estimate = result.estimates.get(statistic)
                if estimate is not None and estimate.value is not None and result.role != "known":
                    ends.setdefault((result.cell, result.metric.name), []).append((estimate.lower, estimate.upper))
        pairs = [pair for intervals in ends.values() for pair in combinations(intervals, 2)]
        both = sum(one[0] <= other[1] and other[0] <= one[1] for one, other in pairs)
        print(f"{statistic}: {both} of {len(pairs)} pairs of intervals overlap ({both / max(1, len(pairs)):.0%})")


def print_planted(runs: Sequence[Run], factor: float, terms: Terms) -> None:
    """Print whether half of the runs, with their first benchmark slowed down, are told from the other half."""
    half = len(runs) // 2
    slowed = runs[0].benchmarks[0].id
    planted = [msgspec.structs.replace(each, trials=tuple(times(one, factor) if one.cell.benchmark == slowed else one
                                                          for one in each.trials)) for each in runs[half:]]  # fmt: skip
    compared: tuple[RunComparison, ...] = compare_runs(("base", runs[:half]), [("new", planted)], terms, force=True)
    for row in compared[0].rows:
        if row.new.benchmark == slowed:
            print(f"planted {factor:g}x in {row.new} {row.statistic}: {row.change}, {row.ratio}, p {row.adjusted}, "
                  f"noticeable {row.noticeable}")  # fmt: skip


def times(trial: Trial, factor: float) -> Trial:
    """The trial with every operation as many times as long."""
    slower = (
        msgspec.structs.replace(each, seen_ns=each.due_ns + int((each.seen_ns - each.due_ns) * factor))
        for each in trial.samples
    )
    return msgspec.structs.replace(trial, samples=tuple(slower))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where the records are and go")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--records", nargs="*", type=Path, default=[], help="these instead, and nothing is measured")
    parser.add_argument("--filter", action="append", default=[])
    parser.add_argument("--planted", type=float, default=0.0)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    try:
        runs = chosen(options)
    except BenchError as error:
        print(f"aa: {error}; what was measured is kept, run it again", file=sys.stderr)
        return 4
    terms = Terms()
    slower = print_pairs(runs, terms)
    print_overlaps([analyse(each) for each in runs])
    if options.planted:
        print_planted(runs, options.planted, terms)
    return int(slower > MOST)


if __name__ == "__main__":
    sys.exit(main())
