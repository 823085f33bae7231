"""Several sessions of one worker that flood: each is pumped in its turn, and between two turns everybody else is heard.

A terminal that always has more to read is always ready. Were all of them read whenever the loop comes round, a key
would wait for all of them, twice: on its way to the shell and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal.server.session import Pace

if TYPE_CHECKING:
    import asyncio

    from web_terminal.server.worker.hold import Hold


class Rota(Pace):
    """Who waits for a turn, in order. One turn each time the loop comes round."""

    __slots__ = ("_loop", "_scheduled", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._waiting: dict[Hold, None] = {}
        self._scheduled = False

    def __contains__(self, hold: Hold) -> bool:
        return hold in self._waiting

    def join(self, hold: Hold) -> None:
        """Wait for a turn, behind all others."""
        self._waiting[hold] = None
        self._schedule()

    def leave(self, hold: Hold) -> None:
        """Wait no more."""
        self._waiting.pop(hold, None)

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        hold = next(iter(self._waiting), None)
        if hold is not None:
            del self._waiting[hold]
            self._schedule()
            hold.take_turn()
