"""Suite ``concurrent_load``: many sessions at once, coming, working and going."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import (
    MS,
    Benchmark,
    BenchmarkContext,
    OperationResult,
    bounds_percentile,
    sample,
)
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.samples import Metric, Point, Sample, Target
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.terminals.processes import descriptor_count, pss_bytes
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload import churn, mixed, ramp, teardown
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.memory import MEMORY_PER_SESSION, settled_pss
from web_terminal_suite.bench.workload.session_pool import ServerClock, in_batches, outcome_of, session_pool
from web_terminal_suite.bench.workload.shells import destroy_all, several
from web_terminal_suite.client.errors import ClientError, Closed, Violated
from web_terminal_suite.protocol.codec import EchoBytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.connection import ClientConnection

# Connections that are open at the same time in a churn.
_CONCURRENCY: Final = 16
_ECHOED: Final = b"x" * 64
_SUSTAINED_SESSIONS: Final = 100
_SUSTAINED_SECONDS: Final = 10


@asynccontextmanager
async def _concurrent_command_execution(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with session_pool(context, int(context.parameter)) as shells:

        async def operate() -> Sample:
            markers = [context.markers.fresh() for _ in shells]
            sent = [
                shell.connection.input(marker.command.encode() + b"\r")
                for shell, marker in zip(shells, markers, strict=True)
            ]
            waits = (shell.connection.wait_for(marker.seen) for shell, marker in zip(shells, markers, strict=True))
            seen = [found.seen_ns for found in await asyncio.gather(*waits)]
            await asyncio.gather(*(shell.prompted() for shell in shells))
            return until_last(sent[0], seen)

        yield operate


def until_last(sent_ns: int, seen_ns: Sequence[int]) -> Sample:
    """One operation of several clients: over when the last has its answer; ``half`` is when half of them had."""
    return sample(sent_ns, max(seen_ns), half=nearest_rank(seen_ns, 0.5))


@asynccontextmanager
async def _memory_usage_1000_sessions(context: BenchmarkContext) -> AsyncIterator[Operation]:
    make_sure(context, int(context.parameter))
    steps = [int(context.parameter) * quarter // 4 for quarter in range(1, 5)]
    process = context.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    servers = process.server_pids()

    async def operate() -> OperationResult:
        points = [Point("server PSS per session", 0, await settled_pss(servers))]
        async with AsyncExitStack() as stack:
            connections: list[ClientConnection] = []
            try:
                for count in steps:
                    more = await stack.enter_async_context(several(context, count - len(connections)))
                    connections += more
                    for batch in in_batches(more):
                        await asyncio.gather(*(_first_output(each) for each in batch))
                    points.append(Point("server PSS per session", count, await settled_pss(servers)))
                shells = process.shell_pids()
                points.append(Point("shell PSS per session", 0, pss_bytes(shells) / len(shells)))
            finally:
                for batch in in_batches([each for each in connections if each.session is not None]):
                    await destroy_all(batch)
        return OperationResult(points=tuple(points))

    yield operate


async def _first_output(connection: ClientConnection) -> None:
    """A new session whose shell has said something."""
    await connection.attach()
    if await connection.read() is None:
        raise Closed(1000, "the shell ended without any output")


@asynccontextmanager
async def _connection_churn(context: BenchmarkContext) -> AsyncIterator[Operation]:
    count = int(context.parameter)
    clock = ServerClock(context)

    async def operate() -> Sample:
        open_before = descriptor_count(clock.pids)
        numbers = iter(range(count))

        async def work() -> int:
            last_ns = 0
            for _ in numbers:
                async with context.running.connect() as connection:
                    _, reply = await connection.echo(_ECHOED)
                    if not isinstance(reply.event, EchoBytes) or reply.event.data != _ECHOED:
                        raise Violated("an echo came back changed")
                last_ns = now_ns()
            return last_ns

        sent_ns = now_ns()
        seen_ns = max(await asyncio.gather(*(work() for _ in range(_CONCURRENCY))))
        closed_ns = await teardown.wait_until(
            lambda: descriptor_count(clock.pids) <= open_before, "end of every connection's descriptor"
        )
        return sample(sent_ns, closed_ns, disconnected=seen_ns)

    yield operate


@asynccontextmanager
async def sustained_throughput(
    context: BenchmarkContext, sessions: int = _SUSTAINED_SESSIONS, seconds: int = _SUSTAINED_SECONDS
) -> AsyncIterator[Operation]:
    clock = ServerClock(context)
    async with session_pool(context, sessions) as shells:

        async def operate() -> OperationResult:
            begin_ns = now_ns()
            end_ns = begin_ns + seconds * SECOND_NS
            samples: list[Sample] = []
            async with asyncio.TaskGroup() as group:
                memory = group.create_task(_measure_memory(clock.pids, begin_ns, seconds))
                for shell in shells:
                    group.create_task(_work(shell, context, end_ns, samples))
            samples.sort(key=lambda each: each.due_ns)
            return OperationResult(tuple(samples), (*memory.result(), *by_second(samples, begin_ns, seconds)))

        yield operate


async def _work(shell: Shell, context: BenchmarkContext, end_ns: int, samples: list[Sample]) -> None:
    """One command after the other until the time is over or one fails."""
    while now_ns() < end_ns:
        marker = context.markers.fresh()
        sent_ns = now_ns()
        try:
            shell.connection.input(marker.command.encode() + b"\r")
            found = await shell.connection.wait_for(marker.seen)
            await shell.prompted()
        except ClientError as error:
            samples.append(Sample(sent_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error)))
            return
        samples.append(sample(sent_ns, found.seen_ns))


async def _measure_memory(pids: Sequence[int], begin_ns: int, seconds: int) -> list[Point]:
    """The server's memory once a second."""
    points = []
    for second in range(seconds):
        await asyncio.sleep((begin_ns + (second + 1) * SECOND_NS - now_ns()) / SECOND_NS)  # a schedule, not a wait
        if pids:
            points.append(Point("server PSS over time", second, pss_bytes(pids)))
    return points


