"""How whole messages leave a connection, and whether the compiled fast path serves it.

The slow path serves everything and is in Python. ``_fast_path.pyx`` is compiled where the build finds a C compiler. It
holds the same ``MessageListener``, which gathers replies to messages that came together, and the fast path itself.
``PURE_PYTHON=1`` in the environment asks for the slow path alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from picows import WSListener, WSMsgType
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal_suite.server.worker.protocols.protocol import HEAD_ROOM
from web_terminal_suite.server.worker.turn import BULK_READ_BYTES, FEW_FRAMES, READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from picows import WSFrame, WSTransport

    from web_terminal_suite.server.worker._fast_path import FastPath as CompiledFastPath


class SlowListener(WSListener):
    """A connection's frames in, and its whole messages out. All frames go to ``on_frame``."""

    __slots__ = ("fast", "heard")

    def __init__(self) -> None:
        self.heard = True
        """Whether a frame came since this was last set to false."""
        self.fast: CompiledFastPath | None = None
        """Offered each frame first, where the listener is the compiled one."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        global _frames
        _frames += 1
        self.heard = True
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.on_reserved_bits()
        else:
            self.on_frame(transport, frame)

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame on the slow path."""
        raise NotImplementedError

    def on_reserved_bits(self) -> None:
        """A frame has a bit set that stands for an extension."""
        raise NotImplementedError

    def gather(self, transport: WSTransport, head: bytes = b"") -> None:
        """Send ``head``. It may wait for what ``put`` sends from now on, until ``flush``."""
        if head:
            transport.underlying_transport.write(head)

    def put(self, transport: WSTransport, kind: WSMsgType, buffer: bytearray) -> None:
        """Send a whole message, which lies in ``buffer`` behind ``HEAD_ROOM``.

        It may be kept until ``flush`` after ``gather``, and while more messages of this client lie in the buffer that
        the one being answered came in.

        Not with picows' ``send``: above 8 KiB, when the socket is full, it leaves the transport a view of its own
        buffer as the frame's head, and the next frame writes over it.
        """
        transport.send_reuse_external_bytearray(kind, buffer, HEAD_ROOM)

    def flush(self, transport: WSTransport) -> None:
        """Send what was kept, all in one."""


# What the last `get_buffer` gave; a worker has one thread, and reads into it before the next.
_offered = 0
# Frames of the last read, and the WebSocket that may fill a larger one, see `turn`.
_frames = 0
_bulky = 0


def _get_buffer(websocket: Any, size_hint: int) -> memoryview:
    """Where the next read of a WebSocket goes: at most ``READ_BYTES``, or ``BULK_READ_BYTES``."""
    global _offered
    most = BULK_READ_BYTES if id(websocket) == _bulky else READ_BYTES
    room: memoryview = WSProtocol.get_buffer(websocket, size_hint)
    if len(room) > most:
        room = room[:most]
    _offered = len(room)
    return room


def _buffer_updated(websocket: Any, count: int) -> None:
    """Handle what was read, and call ``filled`` where it was as much as it could be."""
    global _bulky, _frames
    full = count == _offered
    _frames = 0
    WSProtocol.buffer_updated(websocket, count)
    if full:
        if _frames <= FEW_FRAMES:
            _bulky = id(websocket)
        elif _bulky == id(websocket):
            _bulky = 0
        websocket.filled()


def _lighten(transport: WSTransport) -> None:
    """Let a connection drop what is not needed after its handshake: the headers of both messages."""
    transport.request.headers.clear()
    transport.response.headers.clear()


WHY_SLOW = "PURE_PYTHON is set"
"""Why there is no fast path; empty where there is one."""

if not os.environ.get("PURE_PYTHON"):
    try:
        from web_terminal_suite.server.worker import _fast_path

        WHY_SLOW = ""
    except (ImportError, ValueError) as error:  # it was not built, or for another picows: ValueError is Cython's
        WHY_SLOW = str(error)

FastPath: type[CompiledFastPath] | None = None
lighten = _lighten
get_buffer: Callable[[Any, int], memoryview] = _get_buffer
buffer_updated: Callable[[Any, int], None] = _buffer_updated
if TYPE_CHECKING:
    MessageListener = SlowListener
else:
    MessageListener = SlowListener if WHY_SLOW else _fast_path.MessageListener
    if not WHY_SLOW:
        FastPath, lighten = _fast_path.FastPath, _fast_path.lighten
        get_buffer, buffer_updated = _fast_path.get_buffer, _fast_path.buffer_updated
