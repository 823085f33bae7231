"""The line through the origin: what a thing costs each time, where none of it costs nothing.

Criterion's regression of total time over iterations. ``lines`` fits one with an intercept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.means import FEWEST_READINGS, student_quantile

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Ray:
    """``y = slope x``.

    ``r2`` is ``1 - SSres / SStot`` about the mean of ``y``, so it can be told beside that of a line with an intercept;
    it is below 0 where a constant would fit better, ``None`` where ``y`` does not vary. (Criterion 0.8 divides by the
    last term of SStot instead of its sum.)
    """

    slope: float
    r2: float | None
    slope_interval: Interval | InsufficientData
    n: int


def fit(x: npt.ArrayLike, y: npt.ArrayLike, level: float) -> Ray:
    """Least squares, ``sum xy / sum x**2``, with the t interval of the slope (n - 1 degrees of freedom).

    Args:
        x, y: ``(n,)``, finite, at least one ``x`` that is not 0.

    Raises:
        ValueError: no ray is determined.
    """
    check_level(level)
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if xs.shape != ys.shape or xs.ndim != 1:
        raise ValueError(f"x of shape {xs.shape} and y of shape {ys.shape} are not pairs")
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise ValueError("a ray needs finite points")
    spread = float(xs @ xs)
    if spread == 0:
        raise ValueError("every x is 0; a ray needs one that is not")
    slope = float(xs @ ys) / spread
    residual, total = float(((ys - slope * xs) ** 2).sum()), float(((ys - ys.mean()) ** 2).sum())
    return Ray(slope, None if total == 0 else 1 - residual / total, _interval(slope, residual, spread, xs.size, level),
               int(xs.size))  # fmt: skip


def _interval(slope: float, residual: float, spread: float, n: int, level: float) -> Interval | InsufficientData:
    if n < FEWEST_READINGS:
        return InsufficientData(n, FEWEST_READINGS)
    half = student_quantile((1 + level) / 2, n - 1) * math.sqrt(residual / (n - 1) / spread)
    return Interval(slope - half, slope + half, level)
