"""Two shares compared: how often something happened among operations of one kind, and among those of another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats.interval import Interval, check_level

if TYPE_CHECKING:
    import numpy.typing as npt

TIE = 1e-7
"""Relative difference below which two tables are equally probable; R's ``fisher.test`` uses the same."""


def fisher_exact(base: int, base_n: int, new: int, new_n: int) -> float:
    """Two-sided: the probability of a table at least as improbable, with these margins and no difference.

    Source: Fisher, "The Logic of Inductive Inference", Journal of the Royal Statistical Society 98, 1935.

    Raises:
        ValueError: more hits than operations.
    """
    _check(base, base_n)
    _check(new, new_n)
    law, first = _law(base_n, new_n, base + new)
    return min(1.0, float(law[law <= law[new - first] * (1 + TIE)].sum()))


def difference_interval(base: int, base_n: int, new: int, new_n: int, level: float) -> Interval:
    """New share minus base share, from the score intervals of both.

    Source: Newcombe, "Interval Estimation for the Difference Between Independent Proportions", Statistics in Medicine
    17, 1998, method 10.

    Raises:
        ValueError: more hits than operations, or no operation.
    """
    check_level(level)
    _check(base, base_n)
    _check(new, new_n)
    shares = base / base_n, new / new_n
    (low, high), (new_low, new_high) = _wilson(base, base_n, level), _wilson(new, new_n, level)
    apart = shares[1] - shares[0]
    lower = apart - math.hypot(shares[1] - new_low, high - shares[0])
    return Interval(lower, apart + math.hypot(new_high - shares[1], shares[0] - low), level)


def noticeable_share(base: int, base_n: int, new_n: int, level: float, power: float) -> float | None:
    """The smallest share of ``new_n`` that ``fisher_exact`` tells from this base, below ``level``, with ``power``.

    ``None`` where not even ``new_n`` of ``new_n`` would be told.
    """
    # Above the base's share the significance falls with every hit, so the first that is told is searched by halves.
    low, high = base * new_n // base_n + 1, new_n
    if low > high or fisher_exact(base, base_n, new_n, new_n) >= level:
        return None
    while low < high:
        middle = (low + high) // 2
        if fisher_exact(base, base_n, middle, new_n) < level:
            high = middle
        else:
            low = middle + 1
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import betaincinv

    # At least k of n come about with probability I_share(k, n - k + 1), so the share is its inverse.
    return float(betaincinv(low, new_n - low + 1, power))


def _law(base_n: int, new_n: int, hits: int) -> tuple[npt.NDArray[np.float64], int]:
    """Probabilities of each possible number of hits among the new, and the smallest such number."""
    from scipy.special import gammaln

    first = max(0, hits - base_n)
    counts = np.arange(first, min(hits, new_n) + 1)
    logs = (
        gammaln(new_n + 1) - gammaln(counts + 1) - gammaln(new_n - counts + 1)
        + gammaln(base_n + 1) - gammaln(hits - counts + 1) - gammaln(base_n - hits + counts + 1)
    )  # fmt: skip
    law = np.exp(logs - logs.max())
    return law / law.sum(), first


def _wilson(hits: int, n: int, level: float) -> tuple[float, float]:
    from scipy.special import ndtri

    z, share = float(ndtri((1 + level) / 2)), hits / n
    middle = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    ends = ((middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n))
    # At the ends of the scale the bound is the share itself, which rounding would put beyond.
    return min(ends[0], share), max(ends[1], share)


def _check(hits: int, n: int) -> None:
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} of {n} is no proportion")
