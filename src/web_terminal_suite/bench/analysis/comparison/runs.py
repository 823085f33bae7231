"""Two sides, each of runs or a terminal of one run, row by row: ratio, interval, significance.

Benchmarks that only one side has are listed, never an error. Pure and seeded by the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import conditions
from web_terminal_suite.bench.analysis.comparison.counts import failure_rows
from web_terminal_suite.bench.analysis.comparison.judging import judged, status
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, RunComparison, Terms
from web_terminal_suite.bench.analysis.comparison.rows import Pair, Side, draft_rows
from web_terminal_suite.bench.samples import Cell, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.samples import BenchmarkFacts, Trial

NamedRuns = tuple[str, "Run | Sequence[Run]"]
"""A side of a comparison: its name, and one run or several of the same code, the newest last."""


class OtherMachine(Exception):
    """The runs were made on machines that differ; the text says in what."""


def compare_runs(
    base: NamedRuns, news: Sequence[NamedRuns], terms: Terms, force: bool = False
) -> tuple[RunComparison, ...]:
    """Each of the named ``news`` compared with the named ``base``; significances are corrected over all of them.

    Raises:
        OtherMachine: and ``force`` is not set.
    """
    found: list[_Sides] = []
    before = _several(base)
    for name, runs in map(_several, news):
        differing = conditions.other_machines(before, (name, runs))
        if differing and not force:
            raise OtherMachine(
                f"{base[0]} and {name} are not of the same machine: {'; '.join(differing)}; "
                "figures of different machines say little about a change, --force compares them all the same"
            )
        found.append(_between_runs(before, (name, runs), differing, terms.level))
    return _compared(found, terms)


def compare_terminals(run: Run, base: str, news: Sequence[str], terms: Terms) -> tuple[RunComparison, ...]:
    """Each of the terminals ``news`` compared with the terminal ``base`` of the same run, block by block.

    Raises:
        ValueError: the run has no terminal of such a name.
    """
    known = [terminal.name for terminal in run.terminals]
    for name in (base, *news):
        if name not in known:
            raise ValueError(f"the run has no terminal {name!r}; it has: {', '.join(known)}")
    return _compared([_between_terminals(run, base, name, terms.level) for name in news], terms)


def exit_code(compared: Iterable[RunComparison]) -> int:
    """4 where a side is no whole run, 1 where something is slower, 0 where no row leaves a loss open, else 3."""
    return status(compared).exit_code


@dataclass(frozen=True)
class _Sides:
    names: tuple[str, str]
    seeds: tuple[int, ...]
    paired: bool
    pairs: tuple[Pair, ...]
    failures: tuple[ComparisonRow, ...]
    gone: tuple[Cell, ...] = ()
    added: tuple[Cell, ...] = ()
    lost: int = 0
    runs: tuple[int, int] = (1, 1)
    machine: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def _several(side: NamedRuns) -> tuple[str, tuple[Run, ...]]:
    name, runs = side
    return name, (runs,) if isinstance(runs, Run) else tuple(runs)


def _between_runs(
    base: tuple[str, tuple[Run, ...]], new: tuple[str, tuple[Run, ...]], differing: tuple[str, ...], level: float
) -> _Sides:
    old, now = _cells(base[1]), _cells(new[1])
    latest = base[1][-1], new[1][-1]
    facts = _facts(base[1])
    roles = _roles(base[1]), _roles(new[1])
    pairs: list[Pair] = []
    failures: list[ComparisonRow] = []
    for each in _facts(new[1]).values():
        shared = [cell for cell in now if cell.benchmark == each.id and cell in old and cell.benchmark in facts]
        for cell in shared:
            role = roles[1].get(cell.terminal, "subject")
            pairs += _pairs((cell, cell), each, facts[each.id], role, (old[cell], now[cell]))
            if role == "subject":
                failures += _failures((cell, cell), (old[cell], now[cell]), level)
    gone, added = (tuple(cell for cell in one if cell not in other) for one, other in ((old, now), (now, old)))
    return _Sides(
        names=(base[0], new[0]),
        seeds=(latest[0].seed, latest[1].seed),
        paired=False,
        pairs=tuple(pairs),
        failures=tuple(failures),
        gone=gone,
        added=added,
        lost=sum(roles[0].get(cell.terminal, "subject") == "subject" for cell in gone),
        runs=(len(base[1]), len(new[1])),
        machine=differing,
        problems=_problems(base, new),
        remarks=(*conditions.remarks(base, new), *_uneven(base, old), *_uneven(new, now)),
    )


def _facts(runs: Sequence[Run]) -> dict[str, BenchmarkFacts]:
    """Every benchmark that any of the runs has, as the newest of these describes it; in the order of the newest."""
    found: dict[str, BenchmarkFacts] = {}
    for run in reversed(runs):
        for each in run.benchmarks:
            found.setdefault(each.id, each)
    return found


def _roles(runs: Sequence[Run]) -> dict[str, str]:
    return {terminal.name: terminal.role for run in runs for terminal in run.terminals}


def _uneven(side: tuple[str, tuple[Run, ...]], cells: dict[Cell, Side]) -> list[str]:
    """What not every run of a side measured, a line for each number of runs."""
    name, runs = side
    by_number: dict[int, list[str]] = {}
    for cell, of in cells.items():
        if len(of) < len(runs):
            by_number.setdefault(len(of), []).append(str(cell))
    return [
        f"measured in only {number} of the {len(runs)} runs of {name}: {conditions.few(names)}"
        for number, names in sorted(by_number.items())
    ]


def _between_terminals(run: Run, base: str, new: str, level: float) -> _Sides:
    cells = _cells((run,))
    pairs: list[Pair] = []
    failures: list[ComparisonRow] = []
    for each in run.benchmarks:
        for cell in [cell for cell in cells if cell.benchmark == each.id and cell.terminal == base]:
            other = Cell(cell.benchmark, cell.parameter, new)
            if other in cells:
                pairs += _pairs((cell, other), each, each, "subject", (cells[cell], cells[other]))
                failures += _failures((cell, other), (cells[cell], cells[other]), level)
    both = [{(cell.benchmark, cell.parameter): cell for cell in cells if cell.terminal == name} for name in (base, new)]
    gone, added = (tuple(one[key] for key in one if key not in other) for one, other in (both, both[::-1]))
    # What a terminal cannot do was never planned for it. A record without a plan does not tell that apart.
    expected = [Cell(cell.benchmark, cell.parameter, new) in run.planned or not run.planned for cell in gone]
    return _Sides(
        names=(base, new),
        seeds=(run.seed,),
        paired=True,
        pairs=tuple(pairs),
        failures=tuple(failures),
        gone=gone,
        added=added,
        lost=sum(expected),
        problems=tuple(
            f"the run is no whole one: {fault}" for fault in conditions.faults(conditions.only(run, (base, new)))
        ),
    )


def _problems(*sides: tuple[str, tuple[Run, ...]]) -> tuple[str, ...]:
    found = []
    for name, runs in sides:
        for place, run in enumerate(runs, start=1):
            which = name if len(runs) == 1 else f"run {place} of {name}"
            found += [f"{which} is no whole run: {fault}" for fault in conditions.faults(run)]
    return tuple(found)


def _cells(runs: Sequence[Run]) -> dict[Cell, Side]:
    """Trials by cell and run, of cells with anything measured."""
    found: dict[Cell, dict[int, list[Trial]]] = {}
    for place, run in enumerate(runs):
        for trial in run.trials:
            if estimates.measured(trial) or trial.points:
                found.setdefault(trial.cell, {}).setdefault(place, []).append(trial)
    return {cell: tuple(map(tuple, of.values())) for cell, of in found.items()}


def _pairs(
    cells: tuple[Cell, Cell], facts: BenchmarkFacts, before: BenchmarkFacts, role: str, sides: tuple[Side, Side]
) -> list[Pair]:
    """The metrics that mean the same on both sides."""
    same = {metric.name: metric for metric in before.metrics}
    return [
        Pair(cells, facts, metric, role, sides)
        for metric in facts.metrics
        if metric.name in same and (metric.kind, metric.unit) == (same[metric.name].kind, same[metric.name].unit)
    ]


def _failures(cells: tuple[Cell, Cell], sides: tuple[Side, Side], level: float) -> list[ComparisonRow]:
    base, new = ([trial for run in side for trial in run] for side in sides)
    return failure_rows(cells, (base, new), (len(sides[0]), len(sides[1])), level)


def _compared(found: Sequence[_Sides], terms: Terms) -> tuple[RunComparison, ...]:
    """Rows of all sides; those of subjects are corrected as one family, those of floors as another."""
    drafts: list[list[ComparisonRow]] = []
    for sides in found:
        rows = [row for pair in sides.pairs for row in draft_rows(pair, terms, paired=sides.paired, seeds=sides.seeds)]
        drafts.append([*rows, *sides.failures])
    told = judged(drafts, terms)
    return tuple(
        RunComparison(
            base=sides.names[0],
            new=sides.names[1],
            base_runs=sides.runs[0],
            new_runs=sides.runs[1],
            rows=tuple(row for row in rows if row.role == "subject"),
            floors=tuple(row for row in rows if row.role != "subject"),
            gone=sides.gone,
            added=sides.added,
            lost=sides.lost,
            machine=sides.machine,
            problems=sides.problems,
            remarks=sides.remarks,
            level=terms.level,
            significance=terms.significance,
            noise=terms.noise,
            correction=terms.correction,
        )
        for sides, rows in zip(found, told, strict=True)
    )
