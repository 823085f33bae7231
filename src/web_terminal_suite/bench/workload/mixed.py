"""What many people do at once: a seeded mix of typing, commands, output, resizes, look-ups and reattaches.

An open loop at a fixed rate. Who does what when follows from the parameter alone; one person does one thing after the
other, so what is due while the last thing still runs waits for it, and its latency says so.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult, bounds_percentile
from web_terminal_suite.bench.clock import SECOND_NS, now_ns, play
from web_terminal_suite.bench.samples import Outcome, Point, Sample
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.workload import streams
from web_terminal_suite.bench.workload.session_pool import outcome_of, session_pool
from web_terminal_suite.client.errors import ClientError, Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.rest import Rest

OPERATIONS_PER_SECOND: Final = 2
"""Of one person."""

OPERATIONS: Final = 120
"""Enough for a median of the rarest kind, of which there are six."""

_WEIGHTS: Final = {"typing": 55, "command": 20, "output": 5, "resize": 5, "lookup": 10, "reattach": 5}
KINDS: Final = tuple(_WEIGHTS)
# A screenful or five: what a listing or a log's end prints.
_BURST_BYTES: Final = 32_000
# A space: its echo is told from every prompt and marker, and any number of them may stand before a command.
_KEY: Final = b" "
# Connections for look-ups; each answers one request at a time.
_CONCURRENCY: Final = 8


class ActionResult(NamedTuple):
    """One operation of the mix."""

    kind: str
    sample: Sample


class MixedUser:
    """One session and what its owner does in it, one thing at a time."""

    def __init__(self, shell: Shell, context: BenchmarkContext, api: Rest, hand: asyncio.Lock) -> None:
        self._shell = shell
        self._context = context
        self._api = api
        self._hand = hand
        self._busy = asyncio.Lock()
        self._burst = streams.text(_BURST_BYTES)
        self._cols = 80
        self._acts = {
            "typing": self._type,
            "command": self._command,
            "output": self._output,
            "resize": self._resize,
            "lookup": self._look_up,
            "reattach": self._reattach,
        }

    async def do(self, kind: str, due_ns: int) -> ActionResult:
        """One operation; a failure is a sample, too."""
        async with self._busy:
            sent_ns = now_ns()
            try:
                seen_ns = await self._acts[kind]()
            except ClientError as error:
                return ActionResult(
                    kind, Sample(due_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error))
                )
        return ActionResult(kind, Sample(due_ns, sent_ns, seen_ns))

    async def _type(self) -> int:
        self._shell.connection.input(_KEY)
        return (await self._shell.connection.wait_for(_KEY)).seen_ns

    async def _command(self) -> int:
        marker = self._context.markers.fresh()
        self._shell.connection.input(marker.command.encode() + b"\r")
        found = await self._shell.connection.wait_for(marker.seen)
        await self._shell.prompted()
        return found.seen_ns

    async def _output(self) -> int:
        received = await streams.receive(self._shell.connection, self._burst, self._context.markers)
        return received.seen_ns

    async def _resize(self) -> int:
        """Messages of one connection are taken in order, so the pong says that the size was set."""
        self._cols = 80 + (self._cols - 79) % 100
        self._shell.connection.resize(self._cols, 30)
        _, reply = await self._shell.connection.ping()
        return reply.seen_ns

    async def _look_up(self) -> int:
        async with self._hand:
            response = await self._api.call("GET", f"/sessions/{self._shell.connection.session}")
        if response.json()["id"] != self._shell.connection.session:
            raise Violated("the lookup answered with another session")
        return response.seen_ns

    async def _reattach(self) -> int:
        await self._shell.connection.reconnect()
        return now_ns()


@asynccontextmanager
async def mixed_workload(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """One operation of the benchmark is the whole mix; each part of it is a sample."""
    count = int(context.parameter)
    rate = count * OPERATIONS_PER_SECOND
    async with session_pool(context, count) as shells, AsyncExitStack() as stack:
        clients = [
            (await stack.enter_async_context(context.running.rest()), asyncio.Lock()) for _ in range(_CONCURRENCY)
        ]
        people = [MixedUser(shell, context, *clients[place % _CONCURRENCY]) for place, shell in enumerate(shells)]

        async def operate() -> OperationResult:
            source = random.Random(f"mixed {context.parameter}")
            kinds = [kind for kind, weight in _WEIGHTS.items() for _ in range(OPERATIONS * weight // 100)]
            source.shuffle(kinds)
            doing: list[asyncio.Task[ActionResult]] = []
            async with asyncio.TaskGroup() as group:

                def act(number: int, due_ns: int) -> None:
                    doing.append(group.create_task(source.choice(people).do(kinds[number], due_ns)))

                await play(rate, OPERATIONS, act)
            return result_of([task.result() for task in doing])

        try:
            yield operate
        finally:
            # One that failed to reattach would leave its session behind.
            for shell in shells:
                if shell.connection.closed is not None:
                    await shell.connection.reconnect()


def result_of(done: list[ActionResult]) -> OperationResult:
    """Every operation as a sample, the median of each kind, and the rate."""
    fine = [each for each in done if each.sample.outcome is Outcome.OK]
    points = []
    for kind in KINDS:
        times = [each.sample.seen_ns - each.sample.due_ns for each in fine if each.kind == kind]
        if bounds_percentile("p50", len(times)):
            points.append(Point(f"{kind} p50", 0, nearest_rank(times, 0.5)))
    first_ns = min(each.sample.due_ns for each in done)
    seconds = (max(each.sample.seen_ns for each in done) - first_ns) / SECOND_NS
    points.append(Point("operations per second", 0, len(fine) / seconds))
    return OperationResult(tuple(each.sample for each in done), tuple(points))
