"""Suite ``concurrent_load``: many sessions at once, coming, working and going."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import MS, Benchmark, BenchmarkContext, OperationResult, declare, sample
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.samples import Metric, Point, Sample, Target
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.terminals.processes import descriptor_count, pss_bytes
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload import churn, mixed, ramp, teardown
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.ramp import settled_pss
from web_terminal_suite.bench.workload.session_pool import ServerClock, crew, in_batches, outcome_of
from web_terminal_suite.bench.workload.shells import destroy_all, several
from web_terminal_suite.client.errors import ClientError, Closed, Violated
from web_terminal_suite.protocol.codec import EchoBytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.connection import ClientConnection

_MEGABYTE: Final = 1_000_000
# Connections opened at once by a churn.
_HANDS: Final = 16
_ECHOED: Final = b"x" * 64
_SUSTAINED_SESSIONS: Final = 100
_SUSTAINED_SECONDS: Final = 10


@asynccontextmanager
async def _concurrent_command_execution(stage: BenchmarkContext) -> AsyncIterator[Operation]:
    async with crew(stage, int(stage.parameter)) as shells:

        async def operate() -> Sample:
            markers = [stage.markers.fresh() for _ in shells]
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
async def _memory_usage_1000_sessions(stage: BenchmarkContext) -> AsyncIterator[Operation]:
    make_sure(stage, int(stage.parameter))
    steps = [int(stage.parameter) * quarter // 4 for quarter in range(1, 5)]
    process = stage.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    servers = process.server_pids()

    async def operate() -> OperationResult:
        points = [Point("server PSS per session", 0, await settled_pss(servers))]
        async with AsyncExitStack() as stack:
            connections: list[ClientConnection] = []
            try:
                for count in steps:
                    more = await stack.enter_async_context(several(stage, count - len(connections)))
                    connections += more
                    for batch in in_batches(more):
                        await asyncio.gather(*(_spoken(each) for each in batch))
                    points.append(Point("server PSS per session", count, await settled_pss(servers)))
                shells = process.shell_pids()
                points.append(Point("shell PSS per session", 0, pss_bytes(shells) / len(shells)))
            finally:
                for batch in in_batches([each for each in connections if each.session is not None]):
                    await destroy_all(batch)
        return OperationResult(points=tuple(points))

    yield operate


async def _spoken(connection: ClientConnection) -> None:
    """A new session whose shell has said something."""
    await connection.attach()
    if await connection.read() is None:
        raise Closed(1000, "the shell ended without a word")


@asynccontextmanager
async def _connection_churn(stage: BenchmarkContext) -> AsyncIterator[Operation]:
    count = int(stage.parameter)
    clock = ServerClock(stage)

    async def operate() -> Sample:
        open_before = descriptor_count(clock.pids)
        numbers = iter(range(count))

        async def hand() -> int:
            last_ns = 0
            for _ in numbers:
                async with stage.running.connect() as connection:
                    _, reply = await connection.echo(_ECHOED)
                    if not isinstance(reply.event, EchoBytes) or reply.event.data != _ECHOED:
                        raise Violated("an echo came back changed")
                last_ns = now_ns()
            return last_ns

        sent_ns = now_ns()
        seen_ns = max(await asyncio.gather(*(hand() for _ in range(_HANDS))))
        closed_ns = await teardown.wait_until(
            lambda: descriptor_count(clock.pids) <= open_before, "end of every connection's descriptor"
        )
        return sample(sent_ns, closed_ns, disconnected=seen_ns)

    yield operate


@asynccontextmanager
async def _sustained_throughput(stage: BenchmarkContext) -> AsyncIterator[Operation]:
    clock = ServerClock(stage)
    async with crew(stage, _SUSTAINED_SESSIONS) as shells:

        async def operate() -> OperationResult:
            begin_ns = now_ns()
            end_ns = begin_ns + _SUSTAINED_SECONDS * SECOND_NS
            samples: list[Sample] = []
            async with asyncio.TaskGroup() as group:
                weighing = group.create_task(_weigh(clock.pids, begin_ns))
                for shell in shells:
                    group.create_task(_work(shell, stage, end_ns, samples))
            samples.sort(key=lambda each: each.due_ns)
            return OperationResult(tuple(samples), (*weighing.result(), *by_second(samples, begin_ns)))

        yield operate


async def _work(shell: Shell, stage: BenchmarkContext, end_ns: int, samples: list[Sample]) -> None:
    """One command after the other until the time is over or one fails."""
    while now_ns() < end_ns:
        marker = stage.markers.fresh()
        sent_ns = now_ns()
        try:
            shell.connection.input(marker.command.encode() + b"\r")
            found = await shell.connection.wait_for(marker.seen)
            await shell.prompted()
        except ClientError as error:
            samples.append(Sample(sent_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error)))
            return
        samples.append(sample(sent_ns, found.seen_ns))


async def _weigh(pids: Sequence[int], begin_ns: int) -> list[Point]:
    """The server's memory once a second."""
    points = []
    for second in range(_SUSTAINED_SECONDS):
        await asyncio.sleep((begin_ns + (second + 1) * SECOND_NS - now_ns()) / SECOND_NS)  # a schedule, not a wait
        if pids:
            points.append(Point("server PSS over time", second, pss_bytes(pids)))
    return points


