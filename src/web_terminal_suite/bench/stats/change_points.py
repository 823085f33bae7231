"""Where a history of runs steps from one level to another.

Runs that follow each other are not independent: a warm machine stays warm, a noisy neighbour stays for a week. A test
that takes them for independent marks steps in histories that have none. So a step is judged against a noise whose
correlation is estimated from the history itself:

1. Runs that stand alone are drawn in (a Hampel filter with a window of five runs), so that one wild run is no level
   and three are. Positive values are compared by their logarithms.
2. The best division into levels is found by dynamic programming, with a small penalty, so that it has too many.
3. The noise is what is left around these levels and one common slope: an AR(1) process. Its correlation is corrected
   for the levels that were taken out, and drawn towards ``PRIOR_CORRELATION`` where runs are few.
4. The least significant step is removed, and the rest judged again, until every step passes: a t-test of the means of
   its two levels, each with the variance of the mean of correlated values, corrected for the places where a step could
   be.
5. At last the whole history must differ from its shuffled copies at ``SHUFFLED_ERROR``, whatever the distribution of
   its noise. Without this, long histories of whole numbers or with heavy tails show too many.

Sources: Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal Processing Letters
12, 2005 (2); Bartlett, J. Royal Statistical Society B 8, 1946 (the effective number of correlated values); Fleming et
al., "Hunter: Using Change Point Detection to Hunt for Performance Regressions", ICPE 2023 (weak steps first, then a
t-test of neighbours; now Apache Otava); Olshen et al., "Circular Binary Segmentation", Biostatistics 5, 2004 (5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from web_terminal_suite.bench.stats.means import two_sided

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

FEWEST: Final = 3
"""Runs a level must last: one is an outlier, two a coincidence."""

SHORTEST: Final = 10
"""Runs that a history needs to show a step: with fewer, noise cannot be told from a step."""

LONGEST: Final = 200
"""Points looked at, the last ones: the search is quadratic, and older steps are old news."""

ERROR: Final = 0.005
"""Significance that a step needs, corrected for the places where it could be."""

SHUFFLES: Final = 399
SHUFFLED_ERROR: Final = 0.05
"""Three runs of ten are last in one of 15 shuffled histories, so a smaller error could not be reached."""

PRIOR_CORRELATION: Final = 0.4
PRIOR_RUNS: Final = 20
"""The correlation of neighbouring runs is taken for the prior one, with the weight of that many runs."""

MOST_CORRELATION: Final = 0.9

_WINDOW: Final = 5
"""Its median keeps every level of three runs, and no shorter one."""

_LEEWAY: Final = 3.0
"""Standard deviations from the local median that a run may stand out by."""

_NORMAL_MAD: Final = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""

_WINDOW_MAD: Final = 0.8
"""Deviations from a median of five, their own value included, over those from the true level (simulated)."""

_NORMAL_MEAN_DEVIATION: Final = 1.2533
"""Standard deviation over mean absolute deviation, of a normal distribution."""


@dataclass(frozen=True)
class ChangePoint:
    """From ``index`` on the values are about ``after``; before, about ``before`` (medians of the two levels)."""

    index: int
    before: float
    after: float
    significance: float

    @property
    def ratio(self) -> float:
        """After over before; NaN where that is no number."""
        return self.after / self.before if self.before else math.nan


class _Noise(NamedTuple):
    """Variance of one value around its level, correlation of neighbours, degrees of freedom of the variance."""

    variance: float
    correlation: float
    freedom: float


def change_points(
    values: npt.ArrayLike, rng: np.random.Generator, error: float = ERROR, least: float = 0.0
) -> tuple[ChangePoint, ...]:
    """The steps in ``(n,)`` values in the order of time, oldest first.

    Fewer than ``SHORTEST`` values never show one.

    Args:
        rng: shuffles the history.
        error: significance that each step needs.
        least: relative step below which a change is not worth a mark, such as 0.05.

    Raises:
        ValueError: a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("a history needs finite values in one dimension; leave runs without a value out")
    skipped = max(0, array.size - LONGEST)
    recent = array[skipped:]
    found = _significant(recent, rng, error)
    bounds = [0, *found, recent.size]
    steps = []
    for before, here, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
        levels = float(np.median(recent[before:here])), float(np.median(recent[here:after]))
        steps.append(ChangePoint(here + skipped, *levels, significance=found[here]))
    return tuple(step for step in steps if _is_worth(step, least))


def _is_worth(step: ChangePoint, least: float) -> bool:
    larger, smaller = max(abs(step.before), abs(step.after)), min(abs(step.before), abs(step.after))
    return larger > smaller * (1 + least) or step.before * step.after < 0


def _significant(values: Values, rng: np.random.Generator, error: float) -> dict[int, float]:
    """Where steps are, in order, with their significance."""
    if values.size < SHORTEST or values.min() == values.max():
        return {}
    scaled = np.log(values) if values.min() > 0 else values
    filtered = _without_outliers(scaled)
    steps = _division(filtered)
    while steps:
        significance = _significances(filtered, steps)
        weakest = int(np.argmax(significance))
        if significance[weakest] <= error:
            is_shown = _shuffled_significance(scaled, rng) <= SHUFFLED_ERROR
            return dict(zip(steps, significance, strict=True)) if is_shown else {}
        del steps[weakest]
    return {}


