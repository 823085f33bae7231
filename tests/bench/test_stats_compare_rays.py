"""Lines through the origin, against numpy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.bench.stats import rays
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval

POINTS = st.lists(st.tuples(st.floats(0.1, 100), st.floats(-1e3, 1e3)), min_size=2, max_size=30)


@settings(deadline=None)
@given(POINTS)
def test_the_slope_is_that_of_least_squares(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    (expected,), *_ = np.linalg.lstsq(x[:, None], y, rcond=None)
    assert rays.fit(x, y, 0.95).slope == pytest.approx(expected, abs=1e-6)


def test_r2_is_the_share_explained() -> None:
    x, y = [1.0, 2, 3, 4], [2.1, 3.9, 6.2, 7.8]
    ray = rays.fit(x, y, 0.95)
    residual = sum((b - ray.slope * a) ** 2 for a, b in zip(x, y, strict=True))
    assert ray.r2 == pytest.approx(1 - residual / (np.var(y) * 4))
    assert rays.fit([1, 2, 3], [2, 4, 6], 0.95).r2 == 1.0
    constant = rays.fit([1, 2, 3], [5.0, 5.1, 4.9], 0.95).r2
    assert constant is not None
    assert constant < 0
    assert rays.fit([1, 2], [5.0, 5.0], 0.95).r2 is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng, hits, x = np.random.default_rng(1), 0, np.arange(1, 13)
    for _ in range(500):
        answer = rays.fit(x, 3 * x + rng.normal(0, 2, 12), 0.95).slope_interval
        assert isinstance(answer, Interval)
        hits += answer.lower <= 3 <= answer.upper
    # 95 % and three standard errors of 500 repeats.
    assert 0.92 <= hits / 500 <= 0.98


def test_what_determines_no_ray_is_refused() -> None:
    assert rays.fit([2.0], [4.0], 0.95).slope_interval == InsufficientData(1, 2)
    for x, y, complaint in (([0.0, 0], [1.0, 2], "every x is 0"), ([1.0], [1.0, 2], "are not pairs"),
                            ([1.0], [np.inf], "finite")):  # fmt: skip
        with pytest.raises(ValueError, match=complaint):
            rays.fit(x, y, 0.95)
