"""A cell goes on until it is precise enough: the question between runner and statistics."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.bench.records import MS, P95_100_MS, blocks, facts, samples, trial
from web_terminal_suite.bench.analysis.sufficiency import SAVES_NS, SHORT, Interim, Sufficiency
from web_terminal_suite.bench.benchmark import Benchmark, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import carry_out
from web_terminal_suite.bench.samples import CpuUsage, Metric, Target, Trial
from web_terminal_suite.bench.terminals.raw_pty import RawPty
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    assert Sufficiency(0.001, 0.95).is_enough(facts(), [noisy(30, block) for block in range(5)])
    assert not Sufficiency(0.001, 0.95).is_enough(facts(), [noisy(60), noisy(60, 1)])
    near = Metric(name="latency", targets={"*": P95_100_MS})
    slow = blocks(samples((np.random.default_rng(2).lognormal(0, 1, 200) * 20 * MS).astype(int).tolist()))
    assert not Sufficiency(0.001, 0.95).is_enough(facts(near), slow)


def test_a_narrow_interval_is_enough() -> None:
    steady = blocks(samples((np.random.default_rng(3).normal(5, 0.01, 200) * MS).astype(int).tolist()))
    plain = facts(Metric(name="latency"))
    assert Sufficiency(0.1, 0.95).is_enough(plain, steady)
    assert not Sufficiency(0.0001, 0.95).is_enough(plain, steady)


def test_what_has_no_latency_needs_no_look() -> None:
    assert Sufficiency(0.1, 0.95).is_enough(facts(Metric(name="m", kind="level")), [trial()])


def percentile(of: float, limit_ms: float, goal_ms: float | None = None, mark: str = "") -> Metric:
    goal = None if goal_ms is None else goal_ms * MS
    statistic = "p50" if of == 0.5 else "p95"
    target = Target(statistic=statistic, limit=limit_ms * MS, goal=goal)  # type: ignore[arg-type]
    return Metric(name=mark or "latency", mark=mark, targets={"*": target})


def test_between_blocks_a_cell_gets_less_when_every_target_is_clear_and_more_when_one_is_not() -> None:
    share = Interim().share
    found = [noisy(100), noisy(100, 1)]  # p95 about 5 ms
    assert share(facts(percentile(0.95, 100)), found) == SHORT
    assert share(facts(percentile(0.95, 0.5)), found) == SHORT
    assert share(facts(percentile(0.95, 100, 5)), found) == math.inf
    assert share(facts(percentile(0.95, 5)), found) == math.inf
    assert share(facts(percentile(0.95, 100)), found[:1]) == 1  # too little is known
    assert share(facts(percentile(0.5, 100)), found[:1]) == SHORT
    # Where nothing would be saved, a comparison would rather have the operations.
    quick = CpuUsage(elapsed_ns=SAVES_NS - 1, client_cpu_ns=0)
    assert share(facts(percentile(0.95, 100)), [found[0], msgspec.structs.replace(found[1], usage=quick)]) == 1


def test_between_blocks_a_cell_gets_the_usual_number_where_no_percentile_is_judged() -> None:
    share, blocks = Interim().share, [noisy(100), noisy(100, 1)]
    rate = Metric(name="latency", targets={"*": Target(statistic="rate", limit=1.0, below=False)})
    level = Metric(name="m", kind="level", targets={"*": Target(statistic="level", limit=1.0)})
    ratio = Metric(name="latency", floor_targets={"*": Target(statistic="ratio_p95", goal=1.3)})
    for metric in (Metric(name="latency"), rate, level, ratio):
        assert share(facts(metric), blocks) == 1
    # Beside one that is clear, what is not known keeps the usual number.
    assert share(facts(percentile(0.95, 100), level), blocks) == 1
    assert share(facts(percentile(0.95, 5), level), blocks) == math.inf


class Told:
    """A share for each block; notes what it was shown."""

    def __init__(self, *shares: float) -> None:
        self.shares = list(shares)
        self.shown: list[int] = []

    def share(self, facts: object, trials: Sequence[Trial]) -> float:
        self.shown.append(len(trials))
        return self.shares[len(trials) - 1]


@pytest.mark.parametrize(("role", "expected"), [("subject", [20, 5, 20]), ("floor", [20, 20, 20])])
async def test_the_runner_makes_blocks_as_long_as_it_is_told_and_floors_as_ever(role: str, expected: list[int]) -> None:
    @asynccontextmanager
    async def prepare(context):  # type: ignore[no-untyped-def]
        async def operate():  # type: ignore[no-untyped-def]
            return sample(now_ns(), now_ns() + 1)

        yield operate

    class Judged(RawPty):
        pass

    vars(terminal := Judged())["role"] = role
    one = Benchmark(
        id="floors/one",
        description="one",
        limitations="much",
        prepare=prepare,
        needs=frozenset({Capability.LOCAL_PTY}),
        component=True,
    )
    options = Options(sample_size=80, warm_up_seconds=0.0, measurement_seconds=240.0, blocks=4)
    plan = make_plan([one], [terminal], (), options)
    # The last block is told to take all its time: a second, in which thousands of such operations fit.
    plan = replace(plan, together=(*plan.together[:3], (replace(plan.together[3][0], measurement_seconds=1.0),)))
    trials: list[Trial] = []
    told = Told(0.25, 1.0, math.inf)
    await carry_out(plan, trials.append, NoProgress(), 0.5, interim=told)
    counts = [sum(str(each.phase) == "measure" for each in trial.samples) for trial in trials]
    assert counts[:3] == expected
    assert counts[3] > 20 if role == "subject" else counts[3] == 20
    assert told.shown == ([1, 2, 3] if role == "subject" else [])


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
    async def prepare(context):  # type: ignore[no-untyped-def]
        async def operate():  # type: ignore[no-untyped-def]
            return sample(now_ns(), now_ns() + 1)

        yield operate

    one = Benchmark(
        id="floors/one",
        description="one",
        limitations="much",
        prepare=prepare,
        needs=frozenset({Capability.LOCAL_PTY}),
        is_floor=True,
    )
    options = Options(sample_size=10, warm_up_seconds=0.0, measurement_seconds=60.0, blocks=2)
    trials: list[Trial] = []
    enough = Counted(operations)
    await carry_out(make_plan([one], [RawPty()], (), options), trials.append, NoProgress(), 0.5, enough)
    counts = [sum(str(each.phase) == "measure" for each in trial.samples) for trial in trials]
    # The second block is told at once: the cell has enough already.
    assert counts == [expected, 1]
    assert len(enough.shown) == 2
    assert len(enough.shown[1]) == 2
