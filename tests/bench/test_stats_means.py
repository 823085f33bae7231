"""Lines and fences, against scipy, their definitions and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.bench.stats import means, outliers, regression
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval

FINITE = st.floats(-1e6, 1e6)


def test_line_is_scipys() -> None:
    from scipy.stats import linregress, t

    rng = np.random.default_rng(4)
    x = np.array([0, 0, 100, 100, 300, 1000.0])
    y = 45e6 + 9_000 * x + rng.normal(0, 1e5, x.size)
    line, expected = regression.fit(x, y, 0.95), linregress(x, y)
    assert (line.slope, line.intercept, line.r2) == pytest.approx(
        (expected.slope, expected.intercept, expected.rvalue**2)
    )
    half = t.ppf(0.975, x.size - 2) * expected.stderr
    assert isinstance(line.slope_interval, Interval)
    assert (line.slope_interval.lower, line.slope_interval.upper) == pytest.approx(
        (expected.slope - half, expected.slope + half)
    )


def test_r2_is_not_that_of_a_single_residual() -> None:
    # Criterion 0.8 adds the last term only; with these points its R2 would be far from the true 0.
    line = regression.fit([0, 1, 2, 3], [1, -1, -1, 1], 0.95)
    assert line.r2 == pytest.approx(0)


def test_line_coverage() -> None:
    rng = np.random.default_rng(9)
    x, repeats, hits = np.array([0, 100, 300, 1000.0]), 600, 0
    for _ in range(repeats):
        answer = regression.fit(x, 5 * x + rng.normal(0, 40, 4), 0.95).slope_interval
        assert isinstance(answer, Interval)
        hits += answer.lower <= 5 <= answer.upper
    assert 0.95 - 0.027 <= hits / repeats <= 0.95 + 0.027


def test_flat_readings_have_a_line_but_no_r2() -> None:
    line = regression.fit([0, 1, 2], [4, 4, 4], 0.95)
    assert (line.slope, line.intercept, line.r2) == (0, 4, None)


def test_two_points_are_a_line_without_interval() -> None:
    line = regression.fit([0, 2], [1, 5], 0.95)
    assert (line.slope, line.slope_interval) == (2, InsufficientData(2, 3))


@pytest.mark.parametrize(
    ("x", "y", "complaint"),
    [([1, 1], [1, 2], "1 different x"), ([1], [1, 2], "not pairs"), ([1, 2], [1, math.nan], "finite")],
)
def test_what_is_no_line_is_refused(x: list[float], y: list[float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        regression.fit(x, y, 0.95)


def test_fences_by_hand() -> None:
    values = [*range(1, 10), 16, 17, 30, -6, -15]
    found = outliers.fences(range(1, 10))
    # Quartiles 3 and 7, width 4.
    assert (found.low_severe, found.low_mild, found.high_mild, found.high_severe) == (-9, -3, 13, 19)
    labels = outliers.label(values, found)
    assert labels.tolist() == [0] * 9 + [1, 1, 2, -1, -2]
    assert outliers.counts(labels) == {
        outliers.Label.LOW_SEVERE: 1,
        outliers.Label.LOW_MILD: 1,
        outliers.Label.INSIDE: 9,
        outliers.Label.HIGH_MILD: 2,
        outliers.Label.HIGH_SEVERE: 1,
    }


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_every_value_has_exactly_one_label(values: list[float]) -> None:
    labels = outliers.label(values, outliers.fences(values))
    assert sum(outliers.counts(labels).values()) == len(values)


@pytest.mark.parametrize("values", [[], [1.0, math.inf]])
def test_fences_need_finite_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="all finite"):
        outliers.fences(values)


# --- what keeps its errors


def _walks(runs: int, growth: float) -> np.ndarray:
    """Readings that are each the last one and a step."""
    return np.cumsum(np.random.default_rng(17).normal(growth, 3, (runs, 10)), axis=1)


def _holds(through, readings: np.ndarray, growth: float) -> float:
    answers = [through(range(1, 11), each, 0.95).slope_interval for each in readings]
    return float(np.mean([each.lower <= growth <= each.upper for each in answers]))


def test_the_interval_of_a_drift_holds_where_errors_add_up_and_that_of_least_squares_does_not() -> None:
    readings = _walks(2_000, 0.5)
    assert 0.935 <= _holds(regression.drift, readings, 0.5) <= 0.965
    assert _holds(regression.fit, readings, 0.5) < 0.7


def test_the_interval_of_a_drift_is_wide_enough_where_errors_do_not_add_up() -> None:
    readings = 0.5 * np.arange(1, 11) + np.random.default_rng(18).normal(0, 3, (2_000, 10))
    assert _holds(regression.drift, readings, 0.5) >= 0.95


def test_a_drift_is_the_sum_of_the_steps_over_that_of_the_distances() -> None:
    line = regression.drift([0, 1, 3, 4], [10, 12, 13, 18], 0.95)
    assert (line.slope, line.intercept, line.r2, line.n) == (2.0, 10.0, None, 4)
    steps, weights = np.array([2.0, 1.0, 5.0]), np.array([1.0, 2.0, 1.0])
    error = math.sqrt(((steps - 2 * weights) ** 2 / weights).sum() / 2 / weights.sum())
    half = means.student_quantile(0.975, 2) * error
    assert isinstance(line.slope_interval, Interval)
    assert (line.slope_interval.lower, line.slope_interval.upper) == pytest.approx((2 - half, 2 + half))


def test_a_drift_takes_no_step_from_one_series_to_the_next() -> None:
    assert regression.drift([1, 2, 3, 1, 2, 3], [0, 1, 2, 100, 101, 102], 0.95).slope == 1.0
    assert regression.drift([1, 2], [3, 4], 0.95).slope_interval == InsufficientData(2, 3)
    with pytest.raises(ValueError, match="none has a larger x"):
        regression.drift([2, 1], [0, 1], 0.95)
    with pytest.raises(ValueError, match="finite"):
        regression.drift([1, 2], [0, math.nan], 0.95)
