"""The E-divisive of Apache Otava, the field's engine, and ours on the same histories."""

from __future__ import annotations

import numpy as np
import pytest
from otava.analysis import compute_change_points

from tests.bench.history_simulation import history
from web_terminal_suite.bench.stats.change_points import change_points

P_VALUE, LEAST = 0.001, 0.05
"""Otava's default significance; our noise threshold as its magnitude."""


def ours(values) -> list[int]:
    return [step.index for step in change_points(values, np.random.default_rng(1), least=LEAST)]


def otavas(values) -> list[int]:
    found, _ = compute_change_points(
        [float(each) for each in values], window_len=50, max_pvalue=P_VALUE, min_magnitude=LEAST
    )
    return [int(each.index) for each in found]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("runs", "last"), [(20, 10), (30, 12), (100, 40)])
def test_both_find_a_clear_step_in_the_same_place(runs, last, seed):
    values = history(np.random.default_rng(seed), runs, 0.0, last, 1.5)
    assert ours(values) == [runs - last]
    assert runs - last in otavas(values)


def test_both_find_a_regression_and_its_repair():
    values = history(np.random.default_rng(1), 60, 0.0)
    values[20:40] *= 1.5
    assert ours(values) == otavas(values) == [20, 40]


def test_correlation_is_no_step_to_ours():
    """Where they differ: Otava's t-test takes runs for independent."""
    false = {ours: 0, otavas: 0}
    for seed in range(40):
        values = history(np.random.default_rng(seed), 100, 0.5)
        for engine in false:
            false[engine] += bool(engine(values))
    assert false[ours] <= 4
    assert false[otavas] > 2 * false[ours]
