"""What a test in two stages would have noticed: a screen of everything, then a second measurement of what stood out."""

from __future__ import annotations

import math
from dataclasses import dataclass

POWER = 0.8
"""Of the smallest change that counts as noticeable."""

_LARGEST = math.log(1000)
_STEPS = 40


@dataclass(frozen=True)
class Stage:
    """One stage: the standard error of the logarithm of the ratio, its degrees of freedom, and the quantile of
    Student's t that the estimate must exceed by so many errors."""

    error: float
    freedom: float
    quantile: float

    def chance(self, log: float, threshold: float) -> float:
        """Probability that a true ``log`` is found beyond ``threshold``."""
        if self.error == 0:
            return float(log > threshold)
        # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
        from scipy.special import nctdtr

        return 1 - float(nctdtr(self.freedom, (log - threshold) / self.error, self.quantile))


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
