"""Student's t, which every interval of a few units rests on."""

from __future__ import annotations

import math
from functools import lru_cache

FEWEST_TO_RESAMPLE = 5
"""Values below which nothing is said of how their mean varies."""


@lru_cache(maxsize=4096)
def student_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t with ``degrees`` degrees of freedom; with infinitely many that of a normal."""
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import ndtri, stdtrit

    return float(ndtri(probability) if math.isinf(degrees) else stdtrit(degrees, probability))


def two_sided(t: float, degrees: float) -> float:
    """The probability of a value at least as far from 0 as ``t``."""
    from scipy.special import ndtr, stdtr

    return 2 * float(ndtr(-abs(t)) if math.isinf(degrees) else stdtr(degrees, -abs(t)))
