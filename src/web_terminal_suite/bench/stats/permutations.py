"""How often a difference like this one comes about where there is none, by exchanging what was measured.

Were the two the same, their labels could have fallen otherwise: signs within pairs, names between trials, or names of
single operations. Trials are exchanged where there are enough of them, since they stay exchangeable whatever happens
within one. With few, no arrangement is rare enough to mean anything, and operations are exchanged (within their block
where the two were interleaved); that takes operations for independent, so a verdict also asks for an interval that
does not. Source: Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005, chapters 3 and 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats import quantiles, ratios

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

EXACT = 1 << 14
"""Arrangements up to which all are looked at instead of a random sample of them."""

TIE = 1e-12
"""Relative difference below which two arrangements are equally extreme; the same sum in another order differs so."""


@dataclass(frozen=True)
class Significance:
    """The probability of a difference at least as large where there is none; ``units`` were exchanged."""

    p: float
    units: str


def significance(
    base: Sequence[npt.ArrayLike],
    new: Sequence[npt.ArrayLike],
    q: float | None,
    *,
    paired: bool,
    finest: float,
    resamples: int,
    rng: np.random.Generator,
) -> Significance:
    """Two-sided, of a difference in the ``q`` quantile, or in the mean where ``q`` is ``None``.

    Args:
        base, new: as for ``ratios.ratio``; failed operations are ``+inf``.
        finest: what trials must be able to show before they are exchanged: the significance level over the number of
            comparisons. Twelve pairs can show 0.0005, three 0.25.
    """
    old, now = ([np.asarray(trial, np.float64) for trial in side] for side in (base, new))
    if paired:
        pairs = [(a, b) for a, b in zip(old, now, strict=True) if a.size and b.size]
        old, now = [a for a, _ in pairs], [b for _, b in pairs]
    old, now = [each for each in old if each.size], [each for each in now if each.size]
    if not old or not now:
        return Significance(1.0, "nothing")
    finite = all(np.isfinite(each).all() for each in (*old, *now))
    if finite and ratios.is_thick(old, now, q):
        logs = [np.log([ratios.statistic(trial, q) for trial in side]) for side in (old, now)]
        if paired and 2.0 ** (1 - len(old)) <= finest:
            return Significance(sign_flips(logs[1] - logs[0], resamples, rng), "trials")
        if not paired and 2 / math.comb(len(old) + len(now), len(old)) <= finest:
            return Significance(shuffles(logs[0], logs[1], resamples, rng), "trials")
    if not paired:
        old, now = [np.concatenate(old)], [np.concatenate(now)]
    if q is None:
        return Significance(_operation_shuffles(old, now, resamples, rng) if finite else 1.0, "operations")
    return Significance(quantile_test(old, now, q), "operations")


def sign_flips(differences: npt.ArrayLike, resamples: int, rng: np.random.Generator) -> float:
    """Share of the sign patterns whose mean lies as far from 0 as that of ``(k,)`` paired differences."""
    values = np.asarray(differences, dtype=np.float64)
    k = values.size
    if 2**k <= EXACT:
        bits = (np.arange(2**k)[:, None] >> np.arange(k)) & 1
        return float(_at_least(np.abs((1 - 2.0 * bits) @ values), abs(values.sum())).mean())
    flips = rng.choice((-1.0, 1.0), size=(resamples, k)) @ values
    return _share(_at_least(np.abs(flips), abs(values.sum())))


def shuffles(base: npt.ArrayLike, new: npt.ArrayLike, resamples: int, rng: np.random.Generator) -> float:
    """Share of the ways to split ``(n,)`` and ``(m,)`` values whose means lie as far apart as these."""
    old, now = np.asarray(base, np.float64), np.asarray(new, np.float64)
    pool, m = np.concatenate([old, now]), now.size
    observed = abs(now.mean() - old.mean())
    if math.comb(pool.size, m) <= EXACT:
        sums = np.array([pool[list(chosen)].sum() for chosen in combinations(range(pool.size), m)])
        return float(_at_least(_apart(sums, pool, m), observed).mean())
    sums = rng.permuted(np.tile(pool, (resamples, 1)), axis=1)[:, :m].sum(axis=1)
    return _share(_at_least(_apart(sums, pool, m), observed))


def quantile_test(base: Sequence[Values], new: Sequence[Values], q: float) -> float:
    """Exact permutation of operations within blocks, on how many of the new lie above the block's common quantile.

    Under exchange that number is hypergeometric in each block, and its sum over the blocks is their convolution, so
    nothing is drawn and no value is too rare to be told. ``q = 0.5`` with one block is the median test; other
    quantiles: Johnson, Verrill & Moore, "Two-Sample Rank Tests for Detecting Changes that Occur in a Small
    Proportion of the Treated Population", Biometrics 43, 1987. Failures rank above all that came.
    """
    law, seen = np.ones(1), 0
    for a, b in zip(base, new, strict=True):
        pool = np.concatenate([a, b])
        threshold = np.sort(pool)[quantiles.rank(pool.size, q) - 1]
        if math.isinf(threshold):
            # Failures reach the quantile: then what counts is how many of them are new.
            threshold = float(np.nextafter(np.inf, 0))
        above = int((pool > threshold).sum())
        law = np.convolve(law, _hypergeometric(pool.size, above, b.size))
        seen += int((b > threshold).sum())
    return min(1.0, float(law[law <= law[seen] * (1 + 1e-9)].sum()))


def _hypergeometric(population: int, marked: int, drawn: int) -> Values:
    """``(marked + 1,)`` probabilities of each number of marked values among those drawn."""
    # scipy costs 0.3 s to import, which a command that computes nothing should not pay.
    from scipy.special import gammaln

    def log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> Values:
        whole, part = np.asarray(n, np.float64), np.asarray(k, np.float64)
        logs: Values = gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1)
        return logs

    counts = np.arange(marked + 1)
    possible = (counts <= drawn) & (drawn - counts <= population - marked)
    found = np.zeros(marked + 1)
    k = counts[possible]
    logs = log_choose(marked, k) + log_choose(population - marked, drawn - k) - log_choose(population, drawn)
    found[possible] = np.exp(logs)
    law: Values = found / found.sum()
    return law


def _operation_shuffles(
    base: Sequence[Values], new: Sequence[Values], resamples: int, rng: np.random.Generator
) -> float:
    """Shuffles of operations within their block; the statistic is the difference of the means over all blocks."""
    n, m = sum(each.size for each in base), sum(each.size for each in new)
    total = sum(float(each.sum()) for each in (*base, *new))
    sums = np.zeros(resamples)
    for a, b in zip(base, new, strict=True):
        pool = np.concatenate([a, b])
        step = max(1, ratios.CHUNK // pool.size)
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            drawn = rng.permuted(np.tile(pool, (size, 1)), axis=1)
            sums[start : start + size] += drawn[:, : b.size].sum(axis=1)
    # Centred on what exchange expects, for blocks of unequal size.
    centre = sum(float(np.concatenate([a, b]).mean()) * b.size for a, b in zip(base, new, strict=True))
    observed = sum(float(each.sum()) for each in new)
    scale = max(abs(total) / (n + m), 1.0)
    return _share(_at_least(np.abs(sums - centre), abs(observed - centre), scale))


def _apart(sums: Values, pool: Values, m: int) -> Values:
    """Distances between the two means, from the sums of the second group."""
    apart: Values = np.abs(sums / m - (pool.sum() - sums) / (pool.size - m))
    return apart


def _at_least(found: Values, observed: float, scale: float = 1.0) -> npt.NDArray[np.bool_]:
    return found >= observed - TIE * max(observed, scale)


def _share(extreme: npt.NDArray[np.bool_]) -> float:
    """Of a random sample of arrangements, to which the one that was seen belongs: never 0."""
    return (int(extreme.sum()) + 1) / (extreme.size + 1)
