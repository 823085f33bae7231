"""Kernel densities, against scipy and what an area must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.bench.stats import density

MODEST = st.lists(st.floats(1, 1e6), min_size=2, max_size=60)


def test_the_curve_is_scipys_with_the_same_bandwidth() -> None:
    from scipy.stats import gaussian_kde

    values = np.random.default_rng(1).normal(10, 2, 300)
    curve = density.density(values)
    assert curve is not None
    assert not curve.logarithmic
    expected = gaussian_kde(values, bw_method=curve.bandwidth / values.std(ddof=1))
    assert curve.y == pytest.approx(expected(curve.x))


def test_silverman_by_hand() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 50.0]
    assert density.silverman(values) == pytest.approx(0.9 * (2 / 1.34) * 5**-0.2)
    # Quartiles that are the same say nothing; the deviation stands.
    assert density.silverman([1.0, 1.0, 1.0, 1.0, 6.0]) == pytest.approx(0.9 * np.sqrt(5) * 5**-0.2)


def test_a_long_tail_gets_a_logarithmic_axis() -> None:
    values = np.random.default_rng(2).lognormal(0, 1, 400)
    curve = density.density(values)
    assert curve is not None
    assert curve.logarithmic
    assert curve.x.min() > 0
    assert np.trapezoid(curve.y, np.log(curve.x)) == pytest.approx(1, abs=0.005)


@settings(deadline=None)
@given(MODEST)
def test_the_area_is_one_and_the_ends_are_low(values: list[float]) -> None:
    curve = density.density(values, logarithmic=False)
    if curve is None:
        assert density.silverman(values) <= 1e-9 * max(values)
        return
    # A bandwidth far below the distance of two points is not resolved by 500 of them.
    if curve.bandwidth > 2 * (curve.x[1] - curve.x[0]):
        assert np.trapezoid(curve.y, curve.x) == pytest.approx(1, abs=0.01)
    assert (curve.y >= 0).all()


def test_what_does_not_vary_has_no_curve() -> None:
    assert density.density([3.0, 3.0, 3.0]) is None
    assert density.density([3.0]) is None
    assert density.density([]) is None


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="leave failed operations out"):
        density.density([1.0, np.inf])
    with pytest.raises(ValueError, match="no place on a logarithmic axis"):
        density.density([0.0, 1.0], logarithmic=True)
    with pytest.raises(ValueError, match="1 points draw no curve"):
        density.density([0.0, 1.0], points=1)


def test_many_values_take_bounded_memory() -> None:
    values = np.random.default_rng(3).normal(0, 1, 20_000)
    curve = density.density(values, points=200)
    assert curve is not None
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(1, abs=0.005)
