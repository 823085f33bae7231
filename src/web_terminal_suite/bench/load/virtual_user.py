"""One session of a shard: its connection, what its owner does, and what became of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.bench.workload.typists import Typist
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.search import Chunk


class OutputMeter:
    """Output that all seats of a shard heard."""

    def __init__(self) -> None:
        self.heard_bytes = 0
        self.heard_pieces = 0


class VirtualUser:
    """Listens to its connection for as long as that lasts: counts, drops, and tells its typist.

    ``lost`` is called once, when the connection ends without our doing. ``busy`` is held by whoever reads from the
    connection or dials it anew.
    """

    def __init__(
        self,
        number: int,
        connection: ClientConnection,
        prompt: bytes,
        meter: OutputMeter,
        lost: Callable[[VirtualUser], None],
    ) -> None:
        self.number = number
        self.connection = connection
        self.prompt = prompt
        self.heard_bytes = 0
        self.typist: Typist | None = None
        self.busy = asyncio.Lock()
        self.is_lost = False
        self.is_wide = False
        self._meter = meter
        self._lost = lost
        connection.hand_to(self)

    def heard(self, chunk: Chunk) -> None:
        size = len(chunk.data)
        self.heard_bytes += size
        self._meter.heard_bytes += size
        self._meter.heard_pieces += 1
        if self.typist is not None:
            self.typist.heard(chunk)

    def ended(self) -> None:
        if self.typist is not None:
            self.typist.ended()
        if not self.is_lost:
            self.is_lost = True
            self._lost(self)

    @property
    def reason(self) -> str:
        """Why it is lost."""
        return str(self.connection.closed or "the shell ended")

    def listen(self, wanted: bool = True) -> None:
        """Hear what arrives again, or leave it to be read."""
        self.connection.hand_to(self if wanted else None)
