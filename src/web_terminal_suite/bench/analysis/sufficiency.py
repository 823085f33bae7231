"""Whether a cell has been measured enough: the runner's questions, asked at checkpoints or between blocks only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis.estimates import latencies
from web_terminal_suite.bench.stats.quantiles import PERCENTILES
from web_terminal_suite.bench.stats.stopping import FIRST, Aim, OperationRate, StopDecision, checkpoint, decide, pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Metric, Target, Trial

WITHOUT_TARGET = "p95"
"""The statistic that is to be narrow where no target names one."""

STATISTICS = {"ratio_p50": "p50", "ratio_p95": "p95", "mean": "p50", "rate": "p50"}
"""What is looked at for a target on something else: it narrows as that does."""


SHORT = 0.5
"""Of a block's usual operations, where the cell is clear already: blocks are kept, since comparisons rest on them."""

SAVES_NS = 100_000_000
"""What a block must have taken for half of it to be worth saving: a comparison would rather have the operations."""


class Interim:
    """Looks between the blocks of a cell; remembers nothing."""

    def share(self, facts: BenchmarkFacts, trials: Sequence[Trial]) -> float:
        """How many operations the next block is to have, as a part of its usual number; infinite: all its time allows.

        Args:
            trials: the blocks of the cell so far.
        """
        found = [
            _look(metric, target, trials)
            for metric in facts.metrics
            for table in (metric.targets, metric.floor_targets)
            for target in (table.get(trials[-1].cell.parameter, table.get("*")),)
            if target is not None
        ]
        if OperationRate.LONG in found:
            return math.inf
        usage = trials[-1].usage
        saves = usage is not None and usage.elapsed_ns >= SAVES_NS
        return SHORT if saves and found and set(found) == {OperationRate.SHORT} else 1.0


def _look(metric: Metric, target: Target, trials: Sequence[Trial]) -> OperationRate:
    # What is not a percentile of one cell's operations is left at the usual number.
    if metric.kind != "latency" or target.statistic not in PERCENTILES:
        return OperationRate.USUAL
    found = latencies(trials, metric.mark)
    if found is None:
        return OperationRate.USUAL
    limits = [limit for limit in (target.limit, target.goal) if limit is not None]
    return pace(found.series, PERCENTILES[target.statistic], limits)


class Sufficiency:
    """Remembers which look of each cell comes next; everything else is asked anew.

    Args:
        precision: wanted width of the interval over the estimate, such as 0.1.
        level: confidence over all looks of a cell together.
    """

    def __init__(self, precision: float, level: float) -> None:
        self._precision = precision
        self._level = level
        self._looks: dict[Cell, int] = {}

    def is_due(self, cell: Cell, measured: int) -> bool:
        """Whether ``measured`` operations in all blocks of the cell so far reach its next checkpoint."""
        return measured >= checkpoint(self._looks.get(cell, 1), FIRST)

    def is_enough(self, facts: BenchmarkFacts, trials: Sequence[Trial]) -> bool:
        """Whether the cell of ``trials``, its blocks so far, needs no more. A call is a look; ask when it is due."""
        cell = trials[-1].cell
        look = self._looks.get(cell, 1)
        self._looks[cell] = look + 1
        if not any(metric.kind == "latency" for metric in facts.metrics):
            return True
        metric, statistic, target = _aim(facts, cell.parameter)
        found = latencies(trials, metric.mark)
        if found is None:
            return False
        limit = target.limit if target is not None and statistic == target.statistic else None
        aim = Aim(PERCENTILES[statistic], limit, self._precision)
        # Time is the runner's: it knows what is left for this block.
        decision = decide(
            list(found.blocks().values()), aim, look, elapsed_seconds=0, budget_seconds=math.inf, level=self._level
        )
        return decision.stop is not StopDecision.GO_ON


def _aim(facts: BenchmarkFacts, parameter: str) -> tuple[Metric, str, Target | None]:
    """The metric and statistic that decide: those of the first target on a latency, else p95 of the first latency."""
    timed = [metric for metric in facts.metrics if metric.kind == "latency"]
    for metric in timed:
        for table in (metric.targets, metric.floor_targets):
            target = table.get(parameter, table.get("*"))
            if target is not None:
                return metric, STATISTICS.get(target.statistic, target.statistic), target
    return timed[0], WITHOUT_TARGET, None
