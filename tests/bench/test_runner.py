"""The runner: what it keeps of operations that fail, of terminals that die or never start, and of what is left."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.leftovers import Leftovers
from web_terminal_suite.bench.benchmark import Benchmark, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import carry_out
from web_terminal_suite.bench.samples import Metric, Outcome, Phase, Point, Target
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.bench.suites.floors import BENCHMARKS as FLOORS
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.processes import LaunchFailed, is_gone, tree
from web_terminal_suite.bench.terminals.raw_pty import RawPty, local_pty
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.client.errors import Closed, TimedOut, Violated

OPTIONS = Options(sample_size=20, warm_up_seconds=0.0, measurement_seconds=5.0, blocks=2, seed=1)
PTY = frozenset({Capability.LOCAL_PTY})
NULL = frozenset({Capability.NO_SHELL})


def benchmark(operate, needs=PTY, **more):
    @asynccontextmanager
    async def prepare(context):
        async def act():
            return await operate(context)

        yield act

    return Benchmark(
        id="floors/test", description="Test.", limitations="All.", prepare=prepare, needs=needs, is_floor=True, **more
    )


async def run(benchmarks, terminals, options=OPTIONS):
    trials = []
    await carry_out(make_plan(benchmarks, terminals, (), options), trials.append, NoProgress(), residue_seconds=0.5)
    return trials


async def test_every_operation_is_kept_and_warm_up_is_labelled():
    async def operate(context):
        assert not gc.isenabled()
        began_ns = now_ns()
        return sample(began_ns, now_ns(), mark=began_ns)

    trials = await run([benchmark(operate)], [RawPty()])
    assert [trial.block for trial in trials] == [0, 1]
    for trial in trials:
        assert trial.problem == ""
        assert [each.phase for each in trial.samples] == [Phase.WARMUP] + [Phase.MEASURE] * 10
        assert trial.usage.elapsed_ns > 0
        assert trial.usage.client_cpu_ns > 0
        assert trial.usage.server_cpu_ns is None
    assert gc.isenabled()


async def test_time_ends_a_trial_but_not_before_its_targets_can_be_judged():
    async def operate(context):
        return sample(now_ns(), now_ns())

    target = Target(statistic="p95", limit=1e9)
    slow = Options(sample_size=500, warm_up_seconds=0.0, measurement_seconds=0.0, blocks=1)
    judged = benchmark(operate, metrics=(Metric(name="latency", targets={"*": target}),))
    for each, count in ((benchmark(operate), 1), (judged, 72)):
        trial = (await run([each], [RawPty()], slow))[0]
        assert sum(sample.phase is Phase.MEASURE for sample in trial.samples) == count


async def test_a_block_of_fast_operations_goes_on_for_its_least_time():
    async def operate(context):
        began_ns = now_ns()
        return sample(began_ns, now_ns())

    for trial in await run([benchmark(operate, block_seconds=0.05)], [RawPty()]):
        measured = [each for each in trial.samples if each.phase is Phase.MEASURE]
        assert len(measured) > OPTIONS.sample_size / OPTIONS.blocks
        assert measured[-1].seen_ns - measured[0].due_ns > 0.04e9


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimedOut("marker", 1), Outcome.TIMEOUT),
        (Closed(1006, "gone"), Outcome.CLOSED),
        (Violated("wrong bytes"), Outcome.WRONG),
    ],
)
async def test_a_failed_operation_is_a_sample_with_its_outcome(error, outcome):
    calls = []

    async def operate(context):
        calls.append(1)
        if len(calls) == 5:
            raise error
        return sample(now_ns(), now_ns())

    trial = (await run([benchmark(operate)], [RawPty()]))[0]
    failed = [each for each in trial.samples if each.outcome is not Outcome.OK]
    assert [(each.outcome, each.reason) for each in failed] == [(outcome, str(error))]
    assert trial.problem == ""
    assert sum(each.phase is Phase.MEASURE for each in trial.samples) == 10


async def test_three_failures_in_a_row_end_a_trial():
    async def operate(context):
        raise TimedOut("anything", 1)

    trial = (await run([benchmark(operate)], [RawPty()]))[0]
    assert len(trial.samples) == 3
    assert "3 failures in a row: no anything within 1 s" in trial.problem


async def test_a_cell_whose_time_is_over_gets_no_further_block_and_neither_does_what_it_is_compared_with():
    async def operate(context):
        if context.running.terminal.name == "slow":
            await asyncio.sleep(1)
        return sample(now_ns(), now_ns())

    class Slow(NullServer):
        name = "slow"

    told = []

    class Telling(NoProgress):
        def again(self, trials):
            told.append(trials)

    trials = []
    options = replace(OPTIONS, blocks=4, cell_seconds=0.9)
    plan = make_plan([benchmark(operate, NULL, one_shot=True)], [NullServer(), Slow()], (), options)
    await carry_out(plan, trials.append, Telling(), residue_seconds=0.5)
    assert Counter(trial.cell.terminal for trial in trials) == {"null-server": 1, "slow": 1}
    assert told == [-2, -2, -2]


async def test_a_process_left_behind_voids_the_trial():
    left = []

    async def operate(context):
        if not left:
            keeper = local_pty(("/bin/sleep", "600"))
            keeper.__enter__()
            left.append(keeper)
        return sample(now_ns(), now_ns())

    try:
        trials = await run([benchmark(operate)], [RawPty()])
        assert [trial.problem for trial in trials] == ["left behind: 1 processes", ""]
    finally:
        left[0].__exit__(None, None, None)


async def test_a_terminal_that_dies_or_does_not_start_leaves_the_others_alone():
    class Dead(NullServer):
        name = "dead"

        @asynccontextmanager
        async def launch(self):
            raise LaunchFailed("no such thing")
            yield

    class Dying(NullServer):
        name = "dying"

    async def operate(context):
        if context.running.terminal.name == "dying":
            os.kill(context.running.process.pid, signal.SIGKILL)
            async with asyncio.timeout(5):
                while not context.running.died:
                    await asyncio.sleep(0)
            raise Closed(1006, "gone")
        return sample(now_ns(), now_ns())

    trials = await run([benchmark(operate, NULL)], [NullServer(), Dead(), Dying()])
    by_name = {(trial.cell.terminal, trial.block): trial for trial in trials}
    for block in (0, 1):
        assert by_name["dead", block].problem == "did not start: no such thing"
        assert "ended with -9" in by_name["dying", block].problem
        assert by_name["null-server", block].problem == ""


async def test_readings_are_points():
    async def operate(context):
        return (Point("level", 0, 5.0),)

    trials = await run([benchmark(operate, one_shot=True)], [RawPty()])
    assert [trial.points for trial in trials] == [(Point("level", 0, 5.0),)] * 2


async def test_cancelling_keeps_what_was_finished_and_ends_what_was_started():
    trials, reached, pids = [], asyncio.Event(), []

    async def operate(context):
        if trials:
            pids.extend(facts.pid for facts in tree(context.running.process.pid))
            reached.set()
            await asyncio.Event().wait()
        return sample(now_ns(), now_ns())

    plan = make_plan([benchmark(operate, NULL)], [NullServer()], (), OPTIONS)
    leftovers = Leftovers()
    task = asyncio.create_task(carry_out(plan, trials.append, NoProgress()))
    await asyncio.wait_for(reached.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(trials) == 1
    assert pids
    assert all(is_gone(pid) for pid in pids)
    assert leftovers.pids() == []
    assert gc.isenabled()


def test_the_proof_is_in_the_catalogue():
    assert {each.id for each in FLOORS} >= {"floors/null_server", "floors/known_delay"}
    assert {each.id for each in FLOORS} <= {each.id for each in CATALOGUE}
