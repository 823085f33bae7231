"""How often the suite's intervals hold the truth, by simulation on the suite's own functions.

Run it with ``python -m tests.bench.coverage_simulation`` (``--quick`` for fewer repetitions). It prints the tables of
``docs/benchmarks.md``, section Statistics.

Each run is some blocks of operations with a known distribution: log-normal, two modes (nine of ten operations fast), or
Pareto with exponent 3. ``independent``; ``AR(0.7)``: normal scores correlate within a block; ``10 % between blocks``: a
log-normal factor for each block; ``drift``: from 0.9 times to 1.1 times over the run. The truth is the quantile or mean
of all operations that such runs consist of.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from web_terminal_suite.bench.stats import ratios, regression
from web_terminal_suite.bench.stats.block_intervals import mean_interval, percentile_interval
from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.quantiles import PERCENTILES
from web_terminal_suite.bench.stats.series import Series
from web_terminal_suite.bench.stats.stopping import OperationRate, pace

DISTRIBUTIONS = ("log-normal", "two modes", "Pareto 3")
DEPENDENCES = ("independent", "AR(0.7)", "10 % between blocks", "drift")
STATISTICS = ("p50", "p95", "p99", "mean", "paired ratio p50", "paired ratio p95", "ratio p50", "ratio p95")
SEED = 20_261
_GRID = np.linspace(2e4, 9e5, 200_001)
_TWO_MODES = 0.9 * ndtr((_GRID - 1e5) / 8e3) + 0.1 * ndtr((_GRID - 6e5) / 5e4)


@dataclass(frozen=True)
class Coverage:
    """Of ``intervals`` that were given, the share that held the truth, and their median half width (0.1: 10 %)."""

    share: float
    half_width: float
    intervals: int

    @property
    def error(self) -> float:
        """Standard error of ``share``."""
        return math.sqrt(max(self.share * (1 - self.share), 1e-9) / max(self.intervals, 1))


def draw(distribution: str, dependence: str, blocks: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """``(blocks, size)`` times of operations."""
    scores = rng.normal(0, 1, (blocks, size))
    if dependence == "AR(0.7)":
        for place in range(1, size):
            scores[:, place] = 0.7 * scores[:, place - 1] + math.sqrt(1 - 0.49) * scores[:, place]
    levels = ndtr(scores)
    if distribution == "log-normal":
        values = np.exp(11 + 0.5 * ndtri(levels))
    elif distribution == "two modes":
        values = np.interp(levels, _TWO_MODES, _GRID)
    else:
        values = 1e5 * (1 - levels) ** (-1 / 3)
    if dependence == "10 % between blocks":
        values = values * np.exp(rng.normal(0, 0.1, (blocks, 1)))
    if dependence == "drift":
        values = values * np.linspace(0.9, 1.1, blocks * size).reshape(blocks, size)
    return values


@lru_cache(maxsize=64)
def truth(distribution: str, dependence: str, statistic: str) -> float:
    """From two million operations."""
    marginal = "independent" if dependence == "AR(0.7)" else dependence
    values = draw(distribution, marginal, 20_000, 100, np.random.default_rng(SEED)).ravel()
    if statistic == "mean":
        return float(values.mean())
    return float(np.quantile(values, PERCENTILES[statistic], method="inverted_cdf"))


def coverage(
    distribution: str, dependence: str, statistic: str, blocks: int, size: int, repeats: int, seed: int = SEED
) -> Coverage:
    """Of one row of the table."""
    rng = np.random.default_rng([seed, DISTRIBUTIONS.index(distribution), DEPENDENCES.index(dependence)])
    found = []
    for _ in range(repeats):
        one = draw(distribution, dependence, blocks, size, rng)
        if "ratio" in statistic:
            two = draw(distribution, dependence, blocks, size, rng)
            q, paired = PERCENTILES[statistic.rpartition(" ")[2]], statistic.startswith("paired")
            answer = ratios.ratio(list(one), list(two), q, 0.95, paired=paired, resamples=200, rng=rng)
            interval, true = (answer.interval if isinstance(answer, ratios.Ratio) else answer), 1.0
        elif statistic == "mean":
            interval, true = mean_interval(list(one), 0.95), truth(distribution, dependence, "mean")
        else:
            interval = percentile_interval(list(one), PERCENTILES[statistic], 0.95)
            true = truth(distribution, dependence, statistic)
        if isinstance(interval, Interval):
            found.append((interval.lower, true, interval.upper))
    return _coverage(found)


def adaptive_coverage(factor: float, repeats: int, seed: int = SEED) -> Coverage:
    """Of p95 of a log-normal cell whose blocks are as long as looks between them say; the limit is the truth over
    ``factor``, so 1 is the hardest."""
    rng, true = np.random.default_rng(seed), math.exp(11 + 0.5 * 1.6448536)
    sizes = {OperationRate.SHORT: 40, OperationRate.USUAL: 80, OperationRate.LONG: 400}
    found = []
    for _ in range(repeats):
        blocks = [draw("log-normal", "10 % between blocks", 1, 80, rng)[0]]
        for _ in range(4):
            size = sizes[pace(Series(np.concatenate(blocks)), 0.95, [true / factor])]
            blocks.append(draw("log-normal", "10 % between blocks", 1, size, rng)[0])
        interval = percentile_interval(blocks, 0.95, 0.95)
        if isinstance(interval, Interval):
            found.append((interval.lower, truth("log-normal", "10 % between blocks", "p95"), interval.upper))
    return _coverage(found)


SLOPE_ERRORS = ("one size", "growing with x", "adding up", "shifted blocks")


def slope_coverage(errors: str, blocks: int, repeats: int, seed: int = SEED) -> Coverage:
    """Of a true slope of 9,000 at x = 0, 100, 300, 1000 in each block."""
    rng, x, found = np.random.default_rng([seed, SLOPE_ERRORS.index(errors)]), np.array([0, 100, 300, 1000.0]), []
    for _ in range(repeats):
        noise = rng.normal(0, 2e5, (blocks, 4))
        if errors == "growing with x":
            noise = rng.normal(0, 1, (blocks, 4)) * (5e4 + 5e2 * x)
        elif errors == "adding up":
            noise = noise.cumsum(axis=1)
        elif errors == "shifted blocks":
            noise = noise / 10 + rng.normal(0, 1e6, (blocks, 1))
        interval = regression.fit_blocks([(x, 6e7 + 9000 * x + each) for each in noise], 0.95).slope_interval
        if isinstance(interval, Interval):
            found.append((interval.lower, 9000.0, interval.upper))
    return _coverage(found)


def _coverage(found: list[tuple[float, float, float]]) -> Coverage:
    if not found:
        return Coverage(math.nan, math.nan, 0)
    ends = np.array(found)
    hits = (ends[:, 0] <= ends[:, 1]) & (ends[:, 1] <= ends[:, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.sqrt(ends[:, 2] / ends[:, 0]) - 1
    return Coverage(float(hits.mean()), float(np.nanmedian(half)), len(found))


def _table(blocks: int, size: int, repeats: int) -> None:
    print(f"\n{blocks} blocks of {size} operations, {repeats:,} runs a cell: coverage in % (median half width)\n")
    print(f"| | {' | '.join(STATISTICS)} |")
    print(f"|---|{'---|' * len(STATISTICS)}")
    for distribution in DISTRIBUTIONS:
        for dependence in DEPENDENCES:
            cells = []
            for statistic in STATISTICS:
                found = coverage(distribution, dependence, statistic, blocks, size, repeats)
                none = "none" if not found.intervals else f"{100 * found.share:.1f} ({100 * found.half_width:.0f} %)"
                cells.append(none)
            print(f"| {distribution}, {dependence} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions")
    repeats = 300 if parser.parse_args().quick else 3_000
    for blocks, size in ((5, 80), (5, 20), (5, 16), (10, 40)):
        _table(blocks, size, repeats)
    print("\np95 with blocks whose length depends on looks between them, by truth over limit\n")
    for factor in (0.7, 0.9, 1.0, 1.1, 1.3):
        print(f"| {factor} | {100 * adaptive_coverage(factor, repeats).share:.1f} |", flush=True)
    print("\nslopes in five blocks\n")
    for errors in SLOPE_ERRORS:
        print(f"| {errors} | {100 * slope_coverage(errors, 5, repeats).share:.1f} |", flush=True)


if __name__ == "__main__":
    main()
