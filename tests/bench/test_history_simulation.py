"""Steps in simulated histories, as often as docs/benchmarks.md says; the whole table takes minutes and is a command."""

from __future__ import annotations

import pytest

from tests.bench.history_simulation import NOISES, false_steps, found_drifts, found_steps

HISTORIES = 40


@pytest.mark.parametrize("runs", [20, 100])
def test_a_doubling_is_marked_after_three_runs(runs):
    assert found_steps(runs, 3, 2.0, HISTORIES) == 100
    assert found_steps(runs, 3, 2.0, HISTORIES, correlation=0.5) >= 90


@pytest.mark.parametrize("runs", [20, 100])
def test_correlated_runs_seldom_show_a_step(runs):
    # 5 % of 40, and two standard errors.
    assert false_steps(runs, HISTORIES, correlation=0.5) <= 12.5
    assert false_steps(runs, HISTORIES) <= 5


@pytest.mark.parametrize("noise", NOISES)
def test_other_noise_seldom_shows_a_step(noise):
    assert false_steps(30, HISTORIES, of=noise) <= 12.5


def test_a_slow_drift_is_marked_within_twenty_runs():
    assert found_drifts(20, 0.02, HISTORIES) >= 90
