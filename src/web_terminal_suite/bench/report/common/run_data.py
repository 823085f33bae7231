"""The samples behind the rows of an analysis: those of the run, of its floors and of a baseline."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import estimates, floors
from web_terminal_suite.bench.analysis.comparison.counts import OPERATIONS
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.analysis import Analysis, Result
    from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow
    from web_terminal_suite.bench.analysis.estimates import Latencies
    from web_terminal_suite.bench.samples import Cell, Metric, Point, Run, Trial


class MeasuredRun:
    """One run with its analysis, by cell."""

    def __init__(self, run: Run, analysis: Analysis) -> None:
        self.run = run
        self.analysis = analysis
        self._trials: dict[Cell, list[Trial]] = {}
        for trial in run.trials:
            self._trials.setdefault(trial.cell, []).append(trial)
        self._found: dict[tuple[Cell, str], Latencies | None] = {}

    @cached_property
    def began_ns(self) -> int:
        """The due time of the first operation of the run, 0 where there is none."""
        return min((trial.samples[0].due_ns for trial in self.run.trials if trial.samples), default=0)

    def trials(self, cell: Cell) -> list[Trial]:
        return self._trials.get(cell, [])

    def latencies(self, cell: Cell, metric: Metric) -> Latencies | None:
        """The measured operations, ``None`` where there are none or the metric is no latency."""
        if metric.kind != "latency":
            return None
        key = (cell, metric.mark)
        if key not in self._found:
            self._found[key] = estimates.latencies(self.trials(cell), metric.mark)
        return self._found[key]

    def readings(self, result: Result) -> Sequence[Sequence[Point]]:
        """By block."""
        return estimates.blocks_of(self.trials(result.cell), result.metric)

    def same(self, result: Result) -> Result | None:
        """This run's row for the cell and metric of another run's."""
        key = (result.cell, result.metric.name, result.metric.kind)
        return self._rows.get(key)

    @cached_property
    def _rows(self) -> dict[tuple[Cell, str, str], Result]:
        return {(row.cell, row.metric.name, row.metric.kind): row for row in self.analysis.results}

    def floor(self, result: Result) -> Result | None:
        """The row that is the floor of ``result``."""
        at = result.floor.floor if result.floor is not None else None
        facts = next((each for each in self.run.benchmarks if at is not None and each.id == at.benchmark), None)
        metric = floors.floor_metric(result.metric, facts) if facts is not None else None
        if at is None or metric is None:
            return None
        return self._rows.get((at, metric.name, metric.kind))


class BaselineRun(MeasuredRun):
    """An earlier run, and what changed since. ``compared`` compares the newer run with this one.

    ``earlier`` are further runs of the same code as this one.
    """

    def __init__(self, run: Run, analysis: Analysis, newer: Run, earlier: Sequence[Run] = ()) -> None:
        super().__init__(run, analysis)
        terms = Terms(level=analysis.level)
        # The caller of a report chose the baseline, so another machine is no error; the report says how they differ.
        (self.compared,) = compare_runs(("the baseline", (*earlier, run)), [("this run", newer)], terms, force=True)
        self._changes: dict[tuple[Cell, str], list[ComparisonRow]] = {}
        for row in (*self.compared.rows, *self.compared.floors):
            self._changes.setdefault((row.new, row.metric), []).append(row)

    def changes(self, result: Result) -> list[ComparisonRow]:
        """Each statistic of the row that both runs have; with the first latency of a cell, its failed operations."""
        own = self._changes.get((result.cell, result.metric.name), [])
        first = next((row.metric for row in self.analysis.results if row.cell == result.cell), result.metric)
        return [*own, *self._changes.get((result.cell, OPERATIONS), [])] if first == result.metric else own


def measured_count(trials: Iterable[Trial]) -> int:
    """Measured operations, warm-up left out."""
    return sum(len(estimates.measured(trial)) for trial in trials)
