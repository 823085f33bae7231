"""When enough was measured, and what looking often costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.quantiles import interval
from web_terminal_suite.bench.stats.series import Series
from web_terminal_suite.bench.stats.stopping import (
    Aim,
    OperationRate,
    StopDecision,
    checkpoint,
    decide,
    look_level,
    pace,
)


def at(values: object, aim: Aim, look: int = 1, elapsed: float = 0.0) -> StopDecision:
    blocks = [np.asarray(values)[number::5] for number in range(5)]
    return decide(
        blocks, aim, look, elapsed_seconds=elapsed, budget_seconds=1.0, level=0.95
    ).stop  # fmt: skip


def test_a_clear_side_stops_either_way() -> None:
    values = np.random.default_rng(1).lognormal(0, 0.5, 100)
    assert at(values, Aim(0.95, limit=50.0)) is StopDecision.CLEAR
    assert at(values, Aim(0.95, limit=0.5)) is StopDecision.CLEAR
    assert at(values, Aim(0.95, limit=2.3)) is StopDecision.GO_ON


def test_a_narrow_interval_stops() -> None:
    values = np.random.default_rng(2).normal(100, 1, 500)
    assert at(values, Aim(0.5, relative_width=0.05)) is StopDecision.NARROW
    assert at(values, Aim(0.5, relative_width=0.0001)) is StopDecision.GO_ON
    assert at(values, Aim(0.5, limit=100.0, relative_width=0.0)) is StopDecision.GO_ON


def test_time_stops_whatever_is_known() -> None:
    decision = decide([[1.0]] * 5, Aim(0.95), 1, elapsed_seconds=1.0, budget_seconds=1.0, level=0.95)
    assert (decision.stop, decision.interval) == (StopDecision.TIME, None)
    assert at([1.0, 2.0], Aim(0.95), elapsed=0.5) is StopDecision.GO_ON


def test_few_blocks_never_stop_before_the_time_is_up() -> None:
    values = np.random.default_rng(2).normal(100, 1, 500)
    decision = decide([values[number::4] for number in range(4)], Aim(0.5, relative_width=0.5), 1,
                      elapsed_seconds=0.5, budget_seconds=1.0, level=0.95)  # fmt: skip
    assert (decision.stop, decision.interval) == (StopDecision.GO_ON, None)


def test_failures_are_never_narrow() -> None:
    assert at([1.0] * 80 + [np.inf] * 20, Aim(0.95, relative_width=0.5)) is StopDecision.GO_ON
    assert at([1.0] * 80 + [np.inf] * 20, Aim(0.95, limit=5.0)) is StopDecision.CLEAR


@settings(deadline=None)
@given(st.floats(0.5, 0.999), st.integers(1, 200))
def test_all_looks_together_spend_the_error_once(level: float, looks: int) -> None:
    assert sum(1 - look_level(level, look) for look in range(1, looks + 1)) <= 1 - level + 1e-12


def test_checkpoints_grow() -> None:
    assert [checkpoint(look) for look in range(1, 6)] == [100, 150, 225, 338, 507]
    for refused in (checkpoint, lambda look: look_level(0.95, look)):
        with pytest.raises(ValueError, match="is below 1"):
            refused(0)


@pytest.mark.parametrize(("q", "width", "complaint"), [(95, 0.1, "write 0.95"), (0.95, -1, "is negative")])
def test_an_aim_is_checked(q: float, width: float, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Aim(q, relative_width=width)


def test_looking_often_does_not_make_wrong_verdicts_frequent() -> None:
    """The true p95 lies exactly at the limit: every clear verdict is wrong, and looks are many."""
    rng, wrong, repeats = np.random.default_rng(3), 0, 300
    aim = Aim(0.95, limit=float(np.exp(1.6448536)), relative_width=0.0)
    for _ in range(repeats):
        values = rng.lognormal(0, 1, checkpoint(8))
        stops = (at(values[: checkpoint(look)], aim, look) for look in range(1, 9))
        wrong += StopDecision.CLEAR in stops
    # 5 % at most, and two and a half standard errors; looks at 95 % each would be wrong in about 15 %.
    assert wrong / repeats <= 0.08


def test_a_pace_is_short_where_all_limits_are_clear_and_long_where_one_is_not() -> None:
    values = Series(np.random.default_rng(4).lognormal(0, 0.5, 400))
    assert pace(values, 0.95, [50.0]) is OperationRate.SHORT
    assert pace(values, 0.95, [0.5]) is OperationRate.SHORT
    assert pace(values, 0.95, [50.0, 30.0]) is OperationRate.SHORT
    # The target is clear, the goal is not.
    assert pace(values, 0.95, [50.0, 2.3]) is OperationRate.LONG
    assert pace(Series([1.0] * 148 + [math.inf] * 60), 0.95, [5.0]) is OperationRate.SHORT
    # At 99.9 % p95 is bounded on both sides from 149 values on; before that nothing is said.
    assert pace(Series(values.values[:147]), 0.95, [50.0]) is OperationRate.USUAL


def paced(rng: np.random.Generator, limit: float) -> tuple[Series, int]:
    """Five blocks of a log-normal cell, each as long as the looks before it say; and how many were short."""
    values, short = rng.lognormal(0, 1, 80), 0
    for _ in range(4):
        found = pace(Series(values), 0.95, [limit])
        short += found is OperationRate.SHORT
        count = {OperationRate.SHORT: 40, OperationRate.USUAL: 80, OperationRate.LONG: 400}[found]
        values = np.concatenate([values, rng.lognormal(0, 1, count)])
    return Series(values), short


def test_looks_between_blocks_leave_the_verdict_at_the_end_as_true_as_without_them() -> None:
    """The true p95 lies exactly at the limit: every verdict is wrong, and a plain interval is so in at most 5 %."""
    truth, rng, repeats = float(np.exp(1.6448536)), np.random.default_rng(5), 400
    wrong = 0
    for _ in range(repeats):
        found = interval(paced(rng, truth)[0], 0.95, 0.95)
        assert isinstance(found, Interval)
        wrong += not found.lower < truth <= found.upper
    # 5 %, and two and a half standard errors.
    assert wrong / repeats <= 0.0775


def test_looks_between_blocks_spend_the_time_where_it_decides() -> None:
    truth, rng, repeats = float(np.exp(1.6448536)), np.random.default_rng(6), 100
    far = [paced(rng, truth * 10) for _ in range(repeats)]
    assert all(short == 3 and len(series) == 280 for series, short in far)
    near = [paced(rng, truth * 1.3)[0] for _ in range(repeats)]
    ends = [interval(series, 0.95, 0.95) for series in near]
    decided = sum(found.upper < truth * 1.3 for found in ends if isinstance(found, Interval))
    # 400 operations whatever was found decide 57 % of such cells.
    assert decided / repeats > 0.85
