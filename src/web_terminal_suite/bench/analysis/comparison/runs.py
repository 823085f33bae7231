"""Two runs, or two terminals of one run, row by row: ratio, interval, significance, verdict.

The verdict is by the bounds of the ratio's interval, as for a target, and needs in addition a significance corrected
for the number of rows. Benchmarks that only one side has are listed, never an error. Pure and seeded by the runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison.machine import differences
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, RunComparison, Terms
from web_terminal_suite.bench.analysis.comparison.rows import Pair, count, draft_rows
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats import multiple_comparisons, ratios
from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from web_terminal_suite.bench.samples import BenchmarkFacts, Run, Trial


class OtherMachine(Exception):
    """The runs were made on machines that differ; the text says in what."""


def compare_runs(
    base: tuple[str, Run], news: Sequence[tuple[str, Run]], terms: Terms, force: bool = False
) -> tuple[RunComparison, ...]:
    """Each of the named ``news`` compared with the named ``base``; significances are corrected over all of them.

    Raises:
        OtherMachine: and ``force`` is not set.
    """
    found: list[tuple[_Sides, tuple[str, ...]]] = []
    for name, run in news:
        differing = differences(base[1].machine, run.machine)
        if differing and not force:
            raise OtherMachine(
                f"{base[0]} and {name} are not of the same machine: {'; '.join(differing)}; "
                "figures of different machines say little about a change, --force compares them all the same"
            )
        found.append((_between_runs(base, (name, run)), differing))
    return _judged(found, terms)


def compare_terminals(run: Run, base: str, news: Sequence[str], terms: Terms) -> tuple[RunComparison, ...]:
    """Each of the terminals ``news`` compared with the terminal ``base`` of the same run, block by block.

    Raises:
        ValueError: the run has no terminal of such a name.
    """
    known = [terminal.name for terminal in run.terminals]
    for name in (base, *news):
        if name not in known:
            raise ValueError(f"the run has no terminal {name!r}; it has: {', '.join(known)}")
    return _judged([(_between_terminals(run, base, name), ()) for name in news], terms)


def exit_code(compared: Iterable[RunComparison]) -> int:
    """1 where something is slower, 3 where nothing could be decided, else 0."""
    changes = {row.change for each in compared for row in each.rows}
    if ChangeVerdict.SLOWER in changes:
        return 1
    return 3 if changes <= {ChangeVerdict.UNDECIDED} else 0


@dataclass(frozen=True)
class _Sides:
    names: tuple[str, str]
    seeds: tuple[int, ...]
    paired: bool
    pairs: tuple[Pair, ...]
    gone: tuple[Cell, ...]
    added: tuple[Cell, ...]


def _between_runs(base: tuple[str, Run], new: tuple[str, Run]) -> _Sides:
    old, now = _cells(base[1]), _cells(new[1])
    facts = {each.id: each for each in base[1].benchmarks}
    roles = {terminal.name: terminal.role for terminal in new[1].terminals}
    pairs: list[Pair] = []
    for each in new[1].benchmarks:
        shared = [cell for cell in now if cell.benchmark == each.id and cell in old and cell.benchmark in facts]
        for cell in shared:
            role = roles.get(cell.terminal, "subject")
            pairs += _pairs((cell, cell), each, facts[each.id], role, (old[cell], now[cell]))
    gone, added = (tuple(cell for cell in one if cell not in other) for one, other in ((old, now), (now, old)))
    return _Sides((base[0], new[0]), (base[1].seed, new[1].seed), False, tuple(pairs), gone, added)


def _between_terminals(run: Run, base: str, new: str) -> _Sides:
    cells, pairs = _cells(run), []
    for each in run.benchmarks:
        for cell in [cell for cell in cells if cell.benchmark == each.id and cell.terminal == base]:
            other = Cell(cell.benchmark, cell.parameter, new)
            if other in cells:
                pairs += _pairs((cell, other), each, each, "subject", (cells[cell], cells[other]))
    both = [{(cell.benchmark, cell.parameter): cell for cell in cells if cell.terminal == name} for name in (base, new)]
    gone, added = (tuple(one[key] for key in one if key not in other) for one, other in (both, both[::-1]))
    return _Sides((base, new), (run.seed,), True, tuple(pairs), gone, added)


def _cells(run: Run) -> dict[Cell, tuple[Trial, ...]]:
    """Trials by cell, of cells with anything measured."""
    found: dict[Cell, list[Trial]] = {}
    for trial in run.trials:
        if estimates.measured(trial) or trial.points:
            found.setdefault(trial.cell, []).append(trial)
    return {cell: tuple(trials) for cell, trials in found.items()}


def _pairs(
    cells: tuple[Cell, Cell],
    facts: BenchmarkFacts,
    before: BenchmarkFacts,
    role: str,
    trials: tuple[tuple[Trial, ...], tuple[Trial, ...]],
) -> list[Pair]:
    """The metrics that mean the same on both sides."""
    same = {metric.name: metric for metric in before.metrics}
    return [
        Pair(cells, facts, metric, role, trials)
        for metric in facts.metrics
        if metric.name in same and (metric.kind, metric.unit) == (same[metric.name].kind, same[metric.name].unit)
    ]


def _judged(found: Sequence[tuple[_Sides, tuple[str, ...]]], terms: Terms) -> tuple[RunComparison, ...]:
    """Rows of all sides; those of subjects are corrected as one family, those of floors as another."""
    family = max(1, sum(count(pair, terms) for sides, _ in found for pair in sides.pairs if pair.role == "subject"))
    drafts = [
        [
            row
            for pair in sides.pairs
            for row in draft_rows(pair, terms, paired=sides.paired, seeds=sides.seeds, family=family)
        ]
        for sides, _ in found
    ]
    subjects = iter(_corrected([row for rows in drafts for row in rows if row.role == "subject"], terms))
    floors = iter(_corrected([row for rows in drafts for row in rows if row.role != "subject"], terms))
    compared = []
    for (sides, machine), rows in zip(found, drafts, strict=True):
        judged = [next(subjects) if row.role == "subject" else next(floors) for row in rows]
        compared.append(
            RunComparison(
                base=sides.names[0],
                new=sides.names[1],
                rows=tuple(row for row in judged if row.role == "subject"),
                floors=tuple(row for row in judged if row.role != "subject"),
                gone=sides.gone,
                added=sides.added,
                machine=machine,
                level=terms.level,
                significance=terms.significance,
                noise=terms.noise,
                correction=terms.correction,
            )
        )
    return tuple(compared)


def _corrected(rows: Sequence[ComparisonRow], terms: Terms) -> list[ComparisonRow]:
    """The rows with significances corrected as one family, and their verdicts."""
    tested = [row.p for row in rows if row.p is not None]
    corrections: dict[str, Callable[[list[float]], Iterable[float]]] = {
        "holm": multiple_comparisons.holm,
        "benjamini-hochberg": multiple_comparisons.benjamini_hochberg,
        "none": list,
    }
    adjusted = iter(corrections[terms.correction](tested))
    return [row if row.p is None else _verdict(row, float(next(adjusted)), terms) for row in rows]


def _verdict(row: ComparisonRow, adjusted: float, terms: Terms) -> ComparisonRow:
    value = math.nan if row.ratio is None else row.ratio
    answer = ratios.Ratio(value, Interval(row.lower, row.upper, terms.level), row.paired, row.units)
    change = ratios.change(answer, adjusted, terms.significance, terms.noise)
    if not row.better_below:
        change = {ChangeVerdict.FASTER: ChangeVerdict.SLOWER, ChangeVerdict.SLOWER: ChangeVerdict.FASTER}.get(
            change, change
        )
    if row.reason and change in (ChangeVerdict.FASTER, ChangeVerdict.EQUAL):
        # A taint can hide a loss, so it takes away what speaks for the new; a loss that shows all the same stands.
        change = ChangeVerdict.UNDECIDED
    reason = row.reason
    if change is ChangeVerdict.UNDECIDED and not reason:
        reason = _why_undecided(row, adjusted, terms)
    return msgspec.structs.replace(row, adjusted=adjusted, change=change, reason=reason)


def _why_undecided(row: ComparisonRow, adjusted: float, terms: Terms) -> str:
    if row.units == "ranks":
        return "operations failed on a side, and the rest does not decide"
    beyond = row.lower > 1 + terms.noise or row.upper < 1 / (1 + terms.noise)
    if beyond:
        return f"p = {adjusted:.2g} after correction is not below {terms.significance:g}"
    return f"the interval holds both a difference beyond {terms.noise:.0%} and one within; more blocks narrow it"
