"""A cell compared with its floor: what the terminal adds to what the machine takes anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.analysis.results import Comparison, Estimate
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.interval import InsufficientData
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from web_terminal_suite.bench.samples import BenchmarkFacts, Metric

COMPARED = ("p50", "p95")

RESAMPLES = 10_000
"""Replicates of a quantile cost one random number each, so there is no reason to be sparing."""


def floor_cell(cell: Cell, facts: BenchmarkFacts, cells: Collection[Cell]) -> Cell | None:
    """The measured cell that is this one's floor.

    A floor named as a terminal is that terminal's same cell. One named as a benchmark is its cell of the same
    parameter, else the one without, else the first.
    """
    if not facts.floor:
        return None
    same = Cell(cell.benchmark, cell.parameter, facts.floor)
    if same in cells:
        return None if same == cell else same
    candidates = [other for other in cells if other.benchmark == facts.floor and other != cell]
    for parameter in (cell.parameter, ""):
        for other in candidates:
            if other.parameter == parameter:
                return other
    return candidates[0] if candidates else None


def floor_metric(metric: Metric, facts: BenchmarkFacts) -> Metric | None:
    """The floor's metric of the same name; for the whole operation, the floor's whole operation.

    A moment on the way has no floor but the same moment: half a way is not comparable with the whole of another.
    """
    named = [other for other in facts.metrics if other.name == metric.name and other.kind == "latency"]
    whole = [other for other in facts.metrics if other.kind == "latency" and not other.mark and not metric.mark]
    return next(iter(named + whole), None)


def compare(ours: Series, floor: Series, at: Cell, level: float, rng: np.random.Generator) -> Comparison:
    """Difference and quotient of p50 and p95, with bootstrap intervals.

    The two samples are resampled apart from each other, although their blocks were interleaved: what both saw of a
    slow minute is not credited, so the intervals are on the wide side.
    """
    added, ratio = {}, {}
    for name in COMPARED:
        added[name], ratio[name] = _at(ours, floor, quantiles.PERCENTILES[name], level, rng)
    return Comparison(floor=at, added=added, ratio=ratio)


def _at(ours: Series, floor: Series, q: float, level: float, rng: np.random.Generator) -> tuple[Estimate, Estimate]:
    for name, series in (("", ours), ("floor ", floor)):
        answer = quantiles.interval(series, q, level)
        if isinstance(answer, InsufficientData):
            refused = Estimate(refusal=f"{name}{answer}")
            return refused, refused
    above, below = (quantiles.resampled(series, q, RESAMPLES, rng) for series in (ours, floor))
    base = quantiles.quantile(floor, q)
    if not (np.isfinite(below).all() and below.min() > 0):
        refused = Estimate(refusal="the floor itself failed or took no time")
        return refused, refused
    value = quantiles.quantile(ours, q)
    return spread(value - base, above - below, level), spread(value / base, above / below, level)


def spread(value: float, replicates: npt.NDArray[np.float64], level: float) -> Estimate:
    """``value`` with the percentile interval of its bootstrap replicates, which may be ``inf``."""
    tail = (1 - level) / 2
    # Not interpolated: between a success and a failure (inf) there is nothing.
    series = Series(replicates)
    lower, upper = (quantiles.quantile(series, q) for q in (tail, 1 - tail))
    return Estimate(value=value, lower=min(lower, value), upper=max(upper, value))