def by_second(samples: Sequence[Sample], begin_ns: int, seconds: int) -> list[Point]:
    """Operations and p95 of each second, by when an operation was seen to end."""
    points = []
    for second in range(seconds):
        first_ns = begin_ns + second * SECOND_NS
        times = [each.seen_ns - each.due_ns for each in samples if 0 <= each.seen_ns - first_ns < SECOND_NS]
        points.append(Point("operations per second", 0, len(times)))
        if bounds_percentile("p95", len(times)):
            points.append(Point("p95 over time", second, nearest_rank(times, 0.95)))
    return points


# What a server's timers and its bookkeeping of a second come to is not told from nothing in a second of waiting.
_IDLE: Final = Target(
    statistic="level",
    limit=0.05 * SECOND_NS,
    goal=0.0001 * SECOND_NS,
    text="< 5 % of a core per session; goal < 0.01 %",
)
_SHELL: Final = frozenset({Capability.SHELL})
_SCALES: Final = ("100", "500", "1000", "2000", "10000")
_CROWDS: Final = ("10", "50", "100", "200")
_MIXES: Final = ("50", "100", "200")
_CHURNS: Final = ("100", "500", "1000")


def _elements(counts: tuple[str, ...]) -> dict[str, int]:
    return {count: int(count) for count in counts}


