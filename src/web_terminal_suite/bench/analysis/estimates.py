"""The statistics of one metric of one cell.

A failed operation is a latency of ``+inf``: it takes its place above every success, so a percentile says what share
of all operations came in time, not of the lucky ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.analysis.results import Estimate, Outliers
from web_terminal_suite.bench.samples import Outcome, Phase
from web_terminal_suite.bench.stats import means, outliers, quantiles, regression
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.samples import Metric, Point, Sample, Trial

RESAMPLES = 2_000
"""Bootstrap replicates of a mean: each end of a 95 % interval then rests on 50, a wobble below a tenth of its width."""

NS_PER_SECOND = 1e9


@dataclass(frozen=True)
class Latencies:
    """Measured operations of one metric, warm-up left out.

    ``succeeded`` holds one ``(n,)`` int64 array a trial, ns; ``took`` the same with failed operations up to their
    failure; ``series`` all of them in one, failures as ``+inf``.
    """

    succeeded: tuple[npt.NDArray[np.int64], ...]
    took: tuple[npt.NDArray[np.int64], ...]
    series: Series
    failed: int

    @property
    def n(self) -> int:
        return len(self.series)


def measured(trial: Trial) -> list[Sample]:
    """The trial's samples without warm-up."""
    return [sample for sample in trial.samples if sample.phase is Phase.MEASURE]


def wrong_answers(trials: Sequence[Trial]) -> int:
    """Measured operations whose answer was wrong."""
    return sum(sample.outcome is Outcome.WRONG for trial in trials for sample in measured(trial))


def latencies(trials: Sequence[Trial], mark: str) -> Latencies | None:
    """The operations of ``trials``, up to ``mark`` where one is named; ``None`` where there are none.

    An operation that failed, or that succeeded without passing the mark, is a failure. A mark that no operation
    carries is a moment that this terminal does not have: then there is nothing to measure.
    """
    blocks = [measured(trial) for trial in trials]
    fine = [sample for block in blocks for sample in block if sample.outcome is Outcome.OK]
    if mark and fine and not any(mark in sample.marks for sample in fine):
        return None
    succeeded = tuple(
        np.array([at for s in block if (at := _latency(s, mark)) is not None], np.int64) for block in blocks
    )
    took = tuple(np.array([sample.seen_ns - sample.due_ns for sample in block], np.int64) for block in blocks)
    failed = sum(array.size for array in took) - sum(array.size for array in succeeded)
    if not any(array.size for array in took):
        return None
    every = np.concatenate(succeeded)
    series = Series(np.concatenate([every, np.full(failed, np.inf)]) if failed else every)
    return Latencies(succeeded, took, series, failed)


def percentile(series: Series, q: float, level: float) -> Estimate:
    """The ``q`` quantile, or a refusal with whichever bound the sample does support."""
    bounds = quantiles.bounds(series, q, level)
    answer = quantiles.interval(series, q, level)
    if isinstance(answer, InsufficientData):
        return Estimate(lower=bounds.lower, upper=bounds.upper, refusal=str(answer))
    return Estimate(value=quantiles.quantile(series, q), lower=bounds.lower, upper=bounds.upper)


def largest(series: Series) -> Estimate:
    """The largest operation seen: a fact about these, and about no others."""
    value = float(series.values[-1])
    return Estimate(value=value, lower=value, upper=value)


def mean(found: Latencies, level: float, rng: np.random.Generator) -> Estimate:
    """The mean of the successful; without an upper bound where any failed, for theirs has no value."""
    every = np.concatenate(found.succeeded)
    if every.size == 0:
        return Estimate(lower=math.inf, refusal="no operation succeeded")
    estimate = _bounded(float(every.mean()), means.bootstrap_interval(found.succeeded, level, RESAMPLES, rng))
    if found.failed:
        refusal = f"{found.failed} of {found.n} operations failed; the mean is of the others"
        return Estimate(value=estimate.value, lower=estimate.lower, refusal=refusal)
    return estimate


def duration(found: Latencies, level: float, rng: np.random.Generator) -> Estimate:
    """The mean time of an operation, failed ones up to their failure; the same as ``mean`` where none failed."""
    return _bounded(
        float(np.concatenate(found.took).mean()), means.bootstrap_interval(found.took, level, RESAMPLES, rng)
    )


def rate(found: Latencies, elements: int, took: Estimate) -> Estimate:
    """Elements a second: those of successful operations over the time that all operations took (``duration``)."""
    if not took.value:
        return Estimate(refusal="the operations took no measurable time")
    per_second = elements * (1 - found.failed / found.n) * NS_PER_SECOND
    return Estimate(
        value=per_second / took.value,
        lower=per_second / took.upper,
        upper=per_second / took.lower if took.lower > 0 else math.inf,
        refusal=took.refusal,
    )


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


def slope(
    readings: Sequence[Point], level: float, *, drifts: bool = False
) -> tuple[Estimate, regression.LinearFit | None]:
    """The slope of the line through ``readings``, and the line; ``drifts`` as ``Metric`` has it."""
    if len({point.x for point in readings}) < 2:
        x = readings[0].x
        return Estimate(refusal=f"every reading is at x = {x:g}; a slope needs two different x"), None
    through = regression.drift if drifts else regression.fit
    line = through([point.x for point in readings], [point.y for point in readings], level)
    return _bounded(line.slope, line.slope_interval), line


def steady(readings: Sequence[Point], exact: bool, level: float) -> Estimate:
    """The mean of the readings; where they are plain counts, bounded by the smallest and the largest."""
    values = [point.y for point in readings]
    value = float(np.mean(values))
    if exact:
        return Estimate(value=value, lower=min(values), upper=max(values))
    return _bounded(value, means.student_interval(values, level))


def _bounded(value: float, answer: Interval | InsufficientData) -> Estimate:
    if isinstance(answer, InsufficientData):
        return Estimate(value=value, refusal=str(answer))
    return Estimate(value=value, lower=answer.lower, upper=answer.upper)


def _latency(sample: Sample, mark: str) -> int | None:
    if sample.outcome is not Outcome.OK:
        return None
    end = sample.marks.get(mark) if mark else sample.seen_ns
    return None if end is None else end - sample.due_ns
