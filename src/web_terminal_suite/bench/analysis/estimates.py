"""The statistics of one metric of one cell.

A failed operation is a latency of ``+inf``: it takes its place above every success, so a percentile says what share
of all operations came in time, not of the lucky ones. Intervals rest on what differs between blocks; where there are
too few blocks, the statistic of each stands in the interval's place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.analysis.results import Estimate, Outliers
from web_terminal_suite.bench.samples import Outcome, Phase
from web_terminal_suite.bench.stats import block_intervals, outliers, quantiles, regression
from web_terminal_suite.bench.stats.blocks import TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.samples import Metric, Point, Sample, Trial

NS_PER_SECOND = 1e9


@dataclass(frozen=True)
class Latencies:
    """Measured operations of one metric, warm-up left out.

    ``succeeded`` holds one ``(n,)`` int64 array a trial, ns; ``took`` the same with failed operations up to their
    failure; ``series`` all of them in one, failures as ``+inf``. ``numbers`` are the trials' blocks.
    """

    succeeded: tuple[npt.NDArray[np.int64], ...]
    took: tuple[npt.NDArray[np.int64], ...]
    series: Series
    failed: int
    numbers: tuple[int, ...]

    def blocks(self) -> dict[int, npt.NDArray[np.float64]]:
        """Latencies by block, failures as ``inf``; blocks without an operation left out."""
        parts = [
            np.concatenate([fine.astype(np.float64), np.full(every.size - fine.size, np.inf)])
            for fine, every in zip(self.succeeded, self.took, strict=True)
        ]
        return _by_number(self.numbers, parts)

    def blocks_took(self) -> dict[int, npt.NDArray[np.float64]]:
        """As ``blocks``, with failed operations up to their failure."""
        return _by_number(self.numbers, [every.astype(np.float64) for every in self.took])

    def blocks_succeeded(self) -> dict[int, npt.NDArray[np.float64]]:
        """As ``blocks``, without the operations that failed."""
        return _by_number(self.numbers, [fine.astype(np.float64) for fine in self.succeeded])

    @property
    def n(self) -> int:
        return len(self.series)


def measured(trial: Trial) -> list[Sample]:
    """The trial's samples without warm-up."""
    return [sample for sample in trial.samples if sample.phase is Phase.MEASURE]


def wrong_answers(trials: Sequence[Trial]) -> int:
    """Measured operations whose answer was wrong."""
    return sum(sample.outcome is Outcome.WRONG for trial in trials for sample in measured(trial))


def has_latency(trials: Sequence[Trial], mark: str) -> bool:
    """Whether there are operations, and any passed the mark where one is named.

    A mark that no operation carries is a moment that this terminal does not have: then there is nothing to measure.
    """
    outcomes = {
        (sample.outcome is Outcome.OK, mark in sample.marks)
        for trial in trials
        for sample in trial.samples
        if sample.phase is Phase.MEASURE
    }
    return bool(outcomes) and (not mark or (True, True) in outcomes or (True, False) not in outcomes)


def latencies(trials: Sequence[Trial], mark: str) -> Latencies | None:
    """The operations of ``trials``, up to ``mark`` where one is named; ``None`` where there are none.

    An operation that failed, or that succeeded without passing the mark, is a failure.
    """
    if not has_latency(trials, mark):
        return None
    blocks = [measured(trial) for trial in trials]
    succeeded = tuple(
        np.array([at for s in block if (at := _latency(s, mark)) is not None], np.int64) for block in blocks
    )
    took = tuple(np.array([sample.seen_ns - sample.due_ns for sample in block], np.int64) for block in blocks)
    failed = sum(array.size for array in took) - sum(array.size for array in succeeded)
    every = np.concatenate(succeeded)
    series = Series(np.concatenate([every, np.full(failed, np.inf)]) if failed else every)
    return Latencies(succeeded, took, series, failed, tuple(trial.block for trial in trials))


def percentile(found: Latencies, q: float, level: float) -> Estimate:
    """The ``q`` quantile with its interval; the quantile of each block where they are too few for one.

    Of too few operations there is no quantile. What bounds it then is that half of the operations of every block took
    longer than some time.
    """
    blocks = list(found.blocks().values())
    answer = block_intervals.percentile_interval(blocks, q, level)
    if isinstance(answer, InsufficientData) and not isinstance(answer, TooFewBlocks):
        medians = [_quantile(block, 0.5) for block in blocks]
        return Estimate(lower=min(medians) if q > 0.5 else -math.inf, refusal=str(answer))
    value = quantiles.quantile(found.series, q)
    return _estimate(value, answer, lambda: [_quantile(block, q) for block in blocks])


def largest(series: Series) -> Estimate:
    """The largest operation seen: a fact about these, and about no others."""
    value = float(series.values[-1])
    return Estimate(value=value, readings=(value,), refusal="the largest seen, no interval")


def mean(found: Latencies, level: float) -> Estimate:
    """The mean of the successful; without an upper bound where any failed, for theirs has no value."""
    every = np.concatenate(found.succeeded)
    if every.size == 0:
        return Estimate(lower=math.inf, refusal="no operation succeeded")
    blocks = list(found.blocks_succeeded().values())
    value, answer = float(every.mean()), block_intervals.mean_interval(blocks, level)
    means = [float(block.mean()) for block in blocks]
    if found.failed:
        refusal = f"{found.failed} of {found.n} operations failed; the mean is of the others"
        lower = answer.lower if isinstance(answer, Interval) else min(means)
        return Estimate(value=value, lower=lower, refusal=refusal)
    return _estimate(value, answer, lambda: means)


