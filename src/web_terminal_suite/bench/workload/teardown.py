"""Teardown of many sessions, by request, after lost sockets or by SIGTERM, until nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Point, Sample
from web_terminal_suite.bench.terminals.processes import children, descriptor_count, is_gone, shared_memory_count
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.session_pool import session_pool
from web_terminal_suite.bench.workload.shells import destroy_all, destroy_by_id
from web_terminal_suite.client.errors import TimedOut, Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.terminals.processes import ServerProcess
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.rest import Rest

WAYS: Final = ("polite close", "socket loss", "SIGTERM")
SESSIONS: Final = 1000
MOMENTS: Final = (0.5, 5.0)
"""Seconds: the goal and the target. A count at such a moment is exact, so one reading decides; a time would not."""

# Requests that are under way at the same time while sessions are ended by the API.
_CONCURRENCY: Final = 16
END_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.005


class Leftovers:
    """What the server held before there was a session, and whether it holds more now, from ``/proc``."""

    def __init__(self, process: ServerProcess) -> None:
        self._servers = process.server_pids()
        self._children = self._descriptors = 0
        self._children, self._descriptors = self.shells(), self.descriptors()

    def shells(self) -> int:
        """Children more than before, unreaped ones included."""
        return sum(len(children(pid)) for pid in self._servers) - self._children

    def open(self) -> int:
        """Descriptors of any kind."""
        return descriptor_count(self._servers)

    def descriptors(self) -> int:
        """More than before. Shared memory is left out: a server may keep it for the next session."""
        return self.open() - shared_memory_count(self._servers) - self._descriptors

    def count(self) -> int:
        """Shells and descriptors more than before."""
        return max(0, self.shells()) + max(0, self.descriptors())

    def nothing(self) -> bool:
        # Children first: to count them is to read one file, while descriptors are a directory of thousands.
        return self.shells() <= 0 and self.descriptors() <= 0


async def wait_until(settled: Callable[[], bool], what: str) -> int:
    """Poll until ``settled`` holds; gives that moment.

    Raises:
        TimedOut
    """
    deadline_ns = now_ns() + round(END_SECONDS * 1e9)
    while not settled():
        if now_ns() > deadline_ns:
            raise TimedOut(what, END_SECONDS)
        await asyncio.sleep(_POLL_SECONDS)  # /proc offers no event for another process's children and descriptors
    return now_ns()


class Teardown(NamedTuple):
    """``left`` counts what was there still, by seconds from the beginning. ``marks`` as in a sample."""

    sent_ns: int
    seen_ns: int
    left: dict[float, int]
    marks: dict[str, int]


class LeftoverCounter:
    """Counts what is left ``moments`` seconds after the block of ``running`` began, while it runs."""

    def __init__(self, count: Callable[[], int], moments: Sequence[float] = MOMENTS) -> None:
        self.left = dict.fromkeys(moments, 0)
        self._count = count

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run(now_ns()))
        try:
            yield
        finally:
            # Not a task group: what goes wrong in the block must come out of it as it is.
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, began_ns: int) -> None:
        for moment in self.left:
            await asyncio.sleep(moment - (now_ns() - began_ns) / 1e9)  # a moment of the clock, not a wait
            self.left[moment] = max(0, self._count())


@asynccontextmanager
async def cleanup_1000_sessions(context: BenchmarkContext, sessions: int = SESSIONS) -> AsyncIterator[Operation]:
    """One operation: ``sessions`` shells that have answered, then the end of all of them."""
    make_sure(context, sessions)

    async def operate() -> OperationResult:
        if context.parameter == "SIGTERM":
            async with context.running.terminal.launch() as running:
                ended = await _by_signal(BenchmarkContext(running, context.parameter, context.markers), sessions)
        else:
            ended = await _by_request(context, sessions, lost=context.parameter == "socket loss")
        points = [Point("clean-up", 0, ended.seen_ns - ended.sent_ns)]
        points += [Point(f"to {name}", 0, at_ns - ended.sent_ns) for name, at_ns in ended.marks.items()]
        points += [Point(f"left after {moment:g} s", 0, count) for moment, count in ended.left.items()]
        return OperationResult((Sample(ended.sent_ns, ended.sent_ns, ended.seen_ns),), tuple(points))

    yield operate


async def _by_request(context: BenchmarkContext, sessions: int, lost: bool) -> Teardown:
    process = context.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(context.running.rest()) for _ in range(_CONCURRENCY)]
        await asyncio.gather(*(api.call("GET", "/health") for api in clients))
        remains = Leftovers(process)
        async with session_pool(context, sessions) as shells:
            connections = [shell.connection for shell in shells]
            counter = LeftoverCounter(remains.count)
            async with counter.running():
                sent_ns = now_ns()
                marks = await (_lose(connections, clients, remains) if lost else _close(connections))
                seen_ns = await wait_until(remains.nothing, "end of every shell and descriptor")
            await _expect_no_session(clients[0])
        return Teardown(sent_ns, seen_ns, counter.left, marks)


async def _close(connections: Sequence[ClientConnection]) -> dict[str, int]:
    """Every connection asks for the end of its session at once; when the last was told."""
    await destroy_all(connections)
    return {"last reply": now_ns()}


async def _lose(connections: Sequence[ClientConnection], clients: Sequence[Rest], remains: Leftovers) -> dict[str, int]:
    """Every socket drops without a close; sessions outlive that on purpose, so their owner then ends them."""
    open_before = remains.open()
    sessions = [str(connection.session) for connection in connections]
    for connection in connections:
        connection.abort()
    noticed_ns = await wait_until(lambda: remains.open() <= open_before - len(connections), "end of every socket")

    async def end(api: Rest) -> None:
        while sessions:
            await destroy_by_id(api, sessions.pop())

    await asyncio.gather(*(end(api) for api in clients))
    return {"sockets noticed": noticed_ns, "last reply": now_ns()}


async def _by_signal(context: BenchmarkContext, sessions: int) -> Teardown:
    """SIGTERM to a server of its own, until its process and everything below it are gone."""
    process = context.running.process
    assert process is not None  # as above
    async with session_pool(context, sessions):
        family = [*process.server_pids(), *process.shell_pids()]
        family.remove(process.pid)

        def count() -> int:
            # The main process is reaped by what launched it, so its status is read separately.
            return (process.status is None) + sum(not is_gone(pid) for pid in family)

        counter = LeftoverCounter(count)
        async with counter.running():
            sent_ns = now_ns()
            os.kill(process.pid, signal.SIGTERM)
            # The server goes last, so there is no need to look for a thousand shells again and again.
            seen_ns = await wait_until(lambda: process.status is not None and not count(), "end of server and shells")
        return Teardown(sent_ns, seen_ns, counter.left, {})


async def _expect_no_session(api: Rest) -> None:
    left = (await api.call("GET", "/sessions?limit=1")).json()["total"]
    if left:
        raise Violated(f"{left} sessions are still listed when their shells are gone")
