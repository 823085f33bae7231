"""Figures that the findings of a report rest on, taken from an analysis: shares, tails, costs, forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import Verdict
from web_terminal_suite.bench.report.common import rows, units

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result
    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Run, Target


@dataclass(frozen=True)
class OperationStage:
    """A stretch of an operation: between which moments, how much of the mean of the whole (ns)."""

    words: str
    took: float
    whole: float

    @property
    def share(self) -> float:
        return self.took / self.whole


def subjects(analysis: Analysis) -> list[Result]:
    """The measured rows of terminals that are judged."""
    return [result for result in analysis.results if result.role == "subject" and result.n]


def leading(analysis: Analysis) -> list[Result]:
    """One row for each cell: the one that is judged, else the first."""
    found: dict[Cell, Result] = {}
    for result in subjects(analysis):
        if result.cell not in found or _judged_later(found[result.cell], result):
            found[result.cell] = result
    return list(found.values())


def _judged_later(found: Result, other: Result) -> bool:
    return found.judgement.target is None and other.judgement.target is not None


def name_of(result: Result, analysis: Analysis) -> str:
    """The cell, and the metric where its benchmark has several."""
    fellows = (each for each in analysis.results if each.cell.benchmark == result.cell.benchmark)
    several = len({each.metric.name for each in fellows}) > 1
    return f"{result.cell}, {result.metric.name}" if several else str(result.cell)


def largest_stage(result: Result, analysis: Analysis) -> OperationStage | None:
    """The longest stretch between two moments of a whole operation. Means add up, medians would not."""
    whole = mean_of(result)
    if result.metric.mark or whole is None or result.failed:
        return None
    marks = [
        (mean, each.metric.mark)
        for each in analysis.results
        if each.cell == result.cell
        and each.metric.mark
        and (mean := mean_of(each)) is not None
        and mean < 0.999 * whole
    ]
    if not marks:
        return None
    moments = [(0.0, ""), *sorted(marks), (whole, "")]
    stretches = [
        OperationStage(_between(before[1], after[1]), after[0] - before[0], whole)
        for before, after in pairwise(moments)
    ]
    return max(stretches, key=lambda stage: stage.took)


def _between(before: str, after: str) -> str:
    start = f"from {before.replace('_', ' ')}" if before else "from the start"
    return f"{start} to {after.replace('_', ' ')}" if after else f"{start} to the end"


def mean_of(result: Result) -> float | None:
    """The mean where there is a number for it."""
    estimate = result.estimates.get("mean")
    return estimate.value if estimate is not None and is_number(estimate) else None


def tail_of(result: Result | None) -> float | None:
    """p95 over p50, where the sample supports both."""
    if result is None:
        return None
    ends = [result.estimates.get(name) for name in ("p95", "p50")]
    if any(end is None or not is_number(end) or not end.value for end in ends):
        return None
    high, low = (end.value for end in ends if end is not None)
    return None if high is None or low is None else high / low


def is_number(estimate: Estimate) -> bool:
    """Neither refused nor the place of a failed operation."""
    return estimate.value is not None and math.isfinite(estimate.value)


def wants_better(result: Result) -> bool:
    """Whether a target or goal of this row is not met: only then is there something to improve."""
    open_ = (Verdict.FAIL, Verdict.UNDECIDED)
    return any(each.verdict in open_ or each.goal_verdict in open_ for each in result.judgements)


def factor_of(estimate: Estimate | None, target: Target) -> float | None:
    """The estimate as a multiple of the limit; above 1 it misses the limit."""
    if estimate is None or not is_number(estimate) or not estimate.value or not target.limit:
        return None
    return estimate.value / target.limit if target.below else target.limit / estimate.value


def needed(result: Result, target: Target) -> int | None:
    """Operations after which the interval would no longer hold the limit.

    An interval narrows with the square root of the sample, so the distance of the estimate from the limit says how
    many more there must be. Rounded up to two digits: it is a forecast.
    """
    estimate = rows.estimate_of(target.statistic, result)
    if result.metric.kind != "latency" or estimate is None or target.limit is None or estimate.value is None:
        return None
    ends = [end for end in (estimate.lower, estimate.upper) if math.isfinite(end)]
    apart = abs(estimate.value - target.limit)
    if len(ends) < 2 or not math.isfinite(estimate.value) or apart == 0:
        return None
    towards = estimate.upper - estimate.value if estimate.value < target.limit else estimate.value - estimate.lower
    need = result.n * max(1.0, towards / apart) ** 2
    digits = max(0, math.floor(math.log10(need)) - 1)
    return int(math.ceil(need / 10**digits) * 10**digits)


def covered(run: Run, cell: Cell) -> float:
    """Part of the cell's trials in which an operation was under way; above 1 where several were."""
    trials = [trial for trial in run.trials if trial.cell == cell and trial.usage is not None]
    elapsed = sum(trial.usage.elapsed_ns for trial in trials if trial.usage is not None)
    busy = sum(sample.seen_ns - sample.due_ns for trial in trials for sample in trial.samples)
    return busy / elapsed if elapsed else 0.0


def cost_of(run: Run, cell: Cell) -> float | None:
    """Server processor time an operation, ns, over whole trials: preparation and warm-up are in both."""
    spent, operations = 0, 0
    for trial in run.trials:
        if trial.cell == cell and trial.usage is not None and trial.usage.server_cpu_ns is not None:
            spent += trial.usage.server_cpu_ns
            operations += len(trial.samples)
    return spent / operations if operations else None


def ends_of(
    analysis: Analysis, facts: BenchmarkFacts, terminal: str
) -> tuple[tuple[int, float], tuple[int, float]] | None:
    """Elements and cost of one, for the fewest and for the most that were measured."""
    costs = {}
    for result in analysis.results:
        elements = facts.elements.get(result.cell.parameter)
        p50 = result.estimates.get("p50")
        if result.cell.benchmark != facts.id or result.cell.terminal != terminal or result.metric.mark or not elements:
            continue
        if p50 is not None and is_number(p50) and p50.value:
            costs[elements] = p50.value / elements
    if len(costs) < 2:
        return None
    few, many = min(costs), max(costs)
    return (few, costs[few]), (many, costs[many])


def unrest(run: Run) -> str:
    """The machine's warnings, as the record words them."""
    return "; ".join(str(each.get("seen", "")) for each in run.machine.get("warnings", []))


def statistic_of(target: Target) -> str:
    """The statistic in words."""
    return target.statistic.replace("ratio_", "ratio to the floor at ")


def times(ratio: Estimate) -> str:
    """A ratio with its interval."""
    value, interval = rows.value_and_interval(ratio, units.RATIO)
    return f"{value} ({interval})"


def percent(share: float) -> str:
    """A share in two digits."""
    return f"{share * 100:.0f} %" if share >= 0.095 else f"{share * 100:.1f} %"
