"""The rows of one metric of two sides: figures, ratio, error; the verdict comes once all rows are known."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import counts, spread
from web_terminal_suite.bench.analysis.comparison.results import QUANTILES, ComparisonRow, Lacking, Terms
from web_terminal_suite.bench.analysis.comparison.spread import RunFigure
from web_terminal_suite.bench.analysis.verdicts import CLIENT_LIMIT
from web_terminal_suite.bench.stats import quantiles, ratios, regression
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.means import FEWEST_TO_RESAMPLE, student_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Metric, Point, Trial

    Values = npt.NDArray[np.float64]

Side = tuple[tuple["Trial", ...], ...]
"""The trials of one cell, by run."""


@dataclass(frozen=True)
class Pair:
    """One metric of one cell on both sides."""

    cells: tuple[Cell, Cell]
    facts: BenchmarkFacts
    metric: Metric
    role: str
    sides: tuple[Side, Side]


def draft_rows(pair: Pair, terms: Terms, *, paired: bool, seeds: Sequence[int]) -> list[ComparisonRow]:
    """The rows of one metric, not yet corrected; none where a side does not have it.

    Args:
        paired: the sides are two terminals of one run, compared block by block.
    """
    if pair.metric.kind != "latency":
        row = _of_readings(pair, paired, terms)
        return [] if row is None else [row]
    found = [[estimates.latencies(trials, pair.metric.mark) for trials in side] for side in pair.sides]
    sides = [[each for each in side if each is not None] for side in found]
    if not sides[0] or not sides[1]:
        return []
    rows = []
    for name in terms.statistics:
        figures = [[_value(each, name, terms.level) for each in side] for side in sides]
        row = _changed(
            _draft(pair, *(sum(each.n for each in side) for side in sides)),
            statistic=name,
            base_value=_together(figures[0]),
            new_value=_together(figures[1]),
        )
        if paired:
            words = f"{pair.cells[0]}:{pair.cells[1]}:{pair.metric.name}:{name}".encode()
            rng = np.random.default_rng([*(abs(seed) for seed in seeds), zlib.crc32(words)])
            rows.append(_beside(row, pair, sides[0][0], sides[1][0], QUANTILES[name], terms, rng))
        else:
            figures_of = [_latency_figures(side, each, name, terms.level)
                          for side, each in zip(pair.sides, found, strict=True)]  # fmt: skip
            rows.append(_between(row, figures_of, terms))
    return rows


def has_metric(side: Side, metric: Metric) -> bool:
    """Whether anything of a metric was measured."""
    if metric.kind == "latency":
        return any(estimates.has_latency(trials, metric.mark) for trials in side)
    return any(estimates.points(trials, metric) for trials in side)


def _beside(
    row: ComparisonRow,
    pair: Pair,
    base: estimates.Latencies,
    new: estimates.Latencies,
    q: float | None,
    terms: Terms,
    rng: np.random.Generator,
) -> ComparisonRow:
    """Two terminals of one run, block by block."""
    old, now = _by_block(pair.sides[0][0], base), _by_block(pair.sides[1][0], new)
    shared = [block for block in old if block in now and old[block].size and now[block].size]
    if not shared:
        return _changed(row, reason="the two have no block in common")
    blocks = [old[block] for block in shared], [now[block] for block in shared]
    try:
        answer = ratios.ratio(*blocks, q, terms.level, paired=True, resamples=terms.resamples, rng=rng)
    except ValueError as error:
        return _changed(row, reason=str(error))
    if not isinstance(answer, ratios.Ratio):
        return _changed(row, reason=str(answer), lacking=Lacking.BLOCKS)
    ratio = None if math.isnan(answer.value) else answer.value
    if len(shared) < FEWEST_BLOCKS:
        return _changed(row, ratio=ratio, paired=answer.paired, **_too_few(len(shared)))
    row = _changed(
        row,
        ratio=ratio,
        lower=answer.interval.lower,
        upper=answer.interval.upper,
        units=answer.units,
        paired=answer.paired,
    )
    if not math.isfinite(answer.error):
        return _changed(row, reason=row.reason or _FAILED)
    return _changed(
        row,
        error=answer.error,
        freedom=answer.freedom,
        p=spread.significance(answer.log, answer.error, answer.freedom),
    )


def _between(row: ComparisonRow, sides: Sequence[Sequence[RunFigure] | str], terms: Terms) -> ComparisonRow:
    """Two sides of runs that were made at different times."""
    reason = next((side for side in sides if isinstance(side, str)), "")
    if reason:
        return _changed(row, reason=reason)
    base, new = (side for side in sides if not isinstance(side, str))
    apart = spread.difference(base, new, spread.ASSUMED[row.statistic])
    row = _changed(row, ratio=math.exp(apart.log), base_runs=len(base), new_runs=len(new))
    units = min(each.units for each in (*base, *new))
    if units < FEWEST_BLOCKS and len(base) + len(new) - 2 < spread.FEWEST_FREEDOM:
        return _changed(row, **_too_few(units))
    interval = apart.interval(terms.level)
    return _changed(
        row,
        lower=interval.lower,
        upper=interval.upper,
        error=apart.error,
        freedom=apart.freedom,
        p=apart.significance,
        units="runs",
    )


def _latency_figures(
    side: Side, found: Sequence[estimates.Latencies | None], name: str, level: float
) -> list[RunFigure] | str:
    """One figure a run, or why there is none."""
    q, figures = QUANTILES[name], []
    for trials, each in zip(side, found, strict=True):
        if each is None:
            continue
        need = FEWEST_TO_RESAMPLE if q is None else quantiles.needed(q, level)
        if each.n < need:
            return str(InsufficientData(each.n, need))
        blocks = [block for block in _by_block(trials, each).values() if block.size]
        values = np.array([ratios.statistic(block, q) for block in (np.concatenate(blocks), *blocks)])
        if not np.isfinite(values).all():
            return _FAILED
        if not (values > 0).all():
            return "a statistic of 0 has no ratio; the operation takes no time that the clock can tell"
        logs = np.log(values)
        figures.append(_figure(float(logs[0]), logs[1:]))
    return figures


def _figure(log: float, units: Values) -> RunFigure:
    """A figure whose units (logarithms) say how uncertain it is."""
    k = units.size
    error = float(units.std(ddof=1)) / math.sqrt(k) if k > 1 else 0.0
    return RunFigure(log, error, k - 1, k)


def _of_readings(pair: Pair, paired: bool, terms: Terms) -> ComparisonRow | None:
    readings = [[found for trials in side if (found := estimates.points(trials, pair.metric))] for side in pair.sides]
    if not readings[0] or not readings[1]:
        return None
    kind = "slope" if pair.metric.kind == "slope" else "level"
    row = _changed(_draft(pair, *(sum(map(len, side)) for side in readings)), statistic=kind)
    if pair.metric.exact and kind == "level":
        counted = counts.count_row(row, [[[each.y for each in run] for run in side] for side in readings], terms)
        if counted is not None:
            return counted
    figures: list[list[tuple[float, float, float, int]]] = []
    for side in pair.sides:
        told = [_reading_figure(pair.metric, trials, terms.level) for trials in side]
        wrong = next((each for each in told if isinstance(each, str)), "")
        if wrong:
            return _changed(row, reason=wrong)
        figures.append([each for each in told if not isinstance(each, str) and each is not None])
    row = _changed(row, **{
        name: float(np.mean([value for value, *_ in side]))
        for name, side in zip(("base_value", "new_value"), figures, strict=True)
    })  # fmt: skip
    for value, error, *_ in (*figures[0], *figures[1]):
        if not value > 2 * error:
            return _changed(row, reason=f"{value:g} with an error of {error:g} is too near 0 for a ratio")
    if not paired:
        sides = [[RunFigure(math.log(value), error / value, freedom, units) for value, error, freedom, units in side]
                 for side in figures]  # fmt: skip
        return _between(row, sides, terms)
    (base,), (new,) = figures
    answer, p = ratios.ratio_of_figures(base[:3], new[:3], terms.level)
    row = _changed(row, ratio=answer.value)
    units = min(base[3], new[3])
    if units < FEWEST_BLOCKS:
        return _changed(row, **_too_few(units))
    ends = answer.interval
    return _changed(
        row, lower=ends.lower, upper=ends.upper, error=answer.error, freedom=answer.freedom, p=p, units=answer.units
    )


def _reading_figure(
    metric: Metric, trials: Sequence[Trial], level: float
) -> tuple[float, float, float, int] | str | None:
    """Value, standard error, its degrees of freedom and the number of units; or why there is none."""
    points = estimates.points(trials, metric)
    if not points:
        return None
    if metric.kind == "slope":
        return _slope(estimates.blocks_of(trials, metric), level, drifts=metric.drifts)
    means = np.array([np.mean([point.y for point in block]) for block in estimates.blocks_of(trials, metric)])
    k = means.size
    error = float(means.std(ddof=1)) / math.sqrt(k) if k > 1 else 0.0
    return float(means.mean()), error, k - 1, k


def _slope(blocks: Sequence[Sequence[Point]], level: float, *, drifts: bool) -> tuple[float, float, float, int] | str:
    """As ``_reading_figure``; the blocks' own slopes are the units, of a drift the steps."""
    readings = [point for block in blocks for point in block]
    if len({point.x for point in readings}) < 2:
        return f"every reading is at x = {readings[0].x:g}; a slope needs two different x"
    if not drifts:
        pairs = [([point.x for point in block], [point.y for point in block]) for block in blocks]
        line, k = regression.fit_blocks(pairs, level), len(regression.block_slopes(pairs))
        return (line.slope, 0.0, 0, k) if math.isnan(line.error) else (line.slope, line.error, line.freedom, k)
    line = regression.drift([point.x for point in readings], [point.y for point in readings], level)
    if not isinstance(line.slope_interval, Interval):
        return str(line.slope_interval)
    half = line.slope_interval.upper - line.slope
    return line.slope, half / student_quantile((1 + level) / 2, line.n - 2), line.n - 2, line.n


