"""The samples behind the rows of an analysis: of the run, of its floors, of a baseline."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from web_terminal.bench.analysis import estimates, floors
from web_terminal.bench.report.html_curves import began_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal.bench.analysis import Analysis, Comparison, Result
    from web_terminal.bench.analysis.estimates import Latencies
    from web_terminal.bench.samples import Cell, Metric, Point, Run, Trial

SEED = 20_000
"""Of the resampling of changes: the same two files give the same report."""


class Measured:
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
        """The due time of the first operation of the run."""
        return began_ns(self.run.trials)

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

    def readings(self, result: Result) -> Sequence[Point]:
        return estimates.points(self.trials(result.cell), result.metric)

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


def change(ours: Latencies, base: Latencies, cell: Cell, level: float) -> Comparison:
    """What changed since a baseline: difference and quotient of p50 and p95 with their intervals."""
    return floors.compare(ours.series, base.series, cell, level, np.random.default_rng(SEED))
