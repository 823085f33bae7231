"""The end of many sessions: asked for, by lost sockets, by the server's own end; until nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal.bench.benchmark import Findings, Stage
from web_terminal.bench.clock import now_ns
from web_terminal.bench.samples import Point, Sample
from web_terminal.bench.suites.crews import crew
from web_terminal.bench.suites.room import make_sure
from web_terminal.bench.suites.shells import destroy_all, destroy_by_id
from web_terminal.bench.terminals.processes import children, descriptor_count, is_gone
from web_terminal.client.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal.bench.benchmark import Operation
    from web_terminal.bench.terminals.processes import ServerProcess
    from web_terminal.client.connection import Connection
    from web_terminal.client.rest import Rest

WAYS: Final = ("polite close", "socket loss", "SIGTERM")
SESSIONS: Final = 1000
# Requests under way at once while sessions are ended by the API.
_HANDS: Final = 16
_END_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.002


class Remains:
    """What the server held before there was any session, and whether it holds more now. ``/proc`` is looked into."""

    def __init__(self, process: ServerProcess) -> None:
        self._servers = process.server_pids()
        self._children = self._child_count()
        self._descriptors = descriptor_count(self._servers)

    def descriptors(self) -> int:
        """More than before."""
        return descriptor_count(self._servers) - self._descriptors

    def nothing(self) -> bool:
        # Children first: to count them is to read one file, while descriptors are a directory of thousands.
        return self._child_count() <= self._children and self.descriptors() <= 0

    def _child_count(self) -> int:
        return sum(len(children(pid)) for pid in self._servers)


async def wait_until(settled: Callable[[], bool], what: str) -> int:
    """Look again and again; the moment ``settled`` held.

    Raises:
        TimedOut
    """
    deadline_ns = now_ns() + round(_END_SECONDS * 1e9)
    while not settled():
        if now_ns() > deadline_ns:
            raise TimedOut(what, _END_SECONDS)
        await asyncio.sleep(_POLL_SECONDS)  # /proc offers no event for another process's children and descriptors
    return now_ns()


@asynccontextmanager
async def cleanup_1000_sessions(stage: Stage) -> AsyncIterator[Operation]:
    """One operation: a thousand shells that have spoken, then the end of them all."""
    make_sure(stage, SESSIONS)

    async def operate() -> Findings:
        if stage.parameter == "SIGTERM":
            async with stage.running.terminal.launch() as running:
                ended = await _by_signal(Stage(running, stage.parameter, stage.markers))
        else:
            ended = await _by_request(stage, lost=stage.parameter == "socket loss")
        return Findings((ended,), (Point("clean-up", 0, ended.seen_ns - ended.sent_ns),))

    yield operate


async def _by_request(stage: Stage, lost: bool) -> Sample:
    process = stage.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    async with AsyncExitStack() as stack:
        hands = [await stack.enter_async_context(stage.running.rest()) for _ in range(_HANDS)]
        await asyncio.gather(*(api.call("GET", "/health") for api in hands))
        remains = Remains(process)
        async with crew(stage, SESSIONS) as shells:
            connections = [shell.connection for shell in shells]
            sent_ns = now_ns()
            marks = await (_lose(connections, hands, remains) if lost else _close(connections))
            seen_ns = await wait_until(remains.nothing, "end of every shell and descriptor")
            await _expect_no_session(hands[0])
        return Sample(sent_ns, sent_ns, seen_ns, marks=marks)


async def _close(connections: Sequence[Connection]) -> dict[str, int]:
    """Every connection asks for the end of its session at once; when the last was told."""
    await destroy_all(connections)
    return {"reply": now_ns()}


async def _lose(connections: Sequence[Connection], hands: Sequence[Rest], remains: Remains) -> dict[str, int]:
    """Every socket drops without a word; sessions outlive that on purpose, so their owner then ends them."""
    open_before = remains.descriptors()
    sessions = [str(connection.session) for connection in connections]
    for connection in connections:
        connection.abort()
    noticed_ns = await wait_until(lambda: remains.descriptors() <= open_before - SESSIONS, "end of every socket")

    async def end(api: Rest) -> None:
        while sessions:
            await destroy_by_id(api, sessions.pop())

    await asyncio.gather(*(end(api) for api in hands))
    return {"noticed": noticed_ns, "reply": now_ns()}


async def _by_signal(stage: Stage) -> Sample:
    """SIGTERM to a server of its own, until its process and everything below it are gone."""
    process = stage.running.process
    assert process is not None  # as above
    async with crew(stage, SESSIONS):
        family = [*process.server_pids(), *process.shell_pids()]
        family.remove(process.pid)
        sent_ns = now_ns()
        os.kill(process.pid, signal.SIGTERM)

        def over() -> bool:
            # Whoever launched it reaps the process itself, so it is looked at apart.
            return process.status is not None and all(is_gone(pid) for pid in family)

        seen_ns = await wait_until(over, "end of the server and every shell")
        return Sample(sent_ns, sent_ns, seen_ns)


async def _expect_no_session(api: Rest) -> None:
    left = (await api.call("GET", "/sessions?limit=1")).json()["total"]
    if left:
        raise TimedOut(f"end of {left} sessions that are still listed", 0.0)