_FAILED = "operations failed at this percentile, so it has no value; failed operations are a row of their own"


def _too_few(units: int) -> dict[str, Any]:
    blocks = "1 block" if units == 1 else f"{units} blocks"
    return {
        "reason": f"{blocks} a side; a verdict of change needs {FEWEST_BLOCKS}",
        "lacking": Lacking.BLOCKS,
    }


def _draft(pair: Pair, base_n: int, new_n: int) -> ComparisonRow:
    """The row as far as it is known without arithmetic; ``reason`` where no verdict in its favour can stand."""
    targets = (*pair.metric.targets.values(), *pair.metric.floor_targets.values())
    above = any(not target.below for target in targets if target.statistic in ("slope", "level", *QUANTILES))
    return ComparisonRow(
        base=pair.cells[0],
        new=pair.cells[1],
        role=pair.role,
        metric=pair.metric.name,
        unit=pair.metric.unit,
        statistic="",
        base_n=base_n,
        new_n=new_n,
        base_runs=len(pair.sides[0]),
        new_runs=len(pair.sides[1]),
        better_below=not above,
        reason=_taint(pair),
    )


def _taint(pair: Pair) -> str:
    """Why the figures are not wholly the terminal's; empty where they are."""
    for name, side in zip(("base", "new"), pair.sides, strict=True):
        trials = [trial for run in side for trial in run]
        problem = next((trial.problem for trial in trials if trial.problem), "")
        if problem:
            return f"the cell is partial in the {name}: {problem}"
        usages = [trial.usage for trial in trials if trial.usage is not None and trial.usage.elapsed_ns > 0]
        share = max((usage.client_cpu_ns / usage.elapsed_ns for usage in usages), default=0.0)
        if share > CLIENT_LIMIT and not pair.facts.component and pair.role == "subject":
            return f"the client used {share:.0%} of a core in the {name}, more than {CLIENT_LIMIT:.0%}"
    return ""


def _by_block(trials: Sequence[Trial], found: estimates.Latencies) -> dict[int, Values]:
    """Latencies by block, failures as ``inf``."""
    blocks: dict[int, list[Values]] = {}
    for trial, fine, every in zip(trials, found.succeeded, found.took, strict=True):
        values = np.concatenate([fine.astype(np.float64), np.full(every.size - fine.size, np.inf)])
        blocks.setdefault(trial.block, []).append(values)
    return {block: np.concatenate(parts) for block, parts in blocks.items()}


def _value(found: estimates.Latencies, name: str, level: float) -> float | None:
    """The statistic of all operations as a result states it; ``inf`` with a failure in a mean."""
    q = QUANTILES[name]
    if q is None:
        return float(found.series.values.mean())
    return estimates.percentile(found, q, level).value


def _together(values: Sequence[float | None]) -> float | None:
    """The geometric mean of the figures of several runs; ``None`` where one is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if len(known) == 1 or not all(0 < value < math.inf for value in known):
        return max(known)
    return math.exp(sum(map(math.log, known)) / len(known))


def _changed(row: ComparisonRow, **values: Any) -> ComparisonRow:
    return msgspec.structs.replace(row, **values)
