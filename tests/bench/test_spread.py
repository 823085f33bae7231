"""The spread between runs: pooled as its source says, false positives as claimed, and the power that rows print."""

from __future__ import annotations

import math

import numpy as np
import pytest

from web_terminal_suite.bench.analysis.comparison import spread
from web_terminal_suite.bench.analysis.comparison.spread import RunFigure

ASSUMED = 0.2
BLOCKS = 5


def side(rng: np.random.Generator, runs: int, between: float, within: float, apart: float = 0.0) -> list[RunFigure]:
    """Figures of runs whose blocks differ by ``within``, and which differ by ``between``."""
    found = []
    for _ in range(runs):
        blocks = apart + rng.normal(0, between) + rng.normal(0, within, BLOCKS)
        error = float(blocks.std(ddof=1)) / math.sqrt(BLOCKS)
        found.append(RunFigure(float(blocks.mean()), error, BLOCKS - 1, BLOCKS))
    return found


def drawn_spread(rng: np.random.Generator) -> float:
    """A spread between runs as the assumption says that spreads are: scaled inverse chi-squared."""
    return ASSUMED * math.sqrt(spread.ASSUMED_FREEDOM / rng.chisquare(spread.ASSUMED_FREEDOM))


def test_variances_are_pooled_as_limma_does() -> None:
    base = [RunFigure(log, 0.0, 0, 1) for log in (0.0, 0.2, 0.1)]
    new = [RunFigure(log, 0.0, 0, 1) for log in (0.5, 0.7)]
    found = spread.difference(base, new, ASSUMED)
    shown = (np.var([0.0, 0.2, 0.1], ddof=1) * 2 + np.var([0.5, 0.7], ddof=1)) / 3
    pooled = (4 * ASSUMED**2 + 3 * shown) / 7
    assert found.log == pytest.approx(0.5)
    assert (found.error, found.freedom) == pytest.approx((math.sqrt(pooled * (1 / 3 + 1 / 2)), 7))


def test_one_run_a_side_has_the_assumption_and_what_its_blocks_show() -> None:
    found = spread.difference([RunFigure(0.0, 0.1, 4, 5)], [RunFigure(0.3, 0.0, 4, 5)], ASSUMED)
    assert found.error == pytest.approx(math.sqrt(2 * ASSUMED**2 + 0.1**2))
    assert spread.ASSUMED_FREEDOM < found.freedom < 2 * spread.ASSUMED_FREEDOM
    interval = found.interval(0.95)
    assert interval.lower < math.exp(0.3) < interval.upper


@pytest.mark.parametrize(("base", "new"), [(1, 1), (5, 1), (5, 5)])
def test_false_positives_are_as_rare_as_claimed(base: int, new: int) -> None:
    rng, n = np.random.default_rng(1), 2_000
    told = 0
    for _ in range(n):
        between = drawn_spread(rng)
        told += spread.difference(
            side(rng, base, between, 0.1), side(rng, new, between, 0.1), ASSUMED
        ).significance < 0.05  # fmt: skip
    # 5 % and three standard errors of 2,000 comparisons.
    assert told / n <= 0.05 + 0.015


@pytest.mark.parametrize(("base", "new"), [(1, 1), (5, 1), (5, 5)])
@pytest.mark.parametrize("rows", [1, 40])
def test_what_a_row_prints_as_noticeable_is_noticed_in_four_of_five(base: int, new: int, rows: int) -> None:
    rng, n, noise, level = np.random.default_rng(2), 2_000, 0.05, 0.95
    told = 0
    for _ in range(n):
        between = drawn_spread(rng)
        sides = side(rng, base, between, 0.1), side(rng, new, between, 0.1)
        found = spread.difference(*sides, ASSUMED)
        planted = spread.noticeable(
            found.error, found.freedom, significance=0.05 / rows, level=level, noise=noise
        )  # fmt: skip
        # The error does not depend on what is planted, so it can be planted afterwards.
        moved = spread.LogDifference(found.log + math.log(planted), found.error, found.freedom)
        told += moved.interval(level).lower > 1 + noise and moved.significance < 0.05 / rows
    # Three standard errors, and 2 % for the degrees of freedom of a sum of two variances, which are an approximation.
    assert told / n == pytest.approx(spread.POWER, abs=0.027 + 0.02)


def test_without_an_error_any_difference_is_one() -> None:
    assert spread.significance(0.0, 0.0, math.inf) == 1.0
    assert spread.significance(0.1, 0.0, math.inf) == 0.0
    assert spread.significance(1.96, 1.0, math.inf) == pytest.approx(0.05, abs=1e-3)
