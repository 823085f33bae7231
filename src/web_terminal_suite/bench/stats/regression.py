"""A straight line through readings."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats.block_intervals import standard_error
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS, TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.means import student_quantile, two_sided

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Readings = tuple[npt.ArrayLike, npt.ArrayLike]
    """``(n,)`` x and y of one block."""

FEWEST_POINTS = 3
"""Two points always lie on a line; the third says how well."""

TOLD = 0.01
"""Significance from which on readings are said not to lie on a line, or their errors to grow."""


@dataclass(frozen=True)
class LinearFit:
    """``y = intercept + slope x``.

    ``r2`` is the share of the variation of ``y`` that the line explains, ``None`` where ``y`` does not vary or where
    errors add up. ``n`` is such that the interval of ``fit`` and ``drift`` has ``n - 2`` degrees of freedom. ``error``
    is the standard error of the slope over blocks, with ``freedom`` degrees of freedom; NaN where there is none.
    """

    slope: float
    intercept: float
    r2: float | None
    slope_interval: Interval | InsufficientData
    n: int
    error: float = math.nan
    freedom: float = math.nan


def fit_blocks(blocks: Sequence[Readings], level: float) -> LinearFit:
    """The line through readings of several blocks, and the t interval of the mean of the blocks' own slopes.

    A block's slope keeps to itself what its readings have in common, so errors that grow with ``x``, that add up within
    a block, or that move a whole block leave the interval true. Where fewer than ``FEWEST_BLOCKS`` blocks have two
    different ``x`` there is none, and the slope is that of least squares through all readings.

    Raises:
        ValueError: no line is determined.
    """
    check_level(level)
    xs, ys = (np.concatenate([np.asarray(block[axis], np.float64) for block in blocks]) for axis in (0, 1))
    line = fit(xs, ys, level)
    slopes = block_slopes(blocks)
    k = len(slopes)
    if k < FEWEST_BLOCKS:
        return replace(line, slope_interval=TooFewBlocks(k), error=math.nan, freedom=math.nan)
    slope, error = float(np.mean(slopes)), standard_error(np.array(slopes), np.ones(k))
    half = student_quantile((1 + level) / 2, k - 1) * error
    intercept = float(ys.mean() - slope * xs.mean())
    total = float(((ys - ys.mean()) ** 2).sum())
    residual = float(((ys - intercept - slope * xs) ** 2).sum())
    return LinearFit(
        slope=slope,
        intercept=intercept,
        r2=None if total == 0 else 1 - residual / total,
        slope_interval=Interval(slope - half, slope + half, level),
        n=int(xs.size),
        error=error,
        freedom=k - 1,
    )


def block_slopes(blocks: Sequence[Readings]) -> list[float]:
    """The least-squares slope of each block that has two different ``x``."""
    pairs = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in blocks]
    return [_slope(x, y) for x, y in pairs if np.unique(x).size > 1]


def remarks(blocks: Sequence[Readings]) -> tuple[str, ...]:
    """Sentences about what a line does not show: readings that bend, and errors that grow with ``x``."""
    pairs = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in blocks]
    pairs = [(x, y) for x, y in pairs if np.unique(x).size >= FEWEST_POINTS]
    if not pairs:
        return ()
    return tuple(sentence for sentence in (_bend(pairs), _growing(pairs)) if sentence)


def _bend(pairs: Sequence[tuple[Values, Values]]) -> str:
    """By Student's t on the quadratic terms of the blocks; of fewer blocks, on that of all readings together."""
    if len(pairs) >= FEWEST_BLOCKS:
        terms = np.array([_quadratic(x, y)[0] for x, y in pairs])
        term, error, freedom = float(terms.mean()), standard_error(terms, np.ones(terms.size)), terms.size - 1
    else:
        # Each block about its own mean, so that a block that lies higher than another does not hide the bend.
        x, y = (np.concatenate([pair[axis] for pair in pairs]) for axis in (0, 1))
        y = y - np.concatenate([np.full(pair[1].size, pair[1].mean()) for pair in pairs])
        term, error = _quadratic(x, y)
        freedom = x.size - 2 - len(pairs)
    if freedom < 1 or not (math.isfinite(error) and error > 0):
        return ""
    p = two_sided(term / error, freedom)
    slopes = [_slope(x, y) for x, y in pairs]
    slope, x = float(np.mean(slopes)), np.concatenate([pair[0] for pair in pairs])
    if p >= TOLD or slope == 0:
        return ""
    change = 2 * term * float(x.max() - x.min()) / abs(slope)
    return f"the readings bend (p = {p:.2g}): the slope changes by {change:+.0%} from the smallest x to the largest"