def _level(name: str, unit: str, exact: bool = False, targets: dict[str, Target] | None = None) -> Metric:
    return Metric(name=name, kind="level", unit=unit, exact=exact, targets=targets or {})


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="concurrent_load/concurrent_sessions_scale",
        description=(
            f"Sessions are started at {ramp.SESSIONS_PER_SECOND} a second until N shells have answered; then "
            f"keystrokes are sent at {ramp.KEYS_PER_SECOND} a second in total ({ramp.keys_per_second(10_000):,.0f} at "
            "10,000 sessions), each timed from the moment it was due to its echo; then all sessions are ended at once."
        ),
        limitations="Not how fast sessions could be started. Keystrokes are echoed by the kernel.",
        prepare=ramp.concurrent_sessions_scale,
        needs=_SHELL,
        parameters=_SCALES,
        metrics=(
            Metric(
                name="keystroke echo",
                targets={
                    "*": Target(statistic="p95", limit=20 * MS, goal=2 * MS, text="p95 < 20 ms; goal < 2 ms"),
                },
            ),
            _level(
                "sessions",
                "sessions",
                exact=True,
                targets={
                    count: Target(statistic="level", limit=int(count), below=False, text=f"{int(count):,} sessions")
                    for count in _SCALES
                },
            ),
            _level("sessions per second", "sessions/s"),
            _level("session start p95", "ns"),
            _level("server PSS per session", "B"),
            _level(ramp.IDLE_CPU, "ns/s", targets={"*": _IDLE}),
            _level("clean-up", "ns"),
            _level("shells left", "", exact=True),
            _level("missed sends", "", exact=True),
        ),
        one_shot=True,
        isolated=True,
        one_block=("500", "1000", "2000", "10000"),
        quick=("100",),
        full=("500", "2000", "10000"),
        sessions=int,
    ),
    Benchmark(
        id="concurrent_load/concurrent_command_execution",
        description=(
            "One command in each of N sessions at the same time, until the computed output of the last one has arrived."
        ),
        limitations="Not the start of the sessions.",
        prepare=_concurrent_command_execution,
        needs=_SHELL,
        parameters=_CROWDS,
        metrics=(Metric(name="latency"), Metric(name="to half of them", mark="half")),
        elements=_elements(_CROWDS),
        element_unit="commands",
        repeats=80,
        seconds=1.0,
        quick=("50",),
        sessions=int,
        full=("200",),
    ),
    Benchmark(
        id="concurrent_load/mixed_workload",
        description=(
            f"A seeded mix of {mixed.OPERATIONS} operations in N sessions, {mixed.OPERATIONS_PER_SECOND} a second in "
            f"each: {', '.join(mixed.KINDS)}; each from the moment it was due."
        ),
        limitations="Not the maximum throughput: the rate is fixed.",
        prepare=mixed.mixed_workload,
        needs=_SHELL | {Capability.LOOKUP, Capability.PING, Capability.REATTACH},
        parameters=_MIXES,
        metrics=(
            Metric(name="latency"),
            *(_level(f"{kind} p50", "ns") for kind in mixed.KINDS),
            _level("operations per second", "operations/s"),
        ),
        one_shot=True,
        quick=("100",),
        sessions=int,
        full=("50", "200"),
    ),
    Benchmark(
        id="concurrent_load/memory_usage_1000_sessions",
        description=(
            "Memory (PSS) of the server without its shells, at 0 to 1,000 attached idle sessions, and the memory of "
            "one shell."
        ),
        limitations="Not sessions with a full log.",
        prepare=_memory_usage_1000_sessions,
        needs=_SHELL | {Capability.PROCESSES},
        parameters=("1000",),
        metrics=(
            MEMORY_PER_SESSION,
            _level("shell PSS per session", "B"),
        ),
        one_shot=True,
        full=("1000",),
        isolated=True,
        one_block=("1000",),
        quick=(),
        sessions=int,
    ),
    Benchmark(
        id="concurrent_load/session_cycles",
        description=(
            f"N sessions are started and ended, {churn.CYCLES} times in a row; the server's memory (PSS) is read after"
            " each cycle."
        ),
        limitations=(
            "Not the first cycles, which set up what later ones reuse, nor memory that is given back within ten cycles."
        ),
        prepare=churn.session_cycles,
        needs=_SHELL | {Capability.PROCESSES},
        parameters=("2000",),
        metrics=(Metric(name="latency"), Metric(name="server PSS over cycles", kind="slope", unit="B", drifts=True)),
        elements={"2000": 2000},
        element_unit="sessions",
        one_shot=True,
        isolated=True,
        one_block=("2000",),
        quick=(),
        full=("2000",),
        sessions=int,
    ),
    Benchmark(
        id="concurrent_load/connection_churn",
        description=(
            f"N connections, {_CONCURRENCY} at a time: connect, one echo, disconnect; until the server has closed "
            "all of its sockets."
        ),
        limitations="Not sessions.",
        prepare=_connection_churn,
        needs=frozenset({Capability.ECHO, Capability.PROCESSES, Capability.SHELL}),
        parameters=_CHURNS,
        metrics=(Metric(name="latency"), Metric(name="to the last disconnect", mark="disconnected")),
        elements=_elements(_CHURNS),
        element_unit="connections",
        repeats=10,
        seconds=1.0,
        min_operations=10,
        quick=("100",),
        full=("500", "1000"),
    ),
    Benchmark(
        id="concurrent_load/sustained_throughput_100_sessions_10s",
        description=(
            "A hundred sessions run one command after another for ten seconds; throughput, p95 and memory of each "
            "second."
        ),
        limitations=(
            "Not the pace of users: every session is always busy. A closed loop, so a stall shows in one sample only. "
            "Memory grows by the output that the logs keep."
        ),
        prepare=sustained_throughput,
        needs=_SHELL,
        metrics=(
            Metric(name="latency"),
            _level("operations per second", "operations/s"),
            Metric(name="p95 over time", kind="slope", unit="ns"),
            Metric(name="server PSS over time", kind="slope", unit="B"),
        ),
        one_shot=True,
        one_block=("",),
        quick=(),
        sessions=lambda _: _SUSTAINED_SESSIONS,
    ),
    Benchmark(
        id="concurrent_load/cleanup_1000_sessions",
        description=(
            "A thousand sessions end, until /proc shows every shell reaped and every descriptor closed: all are closed "
            "at once; or all sockets are lost and the sessions ended by the API; or the server gets SIGTERM."
        ),
        limitations="Not shells that ignore signals.",
        prepare=teardown.cleanup_1000_sessions,
        needs=_SHELL | {Capability.PROCESSES, Capability.DESTROY, Capability.LOOKUP},
        parameters=teardown.WAYS,
        metrics=(
            _level(
                "left after 5 s",
                "",
                exact=True,
                targets={"*": Target(statistic="level", limit=1, text="1,000 sessions in < 5 s")},
            ),
            _level(
                "left after 0.5 s",
                "",
                exact=True,
                targets={"*": Target(statistic="level", goal=1, text="goal: 1,000 sessions in < 0.5 s")},
            ),
            _level("clean-up", "ns"),
            _level("to sockets noticed", "ns"),
            _level("to last reply", "ns"),
            Metric(name="latency"),
        ),
        elements=dict.fromkeys(teardown.WAYS, teardown.SESSIONS),
        element_unit="sessions",
        one_shot=True,
        isolated=True,
        one_block=teardown.WAYS,
        quick=(),
        full=("socket loss",),
        sessions=lambda _: teardown.SESSIONS,
    ),
)
