"""How a sample is spread: a smooth curve for a picture, never for a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

POINTS = 500
"""Criterion draws as many."""

REACH = 3.0
"""Bandwidths that the curve goes beyond the smallest and the largest value; the kernel is nothing there."""

SKEWED = 1.0
"""Skewness above which a linear axis shows one spike and a long flat tail."""

RESOLUTION = 1e-9
"""Relative bandwidth below which values differ by rounding alone."""

MOST_KERNELS = 1000
"""Of more values as many quantiles, evenly spaced, draw the same curve."""

CHUNK = 1 << 20
"""Kernel values held in memory at once (8 MiB of float64)."""


@dataclass(frozen=True, eq=False)
class Density:
    """A curve with an area of one over its own axis.

    ``x``: ``(points,)`` ascending, in the unit of the values. ``y``: ``(points,)``, a unit of x, or a unit of ``ln x``
    where ``logarithmic``. ``bandwidth`` is in that same unit.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    bandwidth: float
    logarithmic: bool


def density(values: npt.ArrayLike, points: int = POINTS, logarithmic: bool | None = None) -> Density | None:
    """The Gaussian kernel estimate with Silverman's bandwidth; ``None`` where the values do not vary.

    Args:
        values: ``(n,)`` finite.
        logarithmic: estimate over ``ln x``; by default where the values are positive and skewed.

    Raises:
        ValueError: a value is not finite, or not positive on a logarithmic axis, or ``points`` below 2.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("a density needs finite values in one dimension; leave failed operations out")
    if points < 2:
        raise ValueError(f"{points} points draw no curve; at least 2 do")
    if logarithmic is None:
        logarithmic = is_skewed(array)
    if logarithmic:
        if array.size and array.min() <= 0:
            raise ValueError(f"{array.min():g} has no place on a logarithmic axis")
        array = np.log(array)
    width = silverman(array)
    scale = 1.0 if logarithmic else float(np.abs(array).max(initial=0.0))
    if width <= RESOLUTION * scale:
        return None
    at = np.linspace(array.min() - REACH * width, array.max() + REACH * width, points)
    if array.size > MOST_KERNELS:
        array = np.quantile(array, (np.arange(MOST_KERNELS) + 0.5) / MOST_KERNELS)
    return Density(np.exp(at) if logarithmic else at, _estimate(array, at, width), width, logarithmic)


def silverman(values: npt.ArrayLike) -> float:
    """``0.9 min(s, IQR / 1.34) n**-0.2``; 0 where the values do not vary.

    Source: Silverman, "Density Estimation for Statistics and Data Analysis", 1986, equation 3.31. The standard
    deviation alone, which Criterion takes, smooths away modes as soon as there is a tail.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2:
        return 0.0
    deviation = float(array.std(ddof=1))
    low, high = (float(each) for each in np.quantile(array, [0.25, 0.75]))
    # More than half the values may be the same; then the quartiles say nothing of the rest.
    spread = min(deviation, (high - low) / 1.34) if high > low else deviation
    width: float = 0.9 * spread * float(array.size) ** -0.2
    return width


def is_skewed(values: npt.ArrayLike) -> bool:
    """Whether positive values lean so far to the right that a logarithmic axis shows more."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 3 or array.min() <= 0:
        return False
    deviation = float(array.std())
    return deviation > 0 and float(((array - array.mean()) ** 3).mean()) / deviation**3 > SKEWED


def _estimate(array: npt.NDArray[np.float64], at: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    total = np.zeros_like(at)
    step = max(1, CHUNK // at.size)
    for start in range(0, array.size, step):
        apart = (at - array[start : start + step, None]) / width
        total += np.exp(-0.5 * apart**2).sum(axis=0)
    found: npt.NDArray[np.float64] = total / (array.size * width * math.sqrt(2 * math.pi))
    return found
