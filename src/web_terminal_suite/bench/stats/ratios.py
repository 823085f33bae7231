"""The ratio of two samples' statistic, its interval, and what it amounts to.

Everything is done on logarithms, so a ratio and its inverse are treated alike. Each sample comes as blocks (trials):
operations of one block share a process, a minute and a cache, so the interval rests on what varies from block to block
(Kalibera & Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013), by Student's t. Fewer than
``blocks.FEWEST_BLOCKS`` blocks on a side have no interval.

``q`` is a quantile, or ``None`` for the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.block_intervals import WIDENING, percentile_interval, standard_error
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS, TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.means import FEWEST_TO_RESAMPLE, student_quantile, two_sided
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

CHUNK = 1 << 20
"""Draws held in memory at once (8 MiB of float64)."""


class ChangeVerdict(StrEnum):
    """What a ratio amounts to, once a difference of ``noise`` does not matter."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUAL = "equal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Ratio:
    """New over base. ``value`` is ``inf`` or 0 where only one of the two has a finite statistic.

    ``paired``: ratios within blocks, so what both saw of a slow minute cancels; ``value`` is their geometric mean.
    ``units``: what the width rests on, ``trials``, or ``ranks`` where failures leave nothing but order statistics, or
    ``readings``.
    ``error``: the standard error of the logarithm, known with ``freedom`` degrees of freedom, so that a further
    variance can be added; 0 and infinite where there is no error, NaN where the interval has no such form (``ranks``).
    """

    value: float
    interval: Interval
    paired: bool
    units: str
    error: float = math.nan
    freedom: float = math.nan

    @property
    def log(self) -> float:
        """The logarithm of ``value``; infinite for 0 and infinity."""
        return math.log(self.value) if self.value > 0 else -math.inf if self.value == 0 else math.nan


def change(ratio: Ratio, significance: float, level: float, noise: float) -> ChangeVerdict:
    """The verdict by the bounds of the interval, as for a target.

    ``slower`` and ``faster`` need the whole interval beyond ``1 + noise`` (below its inverse) and ``significance``,
    corrected for the number of comparisons, below ``level``. ``equal`` needs the whole interval within: the absence
    of a proof is none, so whatever else is ``undecided``.

    Args:
        significance: the corrected probability of such a difference where there is none.
        level: such as 0.05.
        noise: relative difference that does not matter, such as 0.05.

    Raises:
        ValueError: ``noise`` is negative, or ``level`` no probability.
    """
    check_level(level)
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise threshold {noise} is not a positive number; write 0.05 for 5 %")
    lower, upper = ratio.interval.lower, ratio.interval.upper
    if lower > 1 + noise and significance < level:
        return ChangeVerdict.SLOWER
    if upper < 1 / (1 + noise) and significance < level:
        return ChangeVerdict.FASTER
    if lower >= 1 / (1 + noise) and upper <= 1 + noise:
        return ChangeVerdict.EQUAL
    return ChangeVerdict.UNDECIDED


def ratio(
    base: Sequence[npt.ArrayLike],
    new: Sequence[npt.ArrayLike],
    q: float | None,
    level: float,
    *,
    paired: bool,
    resamples: int,
    rng: np.random.Generator,
) -> Ratio | InsufficientData:
    """The ratio of the two statistics with its interval, or how many more values it needs.

    Args:
        base, new: one ``(n,)`` array a trial, positive or ``+inf`` (failed); where ``paired``, trials of the same
            place were measured side by side. Empty trials count for nothing.

    Raises:
        ValueError: a value is negative or NaN, or both statistics are 0; there is no ratio then.
    """
    check_level(level)
    if paired and len(base) != len(new):
        raise ValueError(f"{len(base)} trials and {len(new)} are not pairs")
    old, now = [_checked(trial) for trial in base], [_checked(trial) for trial in new]
    if paired:
        pairs = [(a, b) for a, b in zip(old, now, strict=True) if a.size and b.size]
        old, now = [a for a, _ in pairs], [b for _, b in pairs]
    old, now = [each for each in old if each.size], [each for each in now if each.size]
    thin = _too_thin(old, q, level) or _too_thin(now, q, level)
    if thin:
        return thin
    if min(len(old), len(now)) < FEWEST_BLOCKS:
        return TooFewBlocks(min(len(old), len(now)))
    thick = is_thick(old, now, q)
    failed = any(np.isinf(each).any() for each in (*old, *now))
    # A few failures above each block's percentile leave it a number; pools are resampled, and cannot have any.
    if failed and not (thick and all(math.isfinite(statistic(each, q)) for each in (*old, *now))):
        return _of_ranks(old, now, q, level)
    if statistic(np.concatenate(old), q) <= 0 or statistic(np.concatenate(now), q) <= 0:
        raise ValueError("a statistic of 0 has no ratio; the operation takes no time that the clock can tell")
    if not thick:
        return _of_pools(old, now, q, level, resamples, rng)
    logs = [np.log([statistic(block, q) for block in side]) for side in (old, now)]
    return _of_pairs(logs[1] - logs[0], level) if paired else _of_blocks(logs[0], logs[1], level)