def rate(found: Latencies, elements: int, level: float) -> Estimate:
    """Elements a second: those of successful operations over the time that all operations took, failed ones too."""
    blocks = found.blocks_took()
    took = float(np.concatenate(found.took).mean())
    if not took:
        return Estimate(refusal="the operations took no measurable time")
    succeeded = found.blocks_succeeded()

    def readings() -> list[float]:
        parts = [(succeeded.get(number, _NOTHING).size / each.size, each.mean()) for number, each in blocks.items()]
        return [elements * share * NS_PER_SECOND / mean if mean else math.inf for share, mean in parts]

    per_second = elements * (1 - found.failed / found.n) * NS_PER_SECOND
    answer = block_intervals.mean_interval(list(blocks.values()), level)
    if isinstance(answer, Interval):
        lower, upper = per_second / answer.upper, per_second / answer.lower if answer.lower > 0 else math.inf
        answer = Interval(lower, upper, level)
    return _estimate(per_second / took, answer, readings)


def outlier_counts(found: Latencies) -> Outliers | None:
    """Tukey's classes of the successful operations."""
    every = np.concatenate(found.succeeded)
    if every.size == 0:
        return None
    by_label = outliers.counts(outliers.label(every, outliers.fences(every)))
    return Outliers(**{label.name.lower(): n for label, n in by_label.items() if label is not outliers.Label.INSIDE})


def points(trials: Sequence[Trial], metric: Metric) -> list[Point]:
    """The metric's readings: all for a slope, those at ``x == 0`` for a level."""
    every = [point for trial in trials for point in trial.points if point.metric == metric.name]
    return [point for point in every if point.x == 0] if metric.kind == "level" else every


def blocks_of(trials: Sequence[Trial], metric: Metric) -> list[list[Point]]:
    """As ``points``, by block; blocks without a reading left out."""
    by_number: dict[int, list[Point]] = {}
    for trial in trials:
        by_number.setdefault(trial.block, []).extend(points((trial,), metric))
    return [readings for readings in by_number.values() if readings]


def slope(
    blocks: Sequence[Sequence[Point]], level: float, *, drifts: bool = False
) -> tuple[Estimate, regression.LinearFit | None, tuple[str, ...]]:
    """The slope of the line through the blocks' readings, the line, and what the line does not show.

    ``drifts`` as ``Metric`` has it: then each step from one reading to the next is a unit by itself.
    """
    readings = [point for block in blocks for point in block]
    if len({point.x for point in readings}) < 2:
        x = readings[0].x
        return Estimate(refusal=f"every reading is at x = {x:g}; a slope needs two different x"), None, ()
    if drifts:
        line = regression.drift([point.x for point in readings], [point.y for point in readings], level)
        return _estimate(line.slope, line.slope_interval, list), line, ()
    pairs = [([point.x for point in block], [point.y for point in block]) for block in blocks]
    line = regression.fit_blocks(pairs, level)
    estimate = _estimate(line.slope, line.slope_interval, lambda: regression.block_slopes(pairs) or [line.slope])
    return estimate, line, regression.remarks(pairs)


def steady(blocks: Sequence[Sequence[Point]], exact: bool, level: float) -> Estimate:
    """The mean of the readings; plain counts have no interval and stand for themselves."""
    values = [[point.y for point in block] for block in blocks]
    every = [y for block in values for y in block]
    value = float(np.mean(every))
    if exact:
        refusal = f"{'one reading' if len(every) == 1 else f'{len(every):,} readings'}, no interval"
        return Estimate(value=value, readings=tuple(every), refusal=refusal)
    return _estimate(
        value, block_intervals.level_interval(values, level), lambda: [float(np.mean(block)) for block in values]
    )


def _estimate(value: float, answer: Interval | InsufficientData, readings: Callable[[], Sequence[float]]) -> Estimate:
    """The value with its interval, or with ``readings`` where blocks or values are too few for one."""
    if isinstance(answer, InsufficientData):
        return Estimate(value=value, refusal=str(answer), readings=tuple(readings()))
    return Estimate(value=value, lower=answer.lower, upper=answer.upper)


def _quantile(values: npt.NDArray[np.float64], q: float) -> float:
    return quantiles.quantile(Series(values), q)


_NOTHING = np.empty(0)


def _by_number(numbers: Sequence[int], parts: Sequence[npt.NDArray[np.float64]]) -> dict[int, npt.NDArray[np.float64]]:
    blocks: dict[int, list[npt.NDArray[np.float64]]] = {}
    for number, part in zip(numbers, parts, strict=True):
        if part.size:
            blocks.setdefault(number, []).append(part)
    return {number: np.concatenate(found) for number, found in blocks.items()}


def _latency(sample: Sample, mark: str) -> int | None:
    if sample.outcome is not Outcome.OK:
        return None
    end = sample.marks.get(mark) if mark else sample.seen_ns
    return None if end is None else end - sample.due_ns
