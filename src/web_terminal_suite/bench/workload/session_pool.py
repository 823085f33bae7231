"""Many sessions at once: created, made ready and ended. None of it is timed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.terminals.processes import cpu_ns
from web_terminal_suite.bench.workload.shells import Shell, destroy_all, ready, several
from web_terminal_suite.client.errors import Refused, TimedOut, Unreachable, Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.errors import ClientError

_T = TypeVar("_T")

# Sessions requested at the same time while a pool is filled: enough to keep two processors busy.
AT_ONCE: Final = 50

_OUTCOMES: Final = {TimedOut: Outcome.TIMEOUT, Refused: Outcome.REFUSED, Unreachable: Outcome.REFUSED}


@asynccontextmanager
async def session_pool(context: BenchmarkContext, count: int) -> AsyncIterator[list[Shell]]:
    """``count`` attached sessions with a POSIX shell at its prompt, all destroyed at the end of the block."""
    async with several(context, count) as connections:
        try:
            shells: list[Shell] = []
            for batch in in_batches(connections):
                await asyncio.gather(*(each.attach() for each in batch))
                prompts = await asyncio.gather(*(ready(each, context) for each in batch))
                shells += [Shell(each, prompt) for each, prompt in zip(batch, prompts, strict=True)]
            yield shells
        finally:
            await end_sessions(connections)


async def end_sessions(connections: Sequence[ClientConnection]) -> None:
    """End the sessions of those that have one."""
    for batch in in_batches([each for each in connections if each.session is not None]):
        await destroy_all(batch)


def in_batches(connections: Sequence[_T], size: int = AT_ONCE) -> list[Sequence[_T]]:
    """The same in groups of ``size``."""
    return [connections[first : first + size] for first in range(0, len(connections), size)]


class ServerClock:
    """Processor time of the server's own processes, found once: scanning a thousand shells for them is expensive."""

    def __init__(self, context: BenchmarkContext) -> None:
        process = context.running.process
        self.pids = process.server_pids() if process is not None else []

    def read_ns(self) -> int:
        """Its reading; 0 if the server has no process on this machine."""
        return cpu_ns(self.pids)


def outcome_of(error: ClientError) -> Outcome:
    """What kind of failure an error is."""
    if isinstance(error, Violated):
        return Outcome.WRONG
    return _OUTCOMES.get(type(error), Outcome.CLOSED)