def ratio_of_figures(
    base: tuple[float, float, float], new: tuple[float, float, float], level: float
) -> tuple[Ratio, float]:
    """The ratio of two figures known with a standard error (slopes, levels), and its significance.

    By the delta method on logarithms with the degrees of freedom of Welch and Satterthwaite; two figures without
    error give an interval without width.

    Args:
        base, new: value, standard error, degrees of freedom (ignored where the error is 0).

    Raises:
        ValueError: a value is not positive, or within two errors of 0, where the logarithm's error means nothing.
    """
    check_level(level)
    for value, error, _ in (base, new):
        if not value > 2 * error:
            raise ValueError(f"{value:g} with an error of {error:g} is too near 0 for a ratio")
    relative = [(error / value) ** 2 for value, error, _ in (base, new)]
    log = math.log(new[0] / base[0])
    spread = math.sqrt(sum(relative))
    if spread == 0:
        value = math.exp(log)
        return Ratio(value, Interval(value, value, level), False, "readings", 0.0, math.inf), 1.0 if log == 0 else 0.0
    freedom = welch(relative, [base[2], new[2]])
    interval = _interval(log, spread, freedom, level)
    return Ratio(math.exp(log), interval, False, "readings", spread, freedom), two_sided(log / spread, freedom)


def statistic(values: Values, q: float | None) -> float:
    """The mean of ``(n,)`` values, or their ``q`` quantile as ``quantiles`` defines it."""
    if q is None:
        return float(values.mean())
    place = quantiles.rank(values.size, q) - 1
    return float(np.partition(values, place)[place])


def is_thick(base: Sequence[Values], new: Sequence[Values], q: float | None) -> bool:
    """Whether each trial by itself has a ``q`` quantile: at least one value is expected beyond it."""
    fewest = 2 if q is None else math.ceil(round(1 / min(q, 1 - q), 9))
    return all(trial.size >= fewest and statistic(trial, q) > 0 for trial in (*base, *new))


def _of_pairs(logs: Values, level: float) -> Ratio:
    """Geometric mean of the ratios within blocks, from their ``(k,)`` logarithms, with Student's t."""
    log, spread, freedom = float(logs.mean()), standard_error(logs, np.ones(logs.size)), logs.size - 1
    return Ratio(math.exp(log), _interval(log, spread, freedom, level), True, "trials", spread, freedom)


def _of_blocks(base: Values, new: Values, level: float) -> Ratio:
    """Ratio of the geometric means of the blocks' statistics, from their logarithms, with Welch's t.

    Of the blocks' statistics, not of the pooled ones: those would be compared with an error that is not theirs where a
    block has few values in its tail.
    """
    errors = [standard_error(logs, np.ones(logs.size)) for logs in (base, new)]
    log, spread = float(new.mean() - base.mean()), math.hypot(*errors)
    freedom = welch([each**2 for each in errors], [base.size - 1, new.size - 1])
    return Ratio(math.exp(log), _interval(log, spread, freedom, level), False, "trials", spread, freedom)


def _of_pools(
    base: Sequence[Values],
    new: Sequence[Values],
    q: float | None,
    level: float,
    resamples: int,
    rng: np.random.Generator,
) -> Ratio:
    """The ratio of the statistics of all values where blocks are too short for one, each side resampled for itself."""
    sides = [_pool_variance(side, q, resamples, rng) for side in (base, new)]
    log = math.log(statistic(np.concatenate(new), q) / statistic(np.concatenate(base), q))
    variances = [variance for variance, _ in sides]
    spread = WIDENING * math.sqrt(sum(variances))
    freedom = welch(variances, [freedom for _, freedom in sides])
    return Ratio(math.exp(log), _interval(log, spread, freedom, level), False, "trials", spread, freedom)


def _of_ranks(base: Sequence[Values], new: Sequence[Values], q: float | None, level: float) -> Ratio | InsufficientData:
    """The ratio where operations failed: their time is unknown but longer than any, and that is enough to bound it.

    Each side is bounded at half the error, so both hold together (Bonferroni).
    """
    old, now = Series(np.concatenate(base)), Series(np.concatenate(new))
    if q is None:
        # A mean with a failure in it has no value; whichever side has none is the larger.
        values = (float(old.values.mean()), float(now.values.mean()))
        below, above = (Interval(0.0, math.inf, level),) * 2
    else:
        values = (quantiles.quantile(old, q), quantiles.quantile(now, q))
        answers = [percentile_interval(side, q, (1 + level) / 2) for side in (base, new)]
        thin = next((each for each in answers if isinstance(each, InsufficientData)), None)
        if thin:
            return thin
        below, above = (each for each in answers if isinstance(each, Interval))
    lower = _quotient(above.lower, below.upper) if above.lower > 0 else 0.0
    upper = _quotient(above.upper, below.lower) if below.lower > 0 else math.inf
    value = _quotient(values[1], values[0])
    ends = (0.0 if math.isnan(lower) else lower, math.inf if math.isnan(upper) else upper)
    return Ratio(value, Interval(*ends, level), False, "ranks")


