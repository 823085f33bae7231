"""Sessions that flood: programs that never stop writing, whose output is read, counted and discarded."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.workload.streams import LINE, LINE_ON_THE_WAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.search import Chunk

_INTERRUPT: Final = b"\x03"
YES: Final = f"yes {LINE}"
# More output than the echo of the command line: the program runs.
_RUNS: Final = LINE_ON_THE_WAY * 10


class _Dropped:
    """Hears output and does nothing with it: the connection counts and acknowledges."""

    def heard(self, chunk: Chunk) -> None:
        pass

    def ended(self) -> None:
        pass  # there are no more bytes; waiting for its prompt raises why it ended


@asynccontextmanager
async def flooding(shells: Sequence[Shell], line: str = YES) -> AsyncIterator[None]:
    """Every shell floods, its output read and dropped, until the end of the block; all flood when it begins,
    and all are back at their prompts after it.
    """
    try:
        for shell in shells:
            shell.connection.input(f"{line}\r".encode())
            await shell.connection.wait_for(_RUNS)
            shell.connection.hand_to(_Dropped())
        yield
        for shell in shells:
            # The others' output goes on being dropped meanwhile, and is not kept.
            shell.connection.hand_to(None)
            shell.connection.input(_INTERRUPT)
            await shell.prompted()
    finally:
        for shell in shells:
            shell.connection.hand_to(None)


def jain(shares: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has everything (Jain, Chiu, Hawe 1984)."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0
