"""A virtual user: one session of a load generator, its connection, its typist and its state."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from web_terminal_suite.bench.workload.typists import Typist
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.search import Chunk


class OutputMeter:
    """Output that all virtual users of a load generator received."""

    def __init__(self) -> None:
        self.received_bytes = 0


class VirtualUser:
    """Listens to its connection until that ends: counts output, discards it, and passes it to the typist, if any.

    ``on_lost`` is called once, when the session ends although the load generator did not end it. ``turn`` is held
    during an operation, so that a session's operations follow each other.
    """

    def __init__(
        self,
        session: int,
        connection: ClientConnection,
        prompt: bytes,
        meter: OutputMeter,
        on_lost: Callable[[VirtualUser], None],
    ) -> None:
        self.session = session
        self.connection = connection
        self.prompt = prompt
        self.received_bytes = 0
        self.typist: Typist | None = None
        self.turn = asyncio.Lock()
        self.is_lost = False
        self.is_wide = False
        self._meter = meter
        self._on_lost = on_lost
        self.listen()

    def heard(self, chunk: Chunk) -> None:
        size = len(chunk.data)
        self.received_bytes += size
        self._meter.received_bytes += size
        if self.typist is not None:
            self.typist.heard(chunk)

    def ended(self) -> None:
        if self.typist is not None:
            self.typist.ended()
        if not self.is_lost:
            self.is_lost = True
            self._on_lost(self)

    @property
    def reason(self) -> str:
        """Why the session is lost."""
        return str(self.connection.closed or "the shell ended")

    def listen(self) -> None:
        """Receive the connection's output."""
        self.connection.hand_to(self)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """The block reads the connection's output by itself (``run``, ``wait_for``); nobody else does meanwhile."""
        self.stop_listening()
        try:
            yield
        finally:
            if self.connection.closed is None:
                self.listen()
            else:
                self.ended()

    def stop_listening(self) -> None:
        """Leave the output to explicit reads of the connection, until ``listen``."""
        self.connection.hand_to(None)