def _quotient(above: float, below: float) -> float:
    """The quotient with failures as infinity; of two of them it is unknown, NaN."""
    if math.isinf(above):
        return math.nan if math.isinf(below) else math.inf
    return 0.0 if math.isinf(below) else above / below if below > 0 else math.nan


def _pool_variance(
    trials: Sequence[Values], q: float | None, resamples: int, rng: np.random.Generator
) -> tuple[float, int]:
    """Variance of the logarithm of the pooled statistic, and its degrees of freedom."""
    k = len(trials)
    within = _spread_of_logs(_within(trials, q, resamples, rng))
    between = _spread_of_logs(_between(trials, q, resamples, rng))
    return max(within, between * k / (k - 1)), k - 1


def _within(trials: Sequence[Values], q: float | None, resamples: int, rng: np.random.Generator) -> Values:
    """``(resamples,)`` statistics, each of operations drawn with replacement within their own trial."""
    pool, sizes = np.concatenate(trials), [trial.size for trial in trials]
    offsets = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    lengths = np.repeat(sizes, sizes)
    found, step = np.empty(resamples), max(1, CHUNK // pool.size)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = pool[offsets + (rng.random((size, pool.size)) * lengths).astype(np.int64)]
        found[start : start + size] = _rows(drawn, q)
    return found


def _between(trials: Sequence[Values], q: float | None, resamples: int, rng: np.random.Generator) -> Values:
    """``(resamples,)`` statistics, each of whole trials drawn with replacement."""
    k = len(trials)
    counts = rng.multinomial(k, np.full(k, 1 / k), size=resamples)
    sizes = np.array([trial.size for trial in trials])
    if q is None:
        sums = np.array([trial.sum() for trial in trials])
        means: Values = counts @ sums / (counts @ sizes)
        return means
    pool = np.concatenate(trials)
    order = np.argsort(pool, kind="stable")
    owner, pool = np.repeat(np.arange(k), sizes)[order], pool[order]
    # Few trials give few different draws: three give ten, which are looked up once each.
    draws, inverse = np.unique(counts, axis=0, return_inverse=True)
    found = np.array([_weighted(pool, draw[owner], q) for draw in draws])
    return found[inverse.reshape(-1)]


def _weighted(ascending: Values, weights: npt.NDArray[np.int64], q: float) -> float:
    """The ``q`` quantile where each value stands as often as its weight says."""
    reached = np.cumsum(weights)
    return float(ascending[np.searchsorted(reached, quantiles.rank(int(reached[-1]), q))])


def _rows(drawn: Values, q: float | None) -> Values:
    if q is None:
        means: Values = drawn.mean(axis=1)
        return means
    place = quantiles.rank(drawn.shape[1], q) - 1
    return np.partition(drawn, place, axis=1)[:, place]


def _spread_of_logs(drawn: Values) -> float:
    """Variance of the logarithms; a resample of 0 ns has none and is left out."""
    return float(np.log(drawn[drawn > 0]).var())


def _interval(log: float, spread: float, freedom: float, level: float) -> Interval:
    half = student_quantile((1 + level) / 2, freedom) * spread if spread > 0 else 0.0
    # Beyond this a double has no exponential; the end does not exist for any purpose.
    upper = math.exp(log + half) if log + half < 700 else math.inf
    return Interval(min(math.exp(log - half), math.exp(log)), max(upper, math.exp(log)), level)


def welch(variances: Sequence[float], freedoms: Sequence[float]) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite, Biometrics Bulletin 2, 1946)."""
    below = sum(variance**2 / freedom for variance, freedom in zip(variances, freedoms, strict=True) if variance)
    return sum(variances) ** 2 / below if below else float(min(freedoms))


def _too_thin(trials: Sequence[Values], q: float | None, level: float) -> InsufficientData | None:
    have = sum(trial.size for trial in trials)
    need = FEWEST_TO_RESAMPLE if q is None else quantiles.needed(q, level)
    return None if have >= need else InsufficientData(have, need)


def _checked(trial: npt.ArrayLike) -> Values:
    values = np.asarray(trial, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"a trial has one dimension, not {values.ndim}")
    if np.isnan(values).any() or (values < 0).any():
        raise ValueError("a trial holds no NaN and nothing negative; a ratio would mean nothing")
    return values