def _growing(pairs: Sequence[tuple[Values, Values]]) -> str:
    """By Spearman's rank correlation of the distances from the common slope with ``x``, one-sided."""
    slope = float(np.mean([_slope(x, y) for x, y in pairs]))
    # From the block's first reading, which every other one is compared with alike: about its mean, or its median, the
    # error of one reading would be handed on to all others.
    moved = [(x[x > x.min()], y[x > x.min()] - float(y[x == x.min()].mean()), float(x.min())) for x, y in pairs]
    x = np.concatenate([each for each, _, _ in moved])
    apart = np.concatenate([y - slope * (x - first) for x, y, first in moved])
    if x.size < 2 * FEWEST_POINTS or not apart.any():
        return ""
    one, two = _ranks(x), _ranks(np.abs(apart))
    if one.std() == 0 or two.std() == 0:
        return ""
    correlation = float(np.corrcoef(one, two)[0, 1])
    if correlation <= 0:
        return ""
    squared = min(correlation**2, 1 - 1e-12)
    p = two_sided(correlation * math.sqrt((x.size - 2) / (1 - squared)), x.size - 2) / 2
    if p >= TOLD:
        return ""
    return f"errors grow with x (rank correlation {correlation:.2f}, p = {p:.2g}), so R² is that of the largest x"


def _quadratic(x: Values, y: Values) -> tuple[float, float]:
    """The quadratic term of the least-squares parabola, and its standard error (NaN without a degree of freedom)."""
    scale = float(np.abs(x).max()) or 1.0
    design = np.stack([np.ones(x.size), x / scale, (x / scale) ** 2], axis=1)
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    freedom = x.size - 3
    residual = float(((y - design @ found) ** 2).sum())
    variance = float(np.linalg.pinv(design.T @ design)[2, 2]) * residual / freedom if freedom > 0 else math.nan
    return float(found[2]) / scale**2, math.sqrt(variance) / scale**2


def _slope(x: Values, y: Values) -> float:
    dx = x - x.mean()
    return float(dx @ (y - y.mean())) / float(dx @ dx)


def _ranks(values: Values) -> Values:
    """Ranks with the mean rank for ties."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Values = (ends - (counts - 1) / 2)[inverse.reshape(-1)]
    return ranks


def fit(x: npt.ArrayLike, y: npt.ArrayLike, level: float) -> LinearFit:
    """Ordinary least squares with the t interval of the slope (n - 2 degrees of freedom).

    The interval assumes errors of one size and no order in them; with the handful of points a memory slope has,
    resampling them would say less.

    Args:
        x, y: ``(n,)``, finite, ``n >= 2`` with at least two different ``x``.

    Raises:
        ValueError: no line is determined.
    """
    check_level(level)
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    _check_pairs(xs, ys)
    if np.unique(xs).size < 2:
        raise ValueError(f"{np.unique(xs).size} different x determine no line; at least 2 are needed")
    dx, dy = xs - xs.mean(), ys - ys.mean()
    spread = float(dx @ dx)
    slope = float(dx @ dy) / spread
    residual, total = float(((dy - slope * dx) ** 2).sum()), float(dy @ dy)
    return LinearFit(
        slope=slope,
        intercept=float(ys.mean() - slope * xs.mean()),
        r2=None if total == 0 else 1 - residual / total,
        slope_interval=_slope_interval(slope, residual, spread, xs.size, level),
        n=int(xs.size),
    )


def drift(x: npt.ArrayLike, y: npt.ArrayLike, level: float) -> LinearFit:
    """The growth of what keeps its errors, such as a process's memory from one round to the next.

    Least squares would take readings for independent of each other, and give an interval far too narrow where each is
    the last one and a step (a random walk with drift). Here the steps are independent: the slope is their sum over that
    of the ``x`` between, and its interval that of their mean. Where errors do not add up it is wider than it need be.

    Args:
        x, y: ``(n,)``, finite, in the order they were read; where ``x`` does not rise another series begins.

    Raises:
        ValueError: ``x`` never rises.
    """
    check_level(level)
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    _check_pairs(xs, ys)
    dx, dy = np.diff(xs), np.diff(ys)
    dx, dy = dx[dx > 0], dy[dx > 0]
    if not dx.size:
        raise ValueError(f"{xs.size} readings of which none has a larger x than the one before determine no growth")
    slope = float(dy.sum() / dx.sum())
    residual = float(((dy - slope * dx) ** 2 / dx).sum())
    n = int(dx.size) + 1
    return LinearFit(
        slope=slope,
        intercept=float(ys[0] - slope * xs[0]),
        r2=None,
        slope_interval=_slope_interval(slope, residual, float(dx.sum()), n, level),
        n=n,
    )


def _check_pairs(xs: npt.NDArray[np.float64], ys: npt.NDArray[np.float64]) -> None:
    if xs.shape != ys.shape or xs.ndim != 1:
        raise ValueError(f"x of shape {xs.shape} and y of shape {ys.shape} are not pairs")
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise ValueError("a line needs finite points")


def _slope_interval(slope: float, residual: float, spread: float, n: int, level: float) -> Interval | InsufficientData:
    if n < FEWEST_POINTS:
        return InsufficientData(n, FEWEST_POINTS)
    half = student_quantile((1 + level) / 2, n - 2) * math.sqrt(residual / (n - 2) / spread)
    return Interval(slope - half, slope + half, level)
