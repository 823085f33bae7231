"""Steps in a history: found where they were put, seldom where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from web_terminal_suite.bench.stats import change_points


def steps(values: object, seed: int = 1, **more: float) -> list[int]:
    found = change_points.change_points(values, np.random.default_rng(seed), **more)  # type: ignore[arg-type]
    return [step.index for step in found]


def test_one_step_is_found_where_it_is() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(10, 0.3, 15), rng.normal(12, 0.3, 12)])
    (step,) = change_points.change_points(values, np.random.default_rng(1))
    assert step.index == 15
    assert step.ratio == pytest.approx(1.2, abs=0.03)
    assert (step.before, step.after) == (np.median(values[:15]), np.median(values[15:]))
    assert step.significance <= 0.01


def test_a_regression_that_was_repaired_has_two_steps() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(10, 0.2, 12), rng.normal(13, 0.2, 8), rng.normal(10, 0.2, 12)])
    assert steps(values) == [12, 20]


def test_steps_up_and_up_again() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(level, 0.2, 12) for level in (10, 12, 15)])
    assert steps(values) == [12, 24]


def test_a_wild_run_is_no_step() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(10, 0.3, 30)
    values[[7, 21]] = 90.0, 40.0
    assert steps(values) == []


@pytest.mark.parametrize("draw", ["normal", "lognormal", "exponential"])
def test_false_alarms_are_as_rare_as_stated(draw: str) -> None:
    rng = np.random.default_rng(6)
    alarms = sum(bool(steps(getattr(rng, draw)(size=14), seed)) for seed in range(60))
    # 1 % and three standard errors of 60 histories.
    assert alarms <= 3


def test_too_short_too_equal() -> None:
    assert steps([]) == []
    assert steps([1.0, 1.0, 1.0, 9.0, 9.0, 9.0]) == []
    assert steps([5.0] * 30) == []


def test_small_steps_are_not_marked_where_they_do_not_matter() -> None:
    values = [100.0 + 0.01 * (i % 3) for i in range(12)] + [102.0 + 0.01 * (i % 3) for i in range(12)]
    assert steps(values) == [12]
    assert steps(values, least=0.05) == []


def test_the_same_history_gives_the_same_steps_and_only_its_end_is_searched() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate([rng.normal(50, 1, 300), rng.normal(60, 1, 20)])
    assert steps(values, 3) == steps(values, 3) == [300]


def test_what_is_no_history_is_refused() -> None:
    with pytest.raises(ValueError, match="leave runs without a value out"):
        steps([1.0, np.inf])
