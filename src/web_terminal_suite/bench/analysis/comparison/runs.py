"""Two sides, each of runs or a terminal of one run, row by row: ratio, interval, significance.

Benchmarks that only one side has are listed, never an error. Pure and seeded by the runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import conditions
from web_terminal_suite.bench.analysis.comparison.counts import failure_rows
from web_terminal_suite.bench.analysis.comparison.judging import judged, status
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, RunComparison, Terms
from web_terminal_suite.bench.analysis.comparison.rows import Pair, Side, draft_rows, has_metric
from web_terminal_suite.bench.samples import Cell, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.samples import BenchmarkFacts, Metric, Trial

NamedRuns = tuple[str, "Run | Sequence[Run]"]
"""A side of a comparison: its name, and one run or several of the same code, the newest last."""

_Measured = dict[int, "tuple[Trial, ...]"]
"""The trials of one cell, by the place of their run in its side."""


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


def compare_terminals(
    run: Run, base: str, news: Sequence[str], terms: Terms, *, revisions: bool = False
) -> tuple[RunComparison, ...]:
    """Each of the terminals ``news`` compared with the terminal ``base`` of the same run, block by block.

    Args:
        revisions: they are revisions of one server, so a metric that only the base has is lost. Terminals differ in
            what can be measured of them.

    Raises:
        ValueError: the run has no terminal of such a name.
    """
    known = [terminal.name for terminal in run.terminals]
    for name in (base, *news):
        if name not in known:
            raise ValueError(f"the run has no terminal {name!r}; it has: {', '.join(known)}")
    found = _compared([_between_terminals(run, base, name, terms.level) for name in news], terms)
    return found if revisions else tuple(msgspec.structs.replace(each, lost_metrics=0) for each in found)


def exit_code(compared: Iterable[RunComparison]) -> int:
    """4 where a side is no whole run, 1 where something is slower, 0 where no row leaves a loss open, else 3."""
    return status(compared).exit_code


@dataclass(frozen=True)
class _Unpaired:
    """A metric of a cell of both sides that only one side has, or that is not the same on both."""

    name: str
    role: str
    in_base: bool
    in_new: bool


@dataclass(frozen=True)
class _Sides:
    names: tuple[str, str]
    seeds: tuple[int, ...]
    paired: bool
    pairs: tuple[Pair, ...]
    failures: tuple[ComparisonRow, ...]
    unpaired: tuple[_Unpaired, ...] = ()
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
    unpaired: list[_Unpaired] = []
    failures: list[ComparisonRow] = []
    for each in _facts(new[1]).values():
        shared = [cell for cell in now if cell.benchmark == each.id and cell in old and cell.benchmark in facts]
        for cell in shared:
            role = roles[1].get(cell.terminal, "subject")
            sides = old[cell], now[cell]
            found = _pairs((cell, cell), (facts[each.id], each), role, sides, (base[1], new[1]))
            pairs += found[0]
            unpaired += found[1]
            if role == "subject":
                failures += _failures((cell, cell), sides, level)
    gone, added = (tuple(cell for cell in one if cell not in other) for one, other in ((old, now), (now, old)))
    return _Sides(
        names=(base[0], new[0]),
        seeds=(latest[0].seed, latest[1].seed),
        paired=False,
        pairs=tuple(pairs),
        failures=tuple(failures),
        unpaired=tuple(unpaired),
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


def _uneven(side: tuple[str, tuple[Run, ...]], cells: dict[Cell, _Measured]) -> list[str]:
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
    unpaired: list[_Unpaired] = []
    failures: list[ComparisonRow] = []
    for each in run.benchmarks:
        for cell in [cell for cell in cells if cell.benchmark == each.id and cell.terminal == base]:
            other = Cell(cell.benchmark, cell.parameter, new)
            if other in cells:
                sides = cells[cell], cells[other]
                found = _pairs((cell, other), (each, each), "subject", sides, ((run,), (run,)))
                pairs += found[0]
                unpaired += found[1]
                failures += _failures((cell, other), sides, level)
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
        unpaired=tuple(unpaired),
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


def _cells(runs: Sequence[Run]) -> dict[Cell, _Measured]:
    """Trials by cell and run, of cells with anything measured."""
    found: dict[Cell, dict[int, list[Trial]]] = {}
    for place, run in enumerate(runs):
        for trial in run.trials:
            if estimates.measured(trial) or trial.points:
                found.setdefault(trial.cell, {}).setdefault(place, []).append(trial)
    return {cell: {place: tuple(trials) for place, trials in of.items()} for cell, of in found.items()}


def _pairs(
    cells: tuple[Cell, Cell],
    facts: tuple[BenchmarkFacts, BenchmarkFacts],
    role: str,
    measured: tuple[_Measured, _Measured],
    runs: tuple[Sequence[Run], Sequence[Run]],
) -> tuple[list[Pair], list[_Unpaired]]:
    """The metrics that mean the same and were measured on both sides, and the others."""
    before, after = ({metric.name: metric for metric in each.metrics} for each in facts)
    pairs, unpaired = [], []
    for name in dict.fromkeys((*after, *before)):
        metrics = before.get(name), after.get(name)
        sides = tuple(
            () if metric is None else _side(each, of, facts[0].id, metric)
            for metric, each, of in zip(metrics, measured, runs, strict=True)
        )
        has = [metric is not None and has_metric(side, metric) for metric, side in zip(metrics, sides, strict=True)]
        if all(has) and conditions.is_same_metric(before[name], after[name]):
            pairs.append(Pair(cells, facts[1], after[name], role, (sides[0], sides[1])))
        elif any(has):
            unpaired.append(_Unpaired(f"{cells[0 if has[0] else 1]} {name}", role, has[0], has[1]))
    return pairs, unpaired


def _side(measured: _Measured, runs: Sequence[Run], benchmark: str, metric: Metric) -> Side:
    """The trials of the runs in which the metric is what it is in the newest."""
    return tuple(
        trials
        for place, trials in measured.items()
        if not any(
            own.name == metric.name and not conditions.is_same_metric(own, metric)
            for facts in runs[place].benchmarks
            if facts.id == benchmark
            for own in facts.metrics
        )
    )


def _failures(cells: tuple[Cell, Cell], sides: tuple[_Measured, _Measured], level: float) -> list[ComparisonRow]:
    base, new = ([trial for run in side.values() for trial in run] for side in sides)
    return failure_rows(cells, (base, new), (len(sides[0]), len(sides[1])), level)


def _only_in(sides: _Sides) -> list[str]:
    """The metrics that only one side has, in a line for each side."""
    found = []
    for name, has in zip(sides.names, ((True, False), (False, True)), strict=True):
        names = [each.name for each in sides.unpaired if (each.in_base, each.in_new) == has]
        if names:
            found.append(f"metrics only in {name}: {conditions.few(names)}")
    return found


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
            lost_metrics=sum(each.in_base and each.role == "subject" for each in sides.unpaired),
            machine=sides.machine,
            problems=sides.problems,
            remarks=(*sides.remarks, *_only_in(sides)),
            level=terms.level,
            significance=terms.significance,
            noise=terms.noise,
            correction=terms.correction,
        )
        for sides, rows in zip(found, told, strict=True)
    )