def by_second(samples: Sequence[Sample], begin_ns: int) -> list[Point]:
    """Operations and p95 of each second, by when an operation was seen to end."""
    points = []
    for second in range(_SUSTAINED_SECONDS):
        first_ns = begin_ns + second * SECOND_NS
        times = [each.seen_ns - each.due_ns for each in samples if 0 <= each.seen_ns - first_ns < SECOND_NS]
        points.append(Point("operations per second", 0, len(times)))
        if times:
            points.append(Point("p95 over time", second, nearest_rank(times, 0.95)))
    return points


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
    declare(
        "concurrent_load/concurrent_sessions_scale",
        f"Sessions arrive at {ramp.SESSIONS_PER_SECOND} a second until so many shells have spoken; then keys, "
        f"{ramp.KEYS_PER_SECOND} a second in all ({ramp.keys_per_second(10_000):,.0f} at 10,000), each from the "
        "moment it was due to its echo; then the end of all of them at once.",
        "Not how fast sessions could arrive. Keys are echoed by the kernel.",
        ramp.concurrent_sessions_scale,
        _SHELL,
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
            _level("idle server CPU", "ns/s"),
            _level("clean-up", "ns"),
            _level("shells left", "", exact=True),
            _level("missed sends", "", exact=True),
        ),
        reads=True,
        alone=True,
        blocks=1,
        quick=("100",),
        full=("500", "2000", "10000"),
        sessions=int,
    ),
    declare(
        "concurrent_load/concurrent_command_execution",
        "One command in each of so many sessions at once, until the last one's computed output has arrived.",
        "Not the sessions' start.",
        _concurrent_command_execution,
        _SHELL,
        parameters=_CROWDS,
        metrics=(Metric(name="latency"), Metric(name="to half of them", mark="half")),
        elements=_elements(_CROWDS),
        element_unit="commands",
        blocks=1,
        repeats=80,
        seconds=1.0,
        quick=("50",),
        sessions=int,
        full=("200",),
    ),
    declare(
        "concurrent_load/mixed_workload",
        f"A seeded mix in so many sessions, {mixed.OPERATIONS_PER_SECOND} operations a second each for "
        f"{mixed.SECONDS:g} s: {', '.join(mixed.KINDS)}; each from the moment it was due.",
        "Not the most it could do: the rate is fixed.",
        mixed.mixed_workload,
        _SHELL | {Capability.LOOKUP, Capability.PING, Capability.REATTACH},
        parameters=_MIXES,
        metrics=(
            Metric(name="latency"),
            *(_level(f"{kind} p50", "ns") for kind in mixed.KINDS),
            _level("operations per second", "operations/s"),
        ),
        reads=True,
        blocks=1,
        quick=("50",),
        sessions=int,
        full=("200",),
    ),
    declare(
        "concurrent_load/memory_usage_1000_sessions",
        "Memory of the server apart from its shells (PSS) over 0 to 1,000 attached idle sessions; and a shell's own.",
        "Not sessions with a full log.",
        _memory_usage_1000_sessions,
        _SHELL | {Capability.PROCESSES},
        parameters=("1000",),
        metrics=(
            Metric(
                name="server PSS per session",
                kind="slope",
                unit="B",
                targets={
                    "*": Target(
                        statistic="slope",
                        limit=100 * _MEGABYTE / 1000,
                        goal=10 * _MEGABYTE / 1000,
                        text="< 100 MB for 1,000 sessions; goal < 10 MB",
                    )
                },
            ),
            _level("shell PSS per session", "B"),
        ),
        reads=True,
        full=("1000",),
        alone=True,
        blocks=1,
        quick=(),
        sessions=int,
    ),
    declare(
        "concurrent_load/session_cycles",
        f"So many shells are made ready and ended, {churn.CYCLES} times over; the server's memory (PSS) after each.",
        "Not the times before, which set up what is kept for the next. Memory that comes back within ten times.",
        churn.session_cycles,
        _SHELL | {Capability.PROCESSES},
        parameters=("2000",),
        metrics=(Metric(name="latency"), Metric(name="server PSS over cycles", kind="slope", unit="B", drifts=True)),
        elements={"2000": 2000},
        element_unit="sessions",
        reads=True,
        alone=True,
        blocks=1,
        quick=(),
        full=("2000",),
        sessions=int,
    ),
    declare(
        "concurrent_load/connection_churn",
        f"So many connections, {_HANDS} at once: connect, one echo, disconnect; until the server's ends are closed.",
        "Not sessions.",
        _connection_churn,
        frozenset({Capability.ECHO, Capability.PROCESSES, Capability.SHELL}),
        parameters=_CHURNS,
        metrics=(Metric(name="latency"), Metric(name="to the last disconnect", mark="disconnected")),
        elements=_elements(_CHURNS),
        element_unit="connections",
        blocks=1,
        repeats=10,
        seconds=1.0,
        quick=("100",),
        full=("1000",),
    ),
    declare(
        "concurrent_load/sustained_throughput_100_sessions_10s",
        "A hundred sessions run one command after the other for ten seconds; what each second was like.",
        "Not a person's pace: every session has always something to do. A closed loop, so a stall shows once. "
        "Memory grows by the output that the logs keep.",
        _sustained_throughput,
        _SHELL,
        metrics=(
            Metric(name="latency"),
            _level("operations per second", "operations/s"),
            Metric(name="p95 over time", kind="slope", unit="ns"),
            Metric(name="server PSS over time", kind="slope", unit="B"),
        ),
        reads=True,
        blocks=1,
        quick=(),
        sessions=lambda _: _SUSTAINED_SESSIONS,
    ),
    declare(
        "concurrent_load/cleanup_1000_sessions",
        "The end of a thousand sessions, until /proc shows every shell reaped and every descriptor closed: all closed "
        "at once; all sockets lost, then ended by the API; or SIGTERM to the server.",
        "Not shells that refuse to go.",
        teardown.cleanup_1000_sessions,
        _SHELL | {Capability.PROCESSES, Capability.DESTROY, Capability.LOOKUP},
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
        reads=True,
        alone=True,
        blocks=1,
        quick=(),
        full=("socket loss",),
        sessions=lambda _: teardown.SESSIONS,
    ),
)
