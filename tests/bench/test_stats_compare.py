"""Ratios, corrections and proportions, against scipy, their definitions and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.bench.stats import multiple_comparisons, ratios
from web_terminal_suite.bench.stats.blocks import TooFewBlocks
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.proportion_intervals import clopper_pearson
from web_terminal_suite.bench.stats.ratios import ChangeVerdict, Ratio

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def found(base: object, new: object, q: float | None, seed: int = 1, paired: bool = False) -> Ratio:
    rng = np.random.default_rng(seed)
    answer = ratios.ratio(base, new, q, 0.95, paired=paired, resamples=400, rng=rng)  # type: ignore[arg-type]
    assert isinstance(answer, Ratio)
    return answer


def trials(rng: np.random.Generator, k: int, n: int, scale: float = 1.0, between: float = 0.0) -> list[np.ndarray]:
    return [scale * rng.lognormal(0, 0.3, n) * math.exp(rng.normal(0, between)) for _ in range(k)]


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("q", [0.5, 0.95, None])
def test_the_ratio_of_known_scales_is_found(q: float | None, paired: bool) -> None:
    rng = np.random.default_rng(3)
    answer = found(trials(rng, 6, 200), trials(rng, 6, 200, 1.5), q, paired=paired)
    assert answer.interval.lower < 1.5 < answer.interval.upper
    assert answer.interval.lower > 1.2
    assert answer.value == pytest.approx(1.5, rel=0.1)
    assert (answer.paired, answer.units) == (paired, "trials")


def test_unpaired_interval_is_welchs_on_the_logarithms() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(4)
    base, new = trials(rng, 5, 80, between=0.1), trials(rng, 6, 90, between=0.3)
    logs = [np.log([np.quantile(each, 0.95, method="inverted_cdf") for each in side]) for side in (base, new)]
    answer, expected = found(base, new, 0.95), ttest_ind(logs[1], logs[0], equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert answer.log == pytest.approx(logs[1].mean() - logs[0].mean())
    assert (answer.interval.lower, answer.interval.upper) == pytest.approx((math.exp(ends.low), math.exp(ends.high)))
    assert (answer.error, answer.freedom) == pytest.approx((answer.log / expected.statistic, expected.df))


def test_few_blocks_have_no_interval() -> None:
    rng = np.random.default_rng(8)
    for paired, one, two in ((False, 5, 4), (False, 1, 5), (True, 4, 4)):
        answer = ratios.ratio(trials(rng, one, 100), trials(rng, two, 100), 0.5, 0.95, paired=paired, resamples=100,
                              rng=rng)  # fmt: skip
        assert isinstance(answer, TooFewBlocks)
        assert answer.have == min(one, two)
    assert str(TooFewBlocks(4)) == "4 blocks, an interval needs 5"


def test_paired_interval_is_students_on_the_logarithms_where_trials_vary() -> None:
    from scipy.stats import sem, t

    rng = np.random.default_rng(5)
    base, new = trials(rng, 5, 400, between=0.5), trials(rng, 5, 400, between=0.5)
    logs = [math.log(np.quantile(b, 0.5, method="inverted_cdf") / np.quantile(a, 0.5, method="inverted_cdf"))
            for a, b in zip(base, new, strict=True)]  # fmt: skip
    lower, upper = t.interval(0.95, 4, loc=np.mean(logs), scale=sem(logs))
    answer = found(base, new, 0.5, paired=True)
    assert (answer.interval.lower, answer.interval.upper) == pytest.approx((math.exp(lower), math.exp(upper)))


def test_what_both_saw_of_a_slow_block_cancels_in_pairs() -> None:
    rng = np.random.default_rng(6)
    slow = [1.0, 3.0, 1.2, 2.0, 0.7, 1.0]
    base = [factor * rng.lognormal(0, 0.1, 100) for factor in slow]
    new = [1.3 * factor * rng.lognormal(0, 0.1, 100) for factor in slow]
    paired, unpaired = found(base, new, 0.5, paired=True), found(base, new, 0.5)
    width = [math.log(each.interval.upper / each.interval.lower) for each in (paired, unpaired)]
    assert width[0] < width[1] / 5
    assert paired.interval.lower > 1.2


def test_thin_blocks_are_pooled() -> None:
    rng = np.random.default_rng(7)
    answer = found(trials(rng, 8, 10), trials(rng, 8, 10), 0.95, paired=True)
    assert not answer.paired


def test_a_thin_sample_is_refused() -> None:
    answer = ratios.ratio([[1.0] * 30], [[1.0] * 99], 0.95, 0.95, paired=False, resamples=100,
                          rng=np.random.default_rng(0))  # fmt: skip
    assert answer == InsufficientData(30, 72)


def test_failures_are_longer_than_anything() -> None:
    fine, broken = [np.full(40, 5.0)] * 5, [np.array([5.0] * 20 + [math.inf] * 20)] * 5
    worse, better = found(fine, broken, 0.95), found(broken, fine, 0.95)
    assert (worse.value, worse.interval.lower, worse.units) == (math.inf, math.inf, "ranks")
    assert (better.value, better.interval.upper) == (0.0, 0.0)
    assert math.isnan(worse.error)
    both = found(broken, broken, 0.95)
    assert math.isnan(both.value)
    assert (both.interval.lower, both.interval.upper) == (0.0, math.inf)
    few = [*fine[:4], np.array([5.0] * 39 + [math.inf])]
    assert found(fine, few, 0.5).value == 1.0
    assert found(fine, broken, None).value == math.inf


def test_no_time_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="a statistic of 0 has no ratio"):
        found([np.zeros(100)] * 5, [np.ones(100)] * 5, 0.5)
    with pytest.raises(ValueError, match="nothing negative"):
        found([np.full(100, -1.0)], [np.ones(100)], 0.5)
    with pytest.raises(ValueError, match="2 trials and 1 are not pairs"):
        found([[1.0], [1.0]], [[1.0]], 0.5, paired=True)


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(9)
    # Blocks of fifteen have no p95 of their own and are resampled.
    base, new = trials(rng, 6, 15), trials(rng, 6, 15)
    assert found(base, new, 0.95, seed=5) == found(base, new, 0.95, seed=5)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(("k", "between"), [(5, 0.0), (5, 0.2), (8, 0.2)])
def test_false_alarms_stay_under_the_level(paired: bool, k: int, between: float) -> None:
    rng = np.random.default_rng(10)
    repeats, alarms = 120, 0
    for _ in range(repeats):
        answer = ratios.ratio(trials(rng, k, 60, between=between), trials(rng, k, 60, between=between), 0.5, 0.95,
                              paired=paired, resamples=100, rng=rng)  # fmt: skip
        assert isinstance(answer, Ratio)
        alarms += not answer.interval.lower <= 1 <= answer.interval.upper
    # 5 % and two and a half standard errors of 120 repeats.
    assert alarms / repeats <= 0.10


def test_figures_are_compared_by_welch() -> None:
    from scipy.stats import ttest_ind_from_stats

    answer, p = ratios.ratio_of_figures((100.0, 1.0, 9), (103.0, 1.0, 9), 0.95)
    assert answer.value == pytest.approx(1.03)
    assert answer.interval.lower < 1.03 < answer.interval.upper
    # The delta method is Welch's test where errors are small.
    expected = ttest_ind_from_stats(100, math.sqrt(10), 10, 103, math.sqrt(10), 10, equal_var=False).pvalue
    assert p == pytest.approx(expected, rel=0.1)
    assert ratios.ratio_of_figures((5.0, 0.0, 1), (5.0, 0.0, 1), 0.95) == (
        Ratio(1.0, Interval(1.0, 1.0, 0.95), False, "readings", 0.0, math.inf), 1.0)  # fmt: skip
    assert ratios.ratio_of_figures((5.0, 0.0, 1), (4.0, 0.0, 1), 0.95)[1] == 0.0
    with pytest.raises(ValueError, match="too near 0 for a ratio"):
        ratios.ratio_of_figures((1.0, 1.0, 9), (3.0, 1.0, 9), 0.95)


@pytest.mark.parametrize(
    ("lower", "upper", "p", "verdict"),
    [
        (1.06, 1.2, 0.001, ChangeVerdict.SLOWER),
        (1.06, 1.2, 0.2, ChangeVerdict.UNDECIDED),
        (1.04, 1.2, 0.001, ChangeVerdict.UNDECIDED),
        (0.8, 0.95, 0.001, ChangeVerdict.FASTER),
        (0.8, 0.953, 0.001, ChangeVerdict.UNDECIDED),
        (0.96, 1.05, 0.001, ChangeVerdict.EQUAL),
        (0.0, math.inf, 1.0, ChangeVerdict.UNDECIDED),
        (math.inf, math.inf, 0.001, ChangeVerdict.SLOWER),
    ],
)
def test_the_verdict_is_by_the_bounds(lower: float, upper: float, p: float, verdict: ChangeVerdict) -> None:
    assert ratios.change(Ratio(1.0, Interval(lower, upper, 0.95), False, "trials"), p, 0.05, 0.05) is verdict


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(1, 3), st.floats(0, 1), st.floats(0, 0.5))
def test_exchanging_the_sides_turns_the_verdict_around(value: float, half: float, p: float, noise: float) -> None:
    turned = {ChangeVerdict.FASTER: ChangeVerdict.SLOWER, ChangeVerdict.SLOWER: ChangeVerdict.FASTER}
    one = ratios.change(Ratio(value, Interval(value / half, value * half, 0.95), False, ""), p, 0.05, noise)
    other = ratios.change(
        Ratio(1 / value, Interval(1 / value / half, 1 / value * half, 0.95), False, ""), p, 0.05, noise
    )
    edges = [
        abs(end / edge - 1) < 1e-9 for end in (value / half, value * half) for edge in (1 + noise, 1 / (1 + noise))
    ]
    assert any(edges) or other is turned.get(one, one)


@pytest.mark.parametrize("noise", [-0.1, math.inf, math.nan])
def test_a_threshold_is_a_number(noise: float) -> None:
    with pytest.raises(ValueError, match="is not a positive number"):
        ratios.change(Ratio(1.0, Interval(1, 1, 0.95), False, ""), 1, 0.05, noise)


def test_corrections_are_scipys_and_by_hand() -> None:
    from scipy.stats import false_discovery_control

    p = [0.01, 0.04, 0.03, 0.005]
    assert multiple_comparisons.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert multiple_comparisons.benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))
    assert multiple_comparisons.holm([]).size == 0


@settings(deadline=None)
@given(PROBABILITIES)
def test_holm_is_the_step_down_definition(p: list[float]) -> None:
    n, order = len(p), sorted(range(len(p)), key=lambda i: p[i])
    expected = [0.0] * n
    for place, index in enumerate(order):
        expected[index] = min(1.0, max((n - j) * p[order[j]] for j in range(place + 1)))
    assert multiple_comparisons.holm(p) == pytest.approx(expected)


@settings(deadline=None)
@given(PROBABILITIES)
def test_corrections_never_make_anything_more_significant(p: list[float]) -> None:
    holm, bh = multiple_comparisons.holm(p), multiple_comparisons.benjamini_hochberg(p)
    assert (holm >= bh - 1e-12).all()
    assert (bh >= np.array(p) - 1e-12).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60))
def test_proportions_are_scipys(hits: int, n: int) -> None:
    from scipy.stats import binomtest

    hits = min(hits, n)
    expected = binomtest(hits, n).proportion_ci(0.95, method="exact")
    answer = clopper_pearson(hits, n, 0.95)
    assert (answer.lower, answer.upper) == pytest.approx((expected.low, expected.high))
