"""Many WebSocket messages in one write: what a client that batches sends, and what costs this client least.

The frames are made beforehand, so that between the clock's two readings the client does little but count answers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from web_terminal.bench.clock import now_ns
from web_terminal.client.errors import Closed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web_terminal.client.connection import Connection
    from web_terminal.protocol.codec import Frame

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


def write_at_once(connection: Connection, volley: bytes) -> int:
    """Hand framed messages to the kernel in one call; the moment before.

    Raises:
        Closed
    """
    if connection.closed is not None:
        raise connection.closed
    # The connection offers one message a write. Its transport is idle here, so nothing can overtake what it holds.
    transport = connection._transport
    if transport is None:
        raise Closed(1006, "not connected")
    sent_ns = now_ns()
    transport.underlying_transport.write(volley)
    return sent_ns


def _head(frame: Frame) -> bytes:
    first = _TEXT if frame.text else _BINARY
    size = len(frame.payload)
    if size < _SHORT_LIMIT:
        return struct.pack(">BB", first, _MASKED | size) + _KEY
    if size < _LONG_LIMIT:
        return struct.pack(">BBH", first, _MASKED | 126, size) + _KEY
    return struct.pack(">BBQ", first, _MASKED | 127, size) + _KEY
