"""Quantiles of one sample, and what they are worth.

Definition: the ``q`` quantile of ``n`` values is the ``ceil(n q)``-th smallest, the inverse of the empirical
distribution (type 1 of Hyndman & Fan, "Sample quantiles in statistical packages", The American Statistician 50,
1996). It is always a value that was seen, so nothing is interpolated between a success and a failure. ``rank`` is the
only place where that is computed; every percentile that the suite reports, exact or binned, goes through it. (The
fences of outliers, densities and bootstrap bounds interpolate, as their definitions ask.)

Intervals are order statistics: the number of values at or below the true quantile is binomial ``(n, q)`` whatever
the distribution, hence ``P(x[l] <= Q <= x[u])`` is known exactly (David & Nagaraja, "Order Statistics", section 7.1).
For ties or discrete values they are conservative. They assume independent values; those of a cell are in
``block_intervals``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from web_terminal_suite.bench.stats.series import Series

Number = TypeVar("Number", int, float)

PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""Those that the suite reports, by name."""


def rank(n: int, q: float) -> int:
    """The 1-based place of the ``q`` quantile among ``n`` sorted values."""
    _check_quantile(q)
    # The product is rounded first: 100 * 0.07 is a hair above 7 in binary and would become 8.
    return min(n, max(1, math.ceil(round(n * q, 9))))


def quantile(series: Series, q: float) -> float:
    """The ``q`` quantile as the module defines it."""
    return float(series.values[rank(len(series), q) - 1])


def nearest_rank(values: Iterable[Number], q: float) -> Number:
    """The same of a few values in any order, ``inf`` for each that failed; imports no numpy.

    Raises:
        ValueError: no value.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a quantile needs at least one value")
    return ordered[rank(len(ordered), q) - 1]


@lru_cache(maxsize=4096)
def bounding_ranks(n: int, q: float, level: float) -> tuple[int | None, int | None]:
    """1-based places of the values that bound the ``q`` quantile, each side missing it with at most ``(1-level)/2``.

    ``None`` where ``n`` values cannot bound that side.
    """
    _check_quantile(q)
    check_level(level)
    tail = (1 - level) / 2
    below = _first(n, lambda k: _at_most(k, n, q) > tail)
    above = _first(n, lambda k: _more_than(k, n, q) <= tail) + 1
    return (below if below >= 1 else None), (above if above <= n else None)


@lru_cache(maxsize=4096)
def needed(q: float, level: float) -> int:
    """The smallest sample whose ``q`` quantile can be bounded on both sides.

    The largest of ``n`` values lies below the quantile with probability ``q ** n``, the smallest above it with
    ``(1 - q) ** n``; both must be at most ``(1 - level) / 2``. At 95 %: 72 for p95, 368 for p99, 3,688 for p99.9.
    """
    _check_quantile(q)
    check_level(level)
    tail, hardest = (1 - level) / 2, max(q, 1 - q)
    n = max(1, math.floor(math.log(tail) / math.log(hardest)))
    while hardest**n > tail:
        n += 1
    return n


def interval(series: Series, q: float, level: float) -> Interval | InsufficientData:
    """The order-statistic interval of the ``q`` quantile, or how many more values it needs."""
    need = needed(q, level)
    if len(series) < need:
        return InsufficientData(len(series), need)
    return bounds(series, q, level)


def bounds(series: Series, q: float, level: float) -> Interval:
    """As ``interval``, with an infinite end on each side that the sample is too thin to bound.

    The finite end of a thin sample is sound by itself: ten values above a limit do show that p95 is above it.
    """
    lower, upper = bounding_ranks(len(series), q, level)
    return Interval(
        -math.inf if lower is None else float(series.values[lower - 1]),
        math.inf if upper is None else float(series.values[upper - 1]),
        level,
    )


def _check_quantile(q: float) -> None:
    if not 0 < q < 1:
        raise ValueError(f"quantile {q} is not between 0 and 1; write 0.95 for p95")


def _at_most(k: int, n: int, q: float) -> float:
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import bdtr

    return float(bdtr(k, n, q))


def _more_than(k: int, n: int, q: float) -> float:
    from scipy.special import bdtrc

    return float(bdtrc(k, n, q))


def _first(n: int, holds: Callable[[int], bool]) -> int:
    """The smallest ``k`` in ``0..n`` for which ``holds``, which stays true once true and is true at ``n``."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
