"""When enough was measured, and what looking often costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal.bench.stats.series import Series
from web_terminal.bench.stats.stopping import Aim, Stop, checkpoint, decide, look_level


def at(values: object, aim: Aim, look: int = 1, elapsed: float = 0.0) -> Stop:
    return decide(
        Series(values), aim, look, elapsed_seconds=elapsed, budget_seconds=1.0, level=0.95  # type: ignore[arg-type]
    ).stop  # fmt: skip


def test_a_clear_side_stops_either_way() -> None:
    values = np.random.default_rng(1).lognormal(0, 0.5, 100)
    assert at(values, Aim(0.95, limit=50.0)) is Stop.CLEAR
    assert at(values, Aim(0.95, limit=0.5)) is Stop.CLEAR
    assert at(values, Aim(0.95, limit=2.3)) is Stop.GO_ON


def test_a_narrow_interval_stops() -> None:
    values = np.random.default_rng(2).normal(100, 1, 500)
    assert at(values, Aim(0.5, relative_width=0.05)) is Stop.NARROW
    assert at(values, Aim(0.5, relative_width=0.0001)) is Stop.GO_ON
    assert at(values, Aim(0.5, limit=100.0, relative_width=0.0)) is Stop.GO_ON


def test_time_stops_whatever_is_known() -> None:
    decision = decide(Series([1.0] * 5), Aim(0.95), 1, elapsed_seconds=1.0, budget_seconds=1.0, level=0.95)
    assert (decision.stop, decision.interval) == (Stop.TIME, None)
    assert at([1.0, 2.0], Aim(0.95), elapsed=0.5) is Stop.GO_ON


def test_failures_are_never_narrow() -> None:
    assert at([1.0] * 80 + [np.inf] * 20, Aim(0.95, relative_width=0.5)) is Stop.GO_ON
    assert at([1.0] * 80 + [np.inf] * 20, Aim(0.95, limit=5.0)) is Stop.CLEAR


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
        wrong += Stop.CLEAR in stops
    # 5 % at most, and two and a half standard errors; looks at 95 % each would be wrong in about 15 %.
    assert wrong / repeats <= 0.08
