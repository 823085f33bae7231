"""Means and their intervals: by bootstrap where values abound, by Student's t where there are few readings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FEWEST_TO_RESAMPLE = 5
"""Values below which resampling says nothing: five values have 126 distinct resamples, four have 35."""

FEWEST_READINGS = 2
"""Readings below which there is no spread to estimate."""

FEWEST_TO_DRAW = 5_000
"""Values from which on the sum of a resample is drawn from its distribution; below it is added up."""

CHUNK = 1 << 20
"""Draws held in memory at once (8 MiB of float64)."""


def student_interval(values: Sequence[float], level: float) -> Interval | InsufficientData:
    """The t interval of the mean of a few readings taken to be normal."""
    check_level(level)
    n = len(values)
    if n < FEWEST_READINGS:
        return InsufficientData(n, FEWEST_READINGS)
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    half = student_quantile((1 + level) / 2, n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Interval(mean - half, mean + half, level)


def bootstrap_interval(
    trials: Sequence[npt.ArrayLike], level: float, resamples: int, rng: np.random.Generator
) -> Interval | InsufficientData:
    """The bootstrap interval of the mean over all values of all trials.

    Each resample draws trials with replacement, then values within each drawn trial (Davison & Hinkley, "Bootstrap
    Methods and their Application", section 3.8), so that what differs between trials widens the interval.
    The percentiles are expanded to the width that Student's t would have (Hesterberg, "What Teachers Should Know
    About the Bootstrap", The American Statistician 69, 2015, section 4.3), with the trials as the units where there
    are several and the values where there is one: a plain percentile interval of few units is too narrow.

    Args:
        trials: one array of finite values a trial; empty ones count for nothing.
    """
    check_level(level)
    arrays = [np.asarray(trial, dtype=np.float64) for trial in trials]
    arrays = [array for array in arrays if array.size]
    count = sum(array.size for array in arrays)
    if count < FEWEST_TO_RESAMPLE:
        return InsufficientData(count, FEWEST_TO_RESAMPLE)
    means = _resampled_means(arrays, resamples, rng)
    units = len(arrays) if len(arrays) > 1 else count
    tail = _expanded_tail(level, units)
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return Interval(float(lower), float(upper), level)


def student_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t with ``degrees`` degrees of freedom."""
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def _expanded_tail(level: float, units: int) -> float:
    """Probability to cut off each end so that ``units`` units give the width of Student's t."""
    from scipy.special import ndtr

    wide = math.sqrt(units / (units - 1)) * student_quantile((1 + level) / 2, units - 1)
    return float(ndtr(-wide))


def _resampled_means(
    arrays: list[npt.NDArray[np.float64]], resamples: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """``(resamples,)`` means, each of trials drawn with replacement and values drawn within them."""
    picks = rng.integers(len(arrays), size=(resamples, len(arrays)))
    sums, counts = np.zeros(resamples), np.zeros(resamples)
    for place in range(len(arrays)):
        for number, array in enumerate(arrays):
            rows = np.flatnonzero(picks[:, place] == number)
            sums[rows] += _resampled_sums(array, rows.size, rng)
            counts[rows] += array.size
    return sums / counts


def _resampled_sums(array: npt.NDArray[np.float64], rows: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """``(rows,)`` sums of ``array.size`` values drawn with replacement, in bounded memory."""
    if array.size >= FEWEST_TO_DRAW:
        return _drawn_sums(array, rows, rng)
    step = max(1, CHUNK // array.size)
    sums = np.empty(rows)
    for start in range(0, rows, step):
        size = min(step, rows - start)
        sums[start : start + size] = array[rng.integers(array.size, size=(size, array.size))].sum(axis=1)
    return sums


def _drawn_sums(array: npt.NDArray[np.float64], rows: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The same without drawing the values: the sum of this many is close to normal, with a smooth distribution.

    Cumulants of a sum of independent draws are theirs times their number, so mean, variance and skewness are known;
    the gamma distribution moved to the same three (Pearson's type III) stands in for the sum.
    """
    n, mean = array.size, float(array.mean())
    apart = array - mean
    variance = float((apart**2).mean())
    if variance == 0:
        return np.full(rows, n * mean)
    skewness = float((apart**3).mean()) / variance**1.5 / math.sqrt(n)
    shape = 4 / max(skewness**2, 1e-12)
    standard = (rng.standard_gamma(shape, rows) - shape) / math.sqrt(shape)
    sums: npt.NDArray[np.float64] = n * mean + math.sqrt(n * variance) * math.copysign(1, skewness) * standard
    return sums
