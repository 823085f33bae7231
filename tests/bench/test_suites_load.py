"""Suite ``concurrent_load`` on the real thing, with few sessions: each operation is what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import msgspec
import pytest
import pytest_asyncio

from tests.bench.operations import context_on, operated, readings
from web_terminal_suite.bench.machine.kernel import read_limits
from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.suites import concurrent_load
from web_terminal_suite.bench.suites.concurrent_load import BENCHMARKS
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.bench.workload import teardown
from web_terminal_suite.bench.workload.capacity import NotFeasible, shortage
from web_terminal_suite.bench.workload.churn import CYCLES
from web_terminal_suite.bench.workload.mixed import KINDS, OPERATIONS
from web_terminal_suite.bench.workload.ramp import keys, keys_per_second

BY_NAME = {benchmark.id.split("/")[1]: benchmark for benchmark in BENCHMARKS}
module = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    async with WebTerminal().launch() as each:
        yield each


def test_targets_are_those_promised():
    found = {
        (name, metric.name): (target.statistic, target.limit, target.goal, target.below)
        for name, benchmark in BY_NAME.items()
        for metric in benchmark.facts.metrics
        for key, target in metric.targets.items()
        if key in ("*", "10000")
    }
    promised = {
        ("concurrent_sessions_scale", "keystroke echo"): ("p95", 20e6, 2e6, True),
        ("concurrent_sessions_scale", "sessions"): ("level", 10_000, None, False),
        ("concurrent_sessions_scale", "idle server CPU per session"): ("level", 50e6, 100e3, True),
        ("memory_usage_1000_sessions", "server PSS per session"): ("slope", 100e3, 10e3, True),
        ("cleanup_1000_sessions", "left after 5 s"): ("level", 1, None, True),
        ("cleanup_1000_sessions", "left after 0.5 s"): ("level", None, 1, True),
    }
    assert promised.items() <= found.items()


@module
async def test_a_ramp_ends_when_every_shell_has_spoken(running):
    found = await operated(BY_NAME["concurrent_sessions_scale"], running, "12")
    assert readings(found, "sessions") == [12]
    assert len(found.samples) == 100
    due = [sample.due_ns for sample in found.samples]
    assert {later - earlier for earlier, later in itertools.pairwise(due)} == {5_000_000}
    assert 0 < readings(found, "sessions per second")[0] < 500
    assert 0 <= readings(found, "idle server CPU per session")[0] < 2e9
    # Twelve are too few for a percentile.
    assert readings(found, "session start p95") == []
    assert readings(found, "shells left") == [0]
    assert readings(found, "clean-up")[0] > 0


@module
async def test_cycles_leave_nothing_and_weigh_the_server_after_each(running):
    found = await operated(BY_NAME["session_cycles"], running, "4")
    weighed = [point for point in found.points if point.metric == "server PSS over cycles"]
    assert [point.x for point in weighed] == list(range(1, CYCLES + 1))
    assert all(point.y > 1e6 for point in weighed)
    assert len(found.samples) == CYCLES
    async with running.rest() as api:
        assert (await api.call("GET", "/sessions")).json()["total"] == 0


def test_a_fuller_house_is_typed_into_faster():
    assert [(keys_per_second(count), keys(count)) for count in (12, 1000, 10_000)] == [
        (200, 100), (200, 500), (1600, 5000)
    ]  # fmt: skip


@module
async def test_a_ramp_of_a_server_that_refuses_says_so():
    async with WebTerminal(("--max-sessions", "5")).launch() as small:
        async with BY_NAME["concurrent_sessions_scale"].prepare(context_on(small, "8")) as operate:
            found = await operate()
        assert readings(found, "sessions") == [5]
        failed = [sample for sample in found.samples if sample.outcome is not Outcome.OK]
        assert len(failed) == 3
        assert all("4429" in sample.reason for sample in failed)
        assert readings(found, "shells left") == [0]


@module
async def test_what_the_machine_cannot_hold_is_told_before_the_first_connection(running):
    with pytest.raises(NotFeasible, match=r"not feasible here: .* allows .* of 1,000,000,000 sessions"):
        async with BY_NAME["concurrent_sessions_scale"].prepare(context_on(running, "1000000000")):
            pass


def test_a_shortage_names_the_limit_and_the_command():
    limits = msgspec.structs.replace(
        read_limits(), pty_max=4096, pty_reserve=1024, pty_reserve_ours=False, pty_open=1, nofile_soft=1 << 20
    )
    assert shortage(100, limits) == ""
    text = shortage(3100, limits)
    assert text.startswith("not feasible here: kernel.pty.max = 4096 allows 3,070 of 3,100 sessions; raise with: ")
    assert "sysctl -w kernel.pty.max=4126" in text


@module
async def test_commands_in_all_sessions_at_once(running):
    found = await operated(BY_NAME["concurrent_command_execution"], running, "10")
    assert all(sample.marks["half"] <= sample.seen_ns for sample in found.samples)


@module
async def test_a_mix_has_every_kind_and_is_the_same_each_time(running):
    found = await operated(BY_NAME["mixed_workload"], running, "50")
    assert len(found.samples) == OPERATIONS
    for kind in KINDS:
        assert readings(found, f"{kind} p50"), kind
    # Offered are 100 a second: as many are done, or the server does not keep up.
    assert readings(found, "operations per second")[0] <= 101


@module
async def test_memory_is_a_line_over_sessions(running):
    found = await operated(BY_NAME["memory_usage_1000_sessions"], running, "8")
    assert [point.x for point in found.points if "server" in point.metric] == [0, 2, 4, 6, 8]
    assert 50_000 < readings(found, "shell PSS per session")[0] < 5_000_000


@module
async def test_churn_leaves_no_descriptor(running):
    assert len((await operated(BY_NAME["connection_churn"], running, "40")).samples) == 2


@module
async def test_what_is_sustained_is_counted_second_by_second(running):
    short = partial(concurrent_load.sustained_throughput, sessions=4, seconds=2)
    found = await operated(replace(BY_NAME["sustained_throughput_100_sessions_10s"], prepare=short), running)
    # What began before the end of the last second may end after it.
    assert 0 <= len(found.samples) - sum(readings(found, "operations per second")) <= 4
    assert len(readings(found, "p95 over time")) == len(readings(found, "server PSS over time")) == 2


@module
@pytest.mark.parametrize("way", teardown.WAYS)
async def test_an_ending_ends_when_nothing_is_left(running, way):
    few = partial(teardown.cleanup_1000_sessions, sessions=12)
    found = await operated(replace(BY_NAME["cleanup_1000_sessions"], prepare=few), running, way)
    assert readings(found, "left after 5 s") == [0]
    (sample,) = found.samples
    assert readings(found, "clean-up") == [sample.seen_ns - sample.sent_ns]


@module
async def test_what_is_left_is_counted_at_each_moment():
    counts = iter((7, -1))
    counter = teardown.LeftoverCounter(lambda: next(counts), (0.01, 0.02))
    async with counter.running():
        await teardown.wait_until(lambda: next(iter(counts), None) is None, "both counts")
    assert counter.left[0.02] == 0
