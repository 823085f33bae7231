"""Two shares compared: Fisher's test as scipy has it, an interval that holds the difference, and power as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from web_terminal_suite.bench.stats.two_proportions import difference_interval, fisher_exact, noticeable_share


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    base_n, new_n = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    return draw(st.integers(0, base_n)), base_n, draw(st.integers(0, new_n)), new_n


@settings(deadline=None)
@given(tables())
def test_fisher_is_that_of_scipy(table: tuple[int, int, int, int]) -> None:
    base, base_n, new, new_n = table
    expected = stats.fisher_exact([[base, base_n - base], [new, new_n - new]]).pvalue
    assert fisher_exact(*table) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@settings(deadline=None)
@given(tables())
def test_the_interval_holds_the_difference_and_turns_round(table: tuple[int, int, int, int]) -> None:
    base, base_n, new, new_n = table
    found, back = difference_interval(*table, 0.95), difference_interval(new, new_n, base, base_n, 0.95)
    assert -1 - 1e-9 <= found.lower <= new / new_n - base / base_n <= found.upper <= 1 + 1e-9
    assert (found.lower, found.upper) == pytest.approx((-back.upper, -back.lower))


def test_the_interval_is_that_of_newcombes_table() -> None:
    # Table II of the paper, method 10, row (a): 56 of 70 less 48 of 80.
    found = difference_interval(48, 80, 56, 70, 0.95)
    assert (found.lower, found.upper) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("base", "n"), [(0, 400), (8, 400), (0, 100)])
def test_a_noticeable_share_is_noticed_in_four_of_five(base: int, n: int) -> None:
    share = noticeable_share(base, n, n, 0.01, 0.8)
    assert share is not None
    drawn = np.random.default_rng(1).binomial(n, share, 2_000)
    told = {k: fisher_exact(base, n, int(k), n) < 0.01 and k > base for k in np.unique(drawn)}
    # Three standard errors of 2,000 draws.
    assert np.mean([told[k] for k in drawn]) == pytest.approx(0.8, abs=0.027)


def test_what_cannot_be_told_has_no_noticeable_share() -> None:
    assert noticeable_share(0, 2, 2, 0.01, 0.8) is None
    assert noticeable_share(400, 400, 400, 0.01, 0.8) is None


@pytest.mark.parametrize("table", [(1, 0, 0, 1), (3, 2, 0, 1), (0, 1, -1, 1)])
def test_what_is_no_proportion_is_refused(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="is no proportion"):
        fisher_exact(*table)
