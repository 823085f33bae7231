"""What a test in two stages would have noticed: a screen of everything, then a second measurement of what stood out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

POWER = 0.8
"""Of the smallest change that counts as noticeable."""

_LARGEST = math.log(1000)
_STEPS = 40
_QUANTILES = 500


@dataclass(frozen=True)
class Stage:
    """One stage: the standard error of the logarithm of the ratio, its degrees of freedom, and the quantile of
    Student's t, in errors, that the estimate must exceed."""

    error: float
    freedom: float
    quantile: float

    def chance(self, log: float, threshold: float) -> float:
        """Probability that a true ``log`` is found beyond ``threshold``."""
        if self.error == 0:
            return float(log > threshold)
        # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
        from scipy.special import ndtr

        # The estimate is normal, and exceeds the quantile times what its error was found to be.
        return float(np.mean(ndtr((log - threshold) / self.error - self.quantile * _found_errors(self.freedom))))


@cache
def _found_errors(freedom: float) -> npt.NDArray[np.float64]:
    """What an error is found to be, over what it is: quantiles, evenly spaced.

    scipy's noncentral t gives NaN at some arguments, in the middle of the range that is searched.
    """
    from scipy.special import chdtri

    if math.isinf(freedom):
        return np.ones(1)
    above = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return np.asarray(np.sqrt(chdtri(freedom, above) / freedom))


def noticeable(stages: tuple[Stage, ...], noise: float, power: float = POWER) -> float | None:
    """The smallest change, as a factor either way, that all ``stages`` together find with probability ``power``.

    The stages are independent measurements. ``None`` beyond a factor of a thousand.

    Args:
        noise: what every estimate must exceed to count, such as 0.05.
    """
    threshold = math.log1p(noise)

    def found(log: float) -> bool:
        return math.prod(stage.chance(log, threshold) for stage in stages) >= power

    low, high = threshold, _LARGEST
    if not found(high):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return math.exp(high)
