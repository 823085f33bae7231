"""Neighbours who flood: programs that never stop writing, their output read, counted and dropped."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal.bench.suites.streams import LINE, LINE_ON_THE_WAY
from web_terminal.client.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal.bench.suites.shells import Shell
    from web_terminal.client.connection import Connection

_INTERRUPT: Final = b"\x03"
YES: Final = f"yes {LINE}"
# More than the echo of the line itself: the program runs.
_RUNS: Final = LINE_ON_THE_WAY * 10


@asynccontextmanager
async def flooding(shells: Sequence[Shell], line: str = YES) -> AsyncIterator[None]:
    """Every shell floods, its output read and dropped, until the end of the block; all flood when it begins,
    and all are back at their prompts after it.
    """
    tasks = []
    try:
        for shell in shells:
            shell.connection.input(f"{line}\r".encode())
            await shell.connection.wait_for(_RUNS)
        tasks = [asyncio.create_task(_drop(shell.connection)) for shell in shells]
        yield
    finally:
        # Not a task group: what goes wrong in the block must come out of it as it is.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for shell in shells:
        shell.connection.input(_INTERRUPT)
        await shell.prompted()


async def _drop(connection: Connection) -> None:
    try:
        while await connection.read() is not None:
            pass
    except ClientError:
        pass  # it ended: a flooder's bytes are counted, and it has no more of them


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has everything (Jain, Chiu, Hawe 1984)."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0
