"""Quantiles and their intervals, against their definitions, numpy, scipy and simulation."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import naive
from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.series import Series

PROBABILITIES = st.sampled_from([0.01, 0.05, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999])
LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
NUMBERS = st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=200)


@pytest.mark.parametrize(("q", "n"), [(0.5, 6), (0.95, 72), (0.99, 368), (0.999, 3_688)])
def test_needed_at_95_percent(q: float, n: int) -> None:
    assert quantiles.needed(q, 0.95) == n


@given(PROBABILITIES, LEVELS)
def test_needed_is_the_first_size_with_both_ranks(q: float, level: float) -> None:
    n = quantiles.needed(q, level)
    assert None not in quantiles.bounding_ranks(n, q, level)
    assert n == 1 or None in quantiles.bounding_ranks(n - 1, q, level)


@given(st.integers(1, 3_000), PROBABILITIES, LEVELS)
def test_ranks_against_the_binomial_summed_naively(n: int, q: float, level: float) -> None:
    tail = (1 - level) / 2
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(q) + (n - k) * math.log1p(-q)
        for k in range(n + 1)
    ]
    below = np.cumsum(np.exp(logs))
    above = np.cumsum(np.exp(logs)[::-1])[::-1]
    lower, upper = quantiles.bounding_ranks(n, q, level)
    # P(Q < x[l]) = P(B <= l - 1), P(Q > x[u]) = P(B >= u): both within the tail, and the next rank inwards is not.
    slack = 1e-9
    if lower is not None:
        assert below[lower - 1] <= tail + slack
    assert below[lower or 0] >= tail - slack
    if upper is not None:
        assert above[upper] <= tail + slack
    if upper is None or upper > 1:
        assert above[n if upper is None else upper - 1] >= tail - slack


@given(NUMBERS, PROBABILITIES)
def test_quantile_is_numpys_inverted_cdf(values: list[int], q: float) -> None:
    assert quantiles.quantile(Series(values), q) == np.quantile(values, q, method="inverted_cdf")


@given(st.lists(st.integers(-(10**15), 10**15) | st.just(math.inf), min_size=1, max_size=200), PROBABILITIES)
def test_nearest_rank_is_the_quantile_without_numpy(values: list[float], q: float) -> None:
    assert quantiles.nearest_rank(iter(values), q) == naive.quantile(values, str(q))
    assert quantiles.nearest_rank(values, q) == quantiles.quantile(Series(values), q)


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        quantiles.nearest_rank([], 0.5)


def test_a_client_that_asks_for_a_percentile_does_not_import_numpy() -> None:
    script = "import sys; from web_terminal_suite.bench import benchmark; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_quantile_is_not_moved_by_binary_fractions() -> None:
    # 100 * 0.07 is 7.000000000000001.
    assert quantiles.rank(100, 0.07) == 7
    assert quantiles.rank(1_000, 0.999) == 999


@given(NUMBERS, PROBABILITIES, LEVELS)
def test_bounds_hold_the_quantile(values: list[int], q: float, level: float) -> None:
    series = Series(values)
    bounds = quantiles.bounds(series, q, level)
    assert bounds.lower <= quantiles.quantile(series, q) <= bounds.upper


def test_a_thin_sample_is_refused_with_what_is_missing() -> None:
    answer = quantiles.interval(Series(np.arange(80)), 0.99, 0.95)
    assert answer == InsufficientData(80, 368)
    assert str(answer) == "n=80, needs 288 more"


def test_a_thin_sample_still_has_a_lower_bound() -> None:
    bounds = quantiles.bounds(Series([200] * 10), 0.95, 0.95)
    assert (bounds.lower, bounds.upper) == (200.0, math.inf)


def test_failures_reach_into_the_interval() -> None:
    series = Series([1.0] * 960 + [math.inf] * 40)
    answer = quantiles.interval(series, 0.95, 0.95)
    assert isinstance(answer, Interval)
    assert quantiles.quantile(series, 0.95) == 1.0
    assert answer.upper == math.inf


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_coverage(q: float) -> None:
    rng = np.random.default_rng(20)
    truth = -math.log(1 - q)
    repeats, hits = 600, 0
    for _ in range(repeats):
        bounds = quantiles.bounds(Series(rng.exponential(size=150)), q, 0.95)
        hits += bounds.lower <= truth <= bounds.upper
    # Exact is at least 95 %; three standard errors of the simulation are 2.7 %.
    assert hits / repeats >= 0.95 - 0.027


@pytest.mark.parametrize("wrong", [0.0, 1.0, 95.0, -0.1])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        quantiles.quantile(Series([1]), wrong)
    with pytest.raises(ValueError, match=r"write 0\.95 for 95 %"):
        quantiles.bounds(Series([1]), 0.5, wrong)


def test_a_series_is_sorted_and_cannot_be_changed() -> None:
    given_values = np.array([3, 1, 2])
    series = Series(given_values)
    assert series.values.tolist() == [1, 2, 3]
    assert given_values.tolist() == [3, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 9


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([], "at least one"),
        ([1.0, math.nan], "NaN"),
        ([-math.inf], "-inf"),
        ([[1]], "one dimension"),
        (["a"], "numbers"),
    ],
)
def test_what_is_no_series_is_refused(values: list[object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Series(values)  # type: ignore[arg-type]


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_integers_are_kept_exactly(values: list[int]) -> None:
    assert Series(values).values.tolist() == sorted(values)