def _without_outliers(values: Values) -> Values:
    """``(..., n)`` values, those that stand out from their neighbours drawn in to ``_LEEWAY`` standard deviations."""
    inner = np.median(np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=-1), axis=-1)
    edge = _WINDOW // 2
    local = np.concatenate([*[inner[..., :1]] * edge, inner, *[inner[..., -1:]] * edge], axis=-1)
    deviations = np.abs(values - local)
    sigma = _NORMAL_MAD * np.median(deviations, axis=-1, keepdims=True) / _WINDOW_MAD
    # Where most values are equal, as counts are, the median deviation is none.
    sigma = np.where(sigma > 0, sigma, _NORMAL_MEAN_DEVIATION * deviations.mean(axis=-1, keepdims=True))
    kept: Values = np.clip(values, local - _LEEWAY * sigma, local + _LEEWAY * sigma)
    return kept


def _division(values: Values) -> list[int]:
    """Where the levels begin, but for the first, that leave the least squares at a penalty of ``2 log n`` a level."""
    n = values.size
    differences = np.diff(values)
    variance = (_NORMAL_MAD * float(np.median(np.abs(differences)))) ** 2 / 2
    penalty = 2 * math.log(n) * (variance or float(differences @ differences) / (2 * differences.size))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    cost = np.full(n + 1, np.inf)
    cost[0] = 0.0
    begin = np.zeros(n + 1, dtype=np.intp)
    for end in range(FEWEST, n + 1):
        begins = np.arange(end - FEWEST + 1)
        # Squares around a mean are the sum of squares, the same for every division, less this.
        costs = cost[begins] - (sums[end] - sums[begins]) ** 2 / (end - begins) + penalty
        begin[end] = costs.argmin()
        cost[end] = costs[begin[end]]
    found = []
    end = n
    while end := int(begin[end]):
        found.append(end)
    return found[::-1]


def _significances(values: Values, steps: Sequence[int]) -> list[float]:
    """Of each step: of a t-test of the levels at its sides, times the number of places where it could be."""
    noise = _noise(values, steps)
    bounds = [0, *steps, values.size]
    found = []
    for start, here, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        difference = abs(float(values[here:end].mean() - values[start:here].mean()))
        share = _mean_share(here - start, noise.correlation) + _mean_share(end - here, noise.correlation)
        error = math.sqrt(noise.variance * share)
        tail = two_sided(difference / error, noise.freedom) if error else 0.0
        found.append(min(1.0, values.size * tail))
    return found


def _noise(values: Values, steps: Sequence[int]) -> _Noise:
    """What is left of the values around levels that begin at ``steps``, and around a slope that all levels share.

    Without the slope a drift, which is a staircase of small steps, would be taken for correlation.
    """
    n = values.size
    bounds = list(pairwise([0, *steps, n]))
    levels = len(bounds) + 1  # and the slope
    rest = np.concatenate([values[start:end] - values[start:end].mean() for start, end in bounds])
    times = np.concatenate([np.arange(end - start) - (end - start - 1) / 2 for start, end in bounds])
    rest -= times * float(times @ rest) / float(times @ times)
    squares = float(rest @ rest)
    if squares <= np.finfo(np.float64).eps ** 2 * float(values @ values):
        return _Noise(0.0, 0.0, 1.0)
    products = sum(float(rest[start : end - 1] @ rest[start + 1 : end]) for start, end in bounds)
    seen = products / squares
    # To first order: what is taken out lowers the correlation that is seen by this (Kendall, Biometrika 41, 1954).
    corrected = seen + levels * (1 + 3 * seen) / n
    drawn = (corrected * n + PRIOR_CORRELATION * PRIOR_RUNS) / (n + PRIOR_RUNS)
    correlation = min(max(drawn, 0.0), MOST_CORRELATION)
    counted = sum((end - start) * (1 - _mean_share(end - start, correlation)) for start, end in bounds) - 1
    square = correlation * correlation
    freedom = n * (1 - square) / (1 + square) - levels + 1
    return _Noise(squares / max(counted, 0.5), correlation, max(freedom, 1.0))


def _mean_share(count: int, correlation: float) -> float:
    """Variance of the mean of ``count`` values of an AR(1) process over the variance of one."""
    left = 1 - correlation
    return (count * left * (1 + correlation) - 2 * correlation * (1 - correlation**count)) / (count * left) ** 2


def _shuffled_significance(values: Values, rng: np.random.Generator) -> float:
    """Share of the shuffled histories in which a stretch differs as much from the rest as the best one does here."""
    n = values.size
    first, last = np.triu_indices(n + 1, FEWEST)
    rest = n - (last - first)
    good = (rest >= FEWEST) & ((first == 0) | (first >= FEWEST)) & ((last == n) | (n - last >= FEWEST))
    first, last = first[good], last[good]
    weight = n / ((last - first) * (n - (last - first)))
    histories = np.concatenate([values[None], rng.permuted(np.tile(values, (SHUFFLES, 1)), axis=1)])
    histories = _without_outliers(histories)
    sums = np.zeros((SHUFFLES + 1, n + 1))
    np.cumsum(histories - histories.mean(axis=1, keepdims=True), axis=1, out=sums[:, 1:])
    # Row by row: all at once would hold rows x stretches, 60 MB for 200 runs.
    scores = np.array([((row[last] - row[first]) ** 2 * weight).max() for row in sums])
    return float((scores >= scores[0] * (1 - 1e-9)).mean())
