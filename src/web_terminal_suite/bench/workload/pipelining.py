"""Many WebSocket messages in one write: what a client that batches sends, and what costs this client least.

The frames are made beforehand and the answers compared afterwards, so that between the clock's two readings the client
does little but count: a client as busy as the server would measure itself.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.client.dialect import Dialect
from web_terminal_suite.client.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.dialect import Event
    from web_terminal_suite.protocol import messages as m
    from web_terminal_suite.protocol.codec import Frame

# RFC 6455 section 5.2: final frame of a text or binary message; a client's payload is masked.
_TEXT: Final = 0x81
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_SHORT_LIMIT: Final = 126
_LONG_LIMIT: Final = 1 << 16
# A key of zeros leaves the payload as it is. The server unmasks it like any other; nothing listens on the way.
_KEY: Final = bytes(4)


def framed(frames: Iterable[Frame]) -> bytes:
    """Messages as the bytes of masked WebSocket frames, one behind the other."""
    return b"".join(_head(frame) + frame.payload for frame in frames)


class ReplyCounter(Dialect):
    """A connection's own protocol, but what comes is kept as it is and counted, not read."""

    def __init__(self, protocol: Dialect) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self._protocol = protocol
        self._wanted = 0
        self._complete: asyncio.Future[int] | None = None

    async def count(self, wanted: int, connection: ClientConnection) -> int:
        """The moment the last of ``wanted`` messages had come, those already ``heard`` included.

        Raises:
            TimedOut, Closed
        """
        if len(self.heard) >= wanted:
            return now_ns()
        self._wanted = wanted
        self._complete = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(connection.timeout):
                return await self._complete
        except TimeoutError as error:
            raise connection.closed or TimedOut(f"{wanted} answers", connection.timeout) from error

    def read(self, text: bool, payload: bytes) -> Event | None:
        self.heard.append(payload)
        if len(self.heard) == self._wanted and self._complete is not None and not self._complete.done():
            self._complete.set_result(now_ns())
        return None

    @property
    def ready(self) -> bool:
        return self._protocol.ready

    def attach(self, request: m.Attach) -> tuple[Frame, ...]:
        return self._protocol.attach(request)

    def input(self, data: bytes) -> Frame:
        return self._protocol.input(data)

    def resize(self, cols: int, rows: int) -> Frame:
        return self._protocol.resize(cols, rows)

    def close(self, destroy: bool) -> Frame | None:
        return self._protocol.close(destroy)


def _head(frame: Frame) -> bytes:
    first = _TEXT if frame.text else _BINARY
    size = len(frame.payload)
    if size < _SHORT_LIMIT:
        return struct.pack(">BB", first, _MASKED | size) + _KEY
    if size < _LONG_LIMIT:
        return struct.pack(">BBH", first, _MASKED | 126, size) + _KEY
    return struct.pack(">BBQ", first, _MASKED | 127, size) + _KEY
