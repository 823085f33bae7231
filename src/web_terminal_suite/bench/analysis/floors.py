"""A cell compared with its floor: what the terminal adds to what the machine takes anyway."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.analysis.results import Comparison, Estimate
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats import quantiles, ratios
from web_terminal_suite.bench.stats.block_intervals import percentile_interval, standard_error
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS, TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.means import student_quantile
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.analysis.estimates import Latencies
    from web_terminal_suite.bench.samples import BenchmarkFacts, Metric

COMPARED = ("p50", "p95")

RESAMPLES = 1_000
"""Resamples of blocks that are too short for a percentile of their own."""


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


def compare(ours: Latencies, floor: Latencies, at: Cell, level: float, rng: np.random.Generator) -> Comparison:
    """Difference and quotient of p50 and p95.

    Where both were measured in at least ``FEWEST_BLOCKS`` blocks of the same number, they are compared block by block,
    and what both saw of a slow minute cancels.
    """
    added, ratio = {}, {}
    for name in COMPARED:
        added[name], ratio[name] = _at(ours, floor, quantiles.PERCENTILES[name], level, rng)
    return Comparison(floor=at, added=added, ratio=ratio)


def _at(
    ours: Latencies, floor: Latencies, q: float, level: float, rng: np.random.Generator
) -> tuple[Estimate, Estimate]:
    for name, found in (("", ours), ("floor ", floor)):
        need = quantiles.needed(q, level)
        if found.n < need:
            refused = Estimate(refusal=f"{name}{InsufficientData(found.n, need)}")
            return refused, refused
    mine, base = ours.blocks(), floor.blocks()
    below = [_quantile(block, q) for block in base.values()]
    value, least = quantiles.quantile(ours.series, q), quantiles.quantile(floor.series, q)
    if not all(0 < each < math.inf for each in (*below, least)):
        refused = Estimate(refusal="the floor itself failed or took no time")
        return refused, refused
    shared = [number for number in mine if number in base]
    paired = len(shared) >= FEWEST_BLOCKS
    pair = [[side[number] for number in shared] for side in (mine, base)]
    if not paired and min(len(mine), len(base)) < FEWEST_BLOCKS:
        which = "floor " if len(base) < FEWEST_BLOCKS else ""
        refusal = f"{which}{TooFewBlocks(min(len(mine), len(base)))}"
        ends = [(_quantile(a, q), _quantile(b, q)) for a, b in zip(*pair, strict=True)] or [(value, least)]
        return (
            Estimate(value=value - least, refusal=refusal, readings=tuple(a - b for a, b in ends)),
            Estimate(value=value / least, refusal=refusal, readings=tuple(a / b for a, b in ends)),
        )
    sides = pair if paired else [list(mine.values()), list(base.values())]
    return _added(sides, (value, least), q, level, paired), _ratio(sides, q, level, paired, rng)


def _ratio(
    sides: Sequence[Sequence[npt.NDArray[np.float64]]], q: float, level: float, paired: bool, rng: np.random.Generator
) -> Estimate:
    try:
        answer = ratios.ratio(sides[1], sides[0], q, level, paired=paired, resamples=RESAMPLES, rng=rng)
    except ValueError as error:
        return Estimate(refusal=str(error))
    if isinstance(answer, InsufficientData):
        return Estimate(refusal=str(answer))
    return Estimate(value=answer.value, lower=answer.interval.lower, upper=answer.interval.upper)


def _added(
    sides: Sequence[Sequence[npt.NDArray[np.float64]]],
    pooled: tuple[float, float],
    q: float,
    level: float,
    paired: bool,
) -> Estimate:
    """The mean difference of the blocks' percentiles with Student's t, or Welch's where they are no pairs.

    Where operations failed, or blocks are too short for a percentile, both sides are bounded at half the error.
    """
    figures = [np.array([_quantile(block, q) for block in side]) for side in sides]
    if not all(np.isfinite(each).all() for each in figures) or not ratios.is_thick(sides[1], sides[0], q):
        answers = [percentile_interval(side, q, (1 + level) / 2) for side in sides]
        above, below = (each if isinstance(each, Interval) else None for each in answers)
        if above is None or below is None:
            return Estimate(
                value=pooled[0] - pooled[1], refusal=str(next(e for e in answers if e not in (above, below)))
            )
        lower, upper = above.lower - below.upper, above.upper - below.lower
        value = pooled[0] - pooled[1]
        return Estimate(value=value, lower=min(lower, value), upper=max(upper, value))
    value = float(figures[0].mean() - figures[1].mean())
    if paired:
        spread, freedom = standard_error(figures[0] - figures[1], np.ones(figures[0].size)), figures[0].size - 1.0
    else:
        errors = [standard_error(each, np.ones(each.size)) for each in figures]
        spread = math.hypot(*errors)
        freedom = ratios.welch([each**2 for each in errors], [each.size - 1 for each in figures])
    half = student_quantile((1 + level) / 2, freedom) * spread
    return Estimate(value=value, lower=value - half, upper=value + half)


def _quantile(values: npt.NDArray[np.float64], q: float) -> float:
    return quantiles.quantile(Series(values), q)
