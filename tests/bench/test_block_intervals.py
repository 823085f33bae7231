"""Intervals over blocks: against scipy, their definitions, and the truth in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.bench import coverage_simulation as simulation
from web_terminal_suite.bench.stats import quantiles, regression
from web_terminal_suite.bench.stats.block_intervals import (
    WIDENING,
    level_interval,
    mean_interval,
    percentile_interval,
    standard_error,
)
from web_terminal_suite.bench.stats.blocks import TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.series import Series

REPEATS = 100
"""Of each row of the fast simulation: 0.86 is then three standard errors below 93.5 %."""


def blocks_of(k: int, size: int, between: float = 0.0, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.lognormal(0, 0.3, size) * math.exp(rng.normal(0, between)) for _ in range(k)]


def ends(answer: Interval | InsufficientData) -> tuple[float, float]:
    assert isinstance(answer, Interval)
    return answer.lower, answer.upper


@pytest.mark.parametrize(("q", "factor"), [(0.5, 1.0), (0.95, 1.0), (0.99, WIDENING)])
def test_a_percentile_is_bounded_by_students_t_on_the_blocks_logarithms(q: float, factor: float) -> None:
    blocks = blocks_of(5, 80, between=1.0)
    logs = np.log([np.quantile(block, q, method="inverted_cdf") for block in blocks])
    half = factor * stats.t.ppf(0.975, 4) * stats.sem(logs)
    value = np.quantile(np.concatenate(blocks), q, method="inverted_cdf")
    assert ends(percentile_interval(blocks, q, 0.95)) == pytest.approx((value / math.exp(half), value * math.exp(half)))


def test_an_interval_is_never_narrower_than_that_of_independent_operations() -> None:
    same = [np.arange(1.0, 81.0)] * 5
    exact = quantiles.bounds(Series(np.concatenate(same)), 0.5, 0.95)
    assert ends(percentile_interval(same, 0.5, 0.95)) == (exact.lower, exact.upper)
    every = np.concatenate(same)
    half = stats.t.ppf(0.975, 399) * stats.sem(every) / every.mean()
    assert ends(mean_interval(same, 0.95)) == pytest.approx(
        (every.mean() / math.exp(half), every.mean() * math.exp(half))
    )


def test_blocks_of_unequal_length_weigh_by_their_operations() -> None:
    each, sizes = np.array([1.0, 2.0, 4.0]), np.array([10.0, 10.0, 80.0])
    assert standard_error(each, sizes) == pytest.approx(each.std(ddof=1) * math.sqrt(0.01 + 0.01 + 0.64))


def test_too_few_blocks_or_operations_are_refused() -> None:
    assert percentile_interval(blocks_of(4, 100), 0.5, 0.95) == TooFewBlocks(4)
    assert percentile_interval([*blocks_of(4, 100), []], 0.5, 0.95) == TooFewBlocks(4)
    assert percentile_interval(blocks_of(5, 10), 0.95, 0.95) == InsufficientData(50, 72)
    assert mean_interval(blocks_of(1, 100), 0.95) == TooFewBlocks(1)
    assert mean_interval(blocks_of(5, 7), 0.95) == InsufficientData(35, 40)
    assert mean_interval(blocks_of(1, 4), 0.95) == InsufficientData(4, 5)
    assert level_interval([[1.0], [2.0]], 0.95) == TooFewBlocks(2)
    assert str(TooFewBlocks(1)) == "1 block, an interval needs 5"


def test_failures_keep_their_rank() -> None:
    few = [np.array([*block[:-1], math.inf]) for block in blocks_of(5, 80)]
    lower, upper = ends(percentile_interval(few, 0.95, 0.95))
    assert 0 < lower < upper < math.inf
    one_bad = [*blocks_of(4, 80), np.full(80, math.inf)]
    lower, upper = ends(percentile_interval(one_bad, 0.5, 0.95))
    assert lower < upper == math.inf
    assert ends(percentile_interval([np.full(80, math.inf)] * 5, 0.5, 0.95)) == (math.inf, math.inf)
    half_bad = [np.array([*block[:40], *[math.inf] * 40]) for block in blocks_of(5, 80)]
    assert ends(percentile_interval(half_bad, 0.95, 0.95)) == (math.inf, math.inf)


def test_operations_without_time_have_an_interval() -> None:
    blocks = [np.zeros(80)] * 4 + [np.ones(80)]
    assert ends(percentile_interval(blocks, 0.5, 0.95))[0] <= 0.0
    lower, upper = ends(mean_interval(blocks, 0.95))
    assert lower < 0.2 < upper


def test_a_level_is_students_t_on_the_means_of_blocks() -> None:
    values = [4.1, -3.9, 4.4, 4.0, 5.0]
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert ends(level_interval([[value] for value in values], 0.95)) == pytest.approx(expected)


@given(st.integers(5, 8), st.integers(20, 60), st.sampled_from([0.5, 0.95]), st.floats(0.5, 0.99), st.integers(0, 999))
def test_a_percentile_lies_within_its_interval(k: int, size: int, q: float, level: float, seed: int) -> None:
    blocks = blocks_of(k, size, 0.2, seed)
    answer = percentile_interval(blocks, q, level)
    if isinstance(answer, Interval):
        assert answer.lower <= quantiles.quantile(Series(np.concatenate(blocks)), q) <= answer.upper


@pytest.mark.parametrize("statistic", simulation.STATISTICS)
@pytest.mark.parametrize("dependence", ["AR(0.7)", "10 % between blocks"])
@pytest.mark.parametrize("distribution", simulation.DISTRIBUTIONS)
def test_intervals_hold_the_truth_at_the_default_design(distribution: str, dependence: str, statistic: str) -> None:
    found = simulation.coverage(distribution, dependence, statistic, 5, 80, REPEATS)
    assert found.intervals == REPEATS
    assert found.share >= 0.86


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_looks_between_blocks_leave_the_interval_true(factor: float) -> None:
    assert simulation.adaptive_coverage(factor, 2 * REPEATS).share >= 0.89


@pytest.mark.parametrize("errors", simulation.SLOPE_ERRORS)
def test_the_interval_of_a_slope_holds_whatever_its_errors(errors: str) -> None:
    assert 0.91 <= simulation.slope_coverage(errors, 5, 500).share <= 0.99


# What a line does not show

X = np.array([0, 100, 300, 1000.0])


def readings(bend: float, growth: float, seed: int, k: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    scale = 1 + growth * X / 1000
    return [(X, 6e7 + 9000 * X + bend * X**2 + rng.normal(0, 5e4, 4) * scale + rng.normal(0, 1e6)) for _ in range(k)]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_readings_that_bend_are_told(k: int) -> None:
    (sentence,) = regression.remarks(
        readings(9.0, 0.0, 1, k) if k > 1 else [(X, 6e7 + 9000 * X + 9 * X**2 + [1, -2, 2, -1])]
    )
    assert sentence.startswith("the readings bend (p = ")
    assert "%" in sentence


@pytest.mark.parametrize(("k", "least"), [(5, 0.3), (15, 0.9)])
def test_errors_that_grow_are_told(k: int, least: float) -> None:
    told = [regression.remarks(readings(0.0, 40.0, seed, k)) for seed in range(60)]
    assert sum(any("errors grow with x" in each for each in found) for found in told) / 60 >= least


def test_a_plain_line_is_seldom_remarked_on() -> None:
    told = [regression.remarks(readings(0.0, 0.0, seed)) for seed in range(300)]
    assert sum(map(bool, told)) <= 15
    assert regression.remarks([(np.array([0, 1.0]), np.array([1, 2.0]))]) == ()


def test_a_slope_over_blocks_is_the_mean_of_theirs() -> None:
    found = readings(0.0, 1.0, 3)
    slopes = [stats.linregress(x, y).slope for x, y in found]
    line = regression.fit_blocks(found, 0.95)
    expected = stats.t.interval(0.95, 4, loc=np.mean(slopes), scale=stats.sem(slopes))
    assert (line.slope, line.error, line.freedom) == pytest.approx((np.mean(slopes), stats.sem(slopes), 4))
    assert isinstance(line.slope_interval, Interval)
    assert (line.slope_interval.lower, line.slope_interval.upper) == pytest.approx(expected)
    few = regression.fit_blocks(found[:4], 0.95)
    assert few.slope_interval == TooFewBlocks(4)
    assert few.slope == pytest.approx(np.mean(slopes[:4]))
