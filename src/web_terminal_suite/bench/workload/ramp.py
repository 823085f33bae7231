"""Ramp up sessions at a fixed rate, then measure typing latency at full load."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult, bounds_percentile
from web_terminal_suite.bench.clock import SECOND_NS, now_ns, play
from web_terminal_suite.bench.samples import Outcome, Point, Sample
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.memory import settled_pss
from web_terminal_suite.bench.workload.session_pool import ServerClock, outcome_of
from web_terminal_suite.bench.workload.shells import destroy_all, ready
from web_terminal_suite.bench.workload.teardown import END_SECONDS, Leftovers, wait_until
from web_terminal_suite.bench.workload.typists import Typist, listening, type_keys
from web_terminal_suite.client.errors import ClientError, TimedOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.client.connection import ClientConnection

SESSIONS_PER_SECOND: Final = 400
"""Below what two processors can start with shell, server and client on them, so that a healthy ramp keeps its rate."""

KEYS_PER_SECOND: Final = 200
"""The lowest rate in total; with many sessions it is higher, see ``keys_per_second``."""

_KEYS_EACH_PER_SECOND: Final = 0.16
# Enough for a p95 of one block, in half a second.
_FEWEST_KEYS: Final = 100
_IDLE_SECONDS: Final = 0.5
IDLE_CPU: Final = "idle server CPU per session"


def keys_per_second(sessions: int) -> float:
    """Keys a second in all of the sessions together: 1,600 at 10,000."""
    return max(KEYS_PER_SECOND, sessions * _KEYS_EACH_PER_SECOND)


def keys(sessions: int) -> int:
    """The number of keys: at least 100, and one for every second session."""
    return max(_FEWEST_KEYS, sessions // 2)


class RampResult(NamedTuple):
    """``arrivals`` has a sample of each session, from when it was due until its computed prompt was seen.

    ``connections`` are those that succeeded; ``lost`` were opened, but their shell did not answer.
    """

    connections: list[ClientConnection]
    arrivals: list[Sample]
    lost: list[ClientConnection]

    @property
    def failures(self) -> list[Sample]:
        return [each for each in self.arrivals if each.outcome is not Outcome.OK]

    @property
    def per_second(self) -> float:
        """Sessions that answered, over the time from when the first was due until the last had answered."""
        seconds = (max(each.seen_ns for each in self.arrivals) - self.arrivals[0].due_ns) / SECOND_NS
        return len(self.connections) / seconds

    @property
    def start_p95_ns(self) -> int:
        return nearest_rank((each.seen_ns - each.due_ns for each in self.arrivals), 0.95)


async def ramp(context: BenchmarkContext, count: int, rate: float, stack: AsyncExitStack) -> RampResult:
    """``count`` sessions, dialled, attached and made to compute their prompt, at ``rate`` a second (open loop).

    Their connections belong to ``stack``. One that fails is noted and the others go on.
    """
    made = RampResult([], [], [])

    async def arrive(due_ns: int) -> None:
        sent_ns = now_ns()
        connection = None
        try:
            connection = await stack.enter_async_context(context.running.connect())
            await connection.attach()
            prompt = await ready(connection, context)
        except ClientError as error:
            outcome, reason = outcome_of(error), str(error)
            made.arrivals.append(Sample(due_ns, sent_ns, now_ns(), outcome=outcome, reason=reason))
            if connection is not None:
                made.lost.append(connection)
            return
        assert prompt  # the shell answered with what it had to compute
        made.arrivals.append(Sample(due_ns, sent_ns, now_ns()))
        made.connections.append(connection)

    async with asyncio.TaskGroup() as arriving:

        def begin(_: int, due_ns: int) -> None:
            arriving.create_task(arrive(due_ns))

        await play(rate, count, begin)
    made.arrivals.sort(key=lambda each: each.due_ns)
    return made


@asynccontextmanager
async def concurrent_sessions_scale(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """One operation is all of it: ramp, memory, idle processor time, typing, teardown."""
    count = int(context.parameter)
    make_sure(context, count)
    clock = ServerClock(context)
    process = context.running.process
    remains = Leftovers(process) if process is not None else None

    async def operate() -> OperationResult:
        points = []
        empty_bytes = await settled_pss(clock.pids)
        async with AsyncExitStack() as stack:
            made = await ramp(context, count, SESSIONS_PER_SECOND, stack)
            try:
                if clock.pids:
                    full_bytes = await settled_pss(clock.pids)
                    points.append(Point("server PSS per session", 0, (full_bytes - empty_bytes) / count))
                    points.append(Point(IDLE_CPU, 0, await idle_cpu(clock) / count))
                people = [Typist(connection) for connection in made.connections]
                random.Random(context.parameter).shuffle(people)
                async with listening(people):
                    typed = await type_keys(people, keys_per_second(count), keys(count))
            finally:
                ended_ns = now_ns()
                await end_all([*made.connections, *made.lost])
            if remains is not None:
                points += await clean_up(remains, ended_ns)
        points += [
            Point("sessions", 0, len(made.connections)),
            Point("sessions per second", 0, made.per_second),
            Point("missed sends", 0, typed.missed),
        ]
        if bounds_percentile("p95", len(made.arrivals)):
            points.append(Point("session start p95", 0, made.start_p95_ns))
        return OperationResult((*made.failures, *typed.samples), tuple(points))

    yield operate


async def end_all(connections: Sequence[ClientConnection]) -> None:
    """End every session at once; a connection that was never told of one is dropped, which ends what it asked for."""
    for each in connections:
        if each.session is None:
            each.abort()
    # The last one waits for all the others; ``clean_up`` finds out whether they ended.
    with suppress(TimedOut):
        await destroy_all([each for each in connections if each.session is not None], END_SECONDS)


async def clean_up(remains: Leftovers, began_ns: int) -> list[Point]:
    """How long it took until no shell was left, or how many are there still."""
    try:
        gone_ns = await wait_until(lambda: remains.shells() <= 0, "end of every shell")
    except TimedOut:
        return [Point("shells left", 0, remains.shells())]
    return [Point("shells left", 0, 0), Point("clean-up", 0, gone_ns - began_ns)]


async def idle_cpu(clock: ServerClock) -> float:
    """Processor time of the server in ns a second, while no key is typed."""
    before_ns, began_ns = clock.read_ns(), now_ns()
    await asyncio.sleep(_IDLE_SECONDS)  # what is measured is that nothing happens meanwhile
    return (clock.read_ns() - before_ns) * SECOND_NS / (now_ns() - began_ns)
