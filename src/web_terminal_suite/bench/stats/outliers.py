"""Tukey's fences: which values lie far out. They label; nothing is ever removed.

Source: Tukey, "Exploratory Data Analysis", 1977; 1.5 and 3 interquartile ranges beyond the quartiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MILD = 1.5
SEVERE = 3.0


class Label(IntEnum):
    """Where a value lies; the sign is the side."""

    LOW_SEVERE = -2
    LOW_MILD = -1
    INSIDE = 0
    HIGH_MILD = 1
    HIGH_SEVERE = 2


@dataclass(frozen=True)
class Fences:
    """Values strictly beyond a fence have its label."""

    low_severe: float
    low_mild: float
    high_mild: float
    high_severe: float


def fences(values: npt.ArrayLike) -> Fences:
    """Fences of ``(n,)`` finite values; quartiles are interpolated linearly (type 7 of Hyndman & Fan).

    Raises:
        ValueError: no value, or one that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError("fences need at least one value, all finite")
    first, third = (float(quartile) for quartile in np.quantile(array, [0.25, 0.75]))
    width = third - first
    return Fences(first - SEVERE * width, first - MILD * width, third + MILD * width, third + SEVERE * width)


def label(values: npt.ArrayLike, around: Fences) -> npt.NDArray[np.int8]:
    """``(n,)`` int8 of ``Label``, in the order of ``values``."""
    array = np.asarray(values, dtype=np.float64)
    high = (array > around.high_mild).astype(np.int8) + (array > around.high_severe)
    low = (array < around.low_mild).astype(np.int8) + (array < around.low_severe)
    return (high - low).astype(np.int8)


def counts(labels: npt.NDArray[np.int8]) -> dict[Label, int]:
    """How many values have each label."""
    return {each: int((labels == each).sum()) for each in Label}
