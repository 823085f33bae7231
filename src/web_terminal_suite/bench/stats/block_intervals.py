"""Intervals with blocks as their units.

Operations of one block share a minute, a process and a cache, so they are not independent of each other; blocks are,
nearly. So every interval rests on how much its statistic differs between blocks, with Student's t for the few that
there are, and it is never narrower than independent operations would make it. Source: Kalibera & Jones, "Rigorous
Benchmarking in Reasonable Time", ISMM 2013. The constants were chosen by ``tests/bench/coverage_simulation.py``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS, TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.means import FEWEST_TO_RESAMPLE, student_quantile
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

WIDENING = 1.35
"""Factor on the half width where blocks say too little of a statistic: a tail that few blocks show, or few values."""

TAIL = 0.95
"""Quantile beyond which (or below one minus it) the half width is widened however long a block is."""

FEWEST_BEYOND = 4
"""Values expected beyond the quantile in a block of average size, below which the half width is widened."""

FEWEST_FOR_A_MEAN = 40
"""Values in all below which a mean has no interval, since a rare slow one may not be among them; and values in a block
of average size below which its half width is widened."""


def with_data(blocks: Sequence[npt.ArrayLike]) -> list[Values]:
    """The blocks that are not empty."""
    arrays = [np.asarray(block, dtype=np.float64) for block in blocks]
    return [array for array in arrays if array.size]


def percentile_interval(blocks: Sequence[npt.ArrayLike], q: float, level: float) -> Interval | InsufficientData:
    """The interval of the ``q`` quantile of all values, ``+inf`` for each operation that failed.

    The pooled quantile times or divided by ``exp(t e)``, where ``e`` is the error of a weighted mean of the blocks'
    log quantiles; where a block's quantile is 0 or a failure, the ranks that the blocks' shares below the pooled
    quantile allow (Woodruff, JASA 47, 1952). The order-statistic interval of independent values is always within.
    """
    return percentile_intervals(blocks, (q,), level)[0]


def percentile_intervals(
    blocks: Sequence[npt.ArrayLike], qs: Sequence[float], level: float
) -> list[Interval | InsufficientData]:
    """``percentile_interval`` of several quantiles; the values are sorted once."""
    arrays = with_data(blocks)
    if not arrays:
        return [InsufficientData(0, quantiles.needed(q, level)) for q in qs]
    pooled, series = Series(np.concatenate(arrays)), [Series(array) for array in arrays]
    return [_percentile_interval(pooled, series, q, level) for q in qs]


def _percentile_interval(
    pooled: Series, series: Sequence[Series], q: float, level: float
) -> Interval | InsufficientData:
    n, need = len(pooled), quantiles.needed(q, level)
    if n < need:
        return InsufficientData(n, need)
    if len(series) < FEWEST_BLOCKS:
        return TooFewBlocks(len(series))
    exact = quantiles.bounds(pooled, q, level)
    factor = WIDENING if _is_thin_tail(n / len(series), q) else 1.0
    each = np.array([quantiles.quantile(block, q) for block in series])
    if np.isfinite(each).all() and (each > 0).all():
        half = factor * _half_width(np.log(each), series, level)
        value = quantiles.quantile(pooled, q)
        lower, upper = value * math.exp(-half), value * _exp(half)
    else:
        lower, upper = _by_shares(pooled, series, q, level, factor)
    return Interval(min(lower, exact.lower), max(upper, exact.upper), level)


def mean_interval(blocks: Sequence[npt.ArrayLike], level: float) -> Interval | InsufficientData:
    """The interval of the mean of all values, which are finite and not negative.

    The pooled mean times or divided by ``exp(t e)``, with the error of the blocks' log means or, where that is larger,
    of independent values; by plain means where a block's mean is 0.
    """
    check_level(level)
    arrays = with_data(blocks)
    n = sum(array.size for array in arrays)
    if len(arrays) < FEWEST_BLOCKS:
        return TooFewBlocks(len(arrays)) if n >= FEWEST_TO_RESAMPLE else InsufficientData(n, FEWEST_TO_RESAMPLE)
    if n < FEWEST_FOR_A_MEAN:
        return InsufficientData(n, FEWEST_FOR_A_MEAN)
    every = np.concatenate(arrays)
    mean = float(every.mean())
    within = student_quantile((1 + level) / 2, n - 1) * float(every.std(ddof=1)) / math.sqrt(n)
    factor = WIDENING if n / len(arrays) < FEWEST_FOR_A_MEAN else 1.0
    means = np.array([array.mean() for array in arrays])
    if (means > 0).all():
        half = max(factor * _half_width(np.log(means), arrays, level), within / mean)
        return Interval(mean * math.exp(-half), mean * _exp(half), level)
    half = max(factor * _half_width(means, arrays, level), within)
    return Interval(mean - half, mean + half, level)


def level_interval(blocks: Sequence[npt.ArrayLike], level: float) -> Interval | InsufficientData:
    """The t interval of the mean of the blocks' means: readings may have either sign, and few are skewed."""
    check_level(level)
    arrays = with_data(blocks)
    if len(arrays) < FEWEST_BLOCKS:
        return TooFewBlocks(len(arrays))
    mean = float(np.concatenate(arrays).mean())
    half = _half_width(np.array([array.mean() for array in arrays]), arrays, level)
    return Interval(mean - half, mean + half, level)


def standard_error(each: Values, weights: Values) -> float:
    """The standard error of the weighted mean of one figure a block; weights in any unit."""
    shares = weights / weights.sum()
    return float(each.std(ddof=1) * np.sqrt((shares**2).sum()))


def _half_width(each: Values, blocks: Sequence[Sized], level: float) -> float:
    sizes = np.array([len(block) for block in blocks], dtype=np.float64)
    return student_quantile((1 + level) / 2, len(blocks) - 1) * standard_error(each, sizes)


def _is_thin_tail(size: float, q: float) -> bool:
    outer = min(q, 1 - q)
    # Rounded, since 80 * (1 - 0.95) is not quite 4 in binary.
    return max(q, 1 - q) > TAIL or round(size * outer, 9) < FEWEST_BEYOND


def _by_shares(pooled: Series, blocks: Sequence[Series], q: float, level: float, factor: float) -> tuple[float, float]:
    """The values at the ranks ``n (q - h)`` and ``n (q + h) + 1``, with the half width of the blocks' shares at or
    below the pooled quantile; infinite beyond the last."""
    n, value = len(pooled), quantiles.quantile(pooled, q)
    shares = np.array([float((block.values <= value).mean()) for block in blocks])
    half = factor * _half_width(shares, blocks, level)
    below, above = math.ceil(round(n * (q - half), 9)), math.floor(round(n * (q + half), 9)) + 1
    lower = float(pooled.values[below - 1]) if below >= 1 else -math.inf
    upper = float(pooled.values[above - 1]) if above <= n else math.inf
    return min(lower, value), max(upper, value)


def _exp(log: float) -> float:
    """The exponential; infinite where a double has none."""
    return math.exp(log) if log < 700 else math.inf
