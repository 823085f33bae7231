"""A cell goes on until it is precise enough: the question between runner and statistics."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np
import pytest

from tests.bench.records import MS, P95_100_MS, facts, samples, trial
from web_terminal.bench.analysis.sufficiency import Sufficiency
from web_terminal.bench.benchmark import declare, sample
from web_terminal.bench.clock import now_ns
from web_terminal.bench.plan import Options, make_plan
from web_terminal.bench.progress import Silent
from web_terminal.bench.runner import carry_out
from web_terminal.bench.samples import Metric, Trial
from web_terminal.bench.terminals.raw_pty import RawPty
from web_terminal.bench.terminals.terminal import Capability


def noisy(n: int, block: int = 0) -> Trial:
    return trial(samples((np.random.default_rng(block).lognormal(0, 1, n) * MS).astype(int).tolist()), block=block)


def test_a_look_is_due_at_checkpoints_only() -> None:
    enough = Sufficiency(0.0001, 0.95)
    plain = facts(Metric(name="latency"))
    cell = noisy(1).cell
    assert [enough.is_due(cell, n) for n in (1, 99, 100)] == [False, False, True]
    assert not enough.is_enough(plain, [noisy(100)])
    assert [enough.is_due(cell, n) for n in (101, 149, 150)] == [False, False, True]


def test_a_clear_target_is_enough_and_a_near_one_is_not() -> None:
    assert Sufficiency(0.001, 0.95).is_enough(facts(), [noisy(60), noisy(60, 1)])
    near = Metric(name="latency", targets={"*": P95_100_MS})
    slow = [trial(samples((np.random.default_rng(2).lognormal(0, 1, 200) * 20 * MS).astype(int).tolist()))]
    assert not Sufficiency(0.001, 0.95).is_enough(facts(near), slow)


def test_a_narrow_interval_is_enough() -> None:
    steady = trial(samples((np.random.default_rng(3).normal(5, 0.01, 200) * MS).astype(int).tolist()))
    plain = facts(Metric(name="latency"))
    assert Sufficiency(0.1, 0.95).is_enough(plain, [steady])
    assert not Sufficiency(0.0001, 0.95).is_enough(plain, [steady])


def test_what_has_no_latency_needs_no_look() -> None:
    assert Sufficiency(0.1, 0.95).is_enough(facts(Metric(name="m", kind="level")), [trial()])


class Counted:
    """Enough at so many operations; notes what it was shown."""

    def __init__(self, operations: int) -> None:
        self.operations = operations
        self.shown: list[tuple[int, ...]] = []

    def is_due(self, cell: object, measured: int) -> bool:
        return measured >= self.operations

    def is_enough(self, facts: object, trials: object) -> bool:
        self.shown.append(tuple(len(each.samples) for each in trials))  # type: ignore[attr-defined]
        return True


@pytest.mark.parametrize(("operations", "expected"), [(3, 3), (30, 30)])
async def test_the_runner_goes_on_until_told(operations: int, expected: int) -> None:
    @asynccontextmanager
    async def prepare(stage):  # type: ignore[no-untyped-def]
        async def operate():  # type: ignore[no-untyped-def]
            return sample(now_ns(), now_ns() + 1)

        yield operate

    one = declare("floors/one", "one", "much", prepare, frozenset({Capability.LOCAL_PTY}), is_floor=True)
    options = Options(sample_size=10, warm_up_seconds=0.0, measurement_seconds=60.0, blocks=2)
    trials: list[Trial] = []
    enough = Counted(operations)
    await carry_out(make_plan([one], [RawPty()], (), options), trials.append, Silent(), 0.5, enough)
    counts = [sum(str(each.phase) == "measure" for each in trial.samples) for trial in trials]
    # The second block is told at once: the cell has enough already.
    assert counts == [expected, 1]
    assert len(enough.shown) == 2
    assert len(enough.shown[1]) == 2
