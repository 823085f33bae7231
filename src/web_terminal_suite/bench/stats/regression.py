"""A straight line through readings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.means import student_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

FEWEST_POINTS = 3
"""Two points always lie on a line; the third says how well."""


@dataclass(frozen=True)
class LinearFit:
    """``y = intercept + slope x``.

    ``r2`` is the share of the variation of ``y`` that the line explains, ``None`` where ``y`` does not vary or where
    errors add up. ``n`` is such that the interval has ``n - 2`` degrees of freedom.
    """

    slope: float
    intercept: float
    r2: float | None
    slope_interval: Interval | InsufficientData
    n: int


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
