"""Operations of ``command_execution``, ``session_creation`` and ``floors``, once or twice, on the real thing."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import replace
from functools import partial

import pytest

from tests.bench.operations import context_on, operated
from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import carry_out
from web_terminal_suite.bench.samples import Outcome, Phase, Sample
from web_terminal_suite.bench.suites import session_creation
from web_terminal_suite.bench.suites.catalogue import CATALOGUE
from web_terminal_suite.bench.terminals.loopback import Loopback
from web_terminal_suite.bench.terminals.raw_pty import RawPty
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.bench.workload.command_lines import LENGTHS, command_lines
from web_terminal_suite.bench.workload.cpu_affinity import separate_processors
from web_terminal_suite.bench.workload.memory import FULL_LOG
from web_terminal_suite.client.errors import Closed

BY_ID = {benchmark.id: benchmark for benchmark in CATALOGUE}
# One or two operations tell whether an operation is what it says; how fast it is, is for benchmarks.
ONCE = Options(sample_size=2, warm_up_seconds=0.0, measurement_seconds=0.0, blocks=1, seed=2)
SMALL = (
    "^command_execution", "create_session_basic", "multi_user", "with_config", "session_lookup/1$", "in_process/1$",
    "state_operations", "destroy_session", "full_lifecycle", "concurrent_session_creation/10$",
)  # fmt: skip


async def trials_of(terminals, *filters, catalogue=CATALOGUE):
    trials = []
    plan = make_plan(catalogue, terminals, filters, ONCE)
    few = tuple(replace(slot, operations=2, least=2) for slot in plan.together[0])
    plan = replace(plan, together=(few,))
    await carry_out(plan, trials.append, NoProgress())
    assert {trial.cell for trial in trials} == set(plan.cells)
    return trials


@pytest.mark.parametrize(
    ("id", "parameter", "statistic", "limit", "goal"),
    [
        ("command_execution/execute_echo_simple", "*", "p95", 100e6, 3e6),
        ("command_execution/pty_spawn_time", "*", "p95", 50e6, 5e6),
        ("session_creation/create_session_basic", "*", "p95", 200e6, 10e6),
        ("session_creation/session_lookup", "*", "p95", 10e6, 1e6),
        ("session_creation/concurrent_session_creation", "100", "p50", 5e9, 0.4e9),
    ],
)
def test_targets_are_those_promised(id, parameter, statistic, limit, goal):
    target = BY_ID[id].facts.metrics[0].targets[parameter]
    assert (target.statistic, target.limit, target.goal, target.below) == (statistic, limit, goal, True)


def test_memory_targets():
    slope, full_log, base = BY_ID["session_creation/session_memory_footprint"].facts.metrics
    assert (slope.targets["*"].limit * 1000, slope.targets["*"].goal * 1000) == (100e6, 10e6)
    assert (full_log.targets["*"].limit, full_log.targets["*"].goal * 1000) == (None, 100e6)
    assert (base.targets["*"].limit, base.targets["*"].goal) == (100e6, 60e6)


async def test_every_operation_works_on_our_server_and_leaves_nothing():
    for trial in await trials_of([WebTerminal(), RawPty()], *SMALL):
        assert trial.problem == "", trial.cell
        assert trial.warnings == (), trial.cell
        assert trial.samples, trial.cell
        for sample in trial.samples:
            assert (sample.outcome, sample.reason) == (Outcome.OK, ""), trial.cell
            marks = sorted(sample.marks.values())
            assert sample.due_ns <= sample.sent_ns < sample.seen_ns
            assert all(sample.sent_ns < mark <= sample.seen_ns for mark in marks), trial.cell
        assert {sample.phase for sample in trial.samples} == {Phase.WARMUP, Phase.MEASURE}


@pytest.mark.parametrize("length", LENGTHS)
def test_a_command_line_has_its_length_and_its_output_is_not_in_it(length):
    lines = list(itertools.islice(command_lines(int(length)), 50))
    assert {len(line) for line, _ in lines} == {int(length)}
    assert all(output not in line for line, output in lines)
    assert lines == list(itertools.islice(command_lines(int(length)), 50))


async def test_the_floors_work():
    for trial in await trials_of([RawPty()], "raw_pty_echo", "raw_pty_drain/1MB", "bare"):
        assert trial.problem == "", trial.cell
        assert all(sample.outcome is Outcome.OK for sample in trial.samples), trial.cell


async def test_a_bare_ping_pong_works_by_either_client():
    benchmark = BY_ID["floors/loopback_ping_pong"]
    async with Loopback().launch() as running:
        for parameter in benchmark.facts.parameters:
            assert len((await operated(benchmark, running, parameter)).samples) == 2


@pytest.mark.parametrize("parameter", ["", "blocking"])
async def test_a_bare_ping_fails_when_the_other_end_is_gone(parameter):
    benchmark = BY_ID["floors/loopback_ping_pong"]
    async with Loopback().launch() as running, benchmark.prepare(context_on(running, parameter)) as operate:
        assert isinstance(await operate(), Sample)
        os.kill(running.process.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(Closed, match="loopback hung up"):
                await operate()


async def test_processors_are_shared_again_after_a_floor_had_one_for_each_side():
    usable = os.sched_getaffinity(0)
    async with Loopback().launch() as running:
        with separate_processors(context_on(running)):
            ours, theirs = os.sched_getaffinity(0), os.sched_getaffinity(running.process.pid)
            if len(usable) > 1:
                assert (ours, theirs) == ({min(usable)}, {max(usable)})
        assert os.sched_getaffinity(0) == os.sched_getaffinity(running.process.pid) == usable
        os.kill(running.process.pid, signal.SIGKILL)
        with separate_processors(context_on(running)):
            pass
    assert os.sched_getaffinity(0) == usable


def test_a_spawn_is_compared_with_a_bare_one():
    (latency,) = BY_ID["command_execution/pty_spawn_time"].facts.metrics
    target = latency.floor_targets["*"]
    assert (target.statistic, target.limit, target.goal) == ("ratio_p95", None, 1.3)


async def test_memory_is_a_line_over_sessions_and_more_with_a_full_log():
    few = partial(session_creation.session_memory_footprint, steps=(10, 20), full_logs=20)
    footprint = replace(BY_ID["session_creation/session_memory_footprint"], prepare=few)
    (trial,) = await trials_of([WebTerminal()], "memory_footprint/200", catalogue=(footprint,))
    assert trial.problem == ""
    line = [(point.x, point.y) for point in trial.points if point.metric == "server PSS per session"]
    assert [x for x, _ in line] == [0, 10, 20]
    assert all(y > 1_000_000 for _, y in line)
    (full_log,) = [point.y for point in trial.points if point.metric == FULL_LOG]
    # Our log keeps 256 KiB. Libraries are shared with whatever else runs, so memory differs by a few megabytes.
    assert 100_000 < full_log < 600_000
