"""How whole messages leave a connection, and whether the compiled fast path serves it.

The slow path serves everything and is in Python. ``_fast_path.pyx`` is compiled where the build finds a C compiler. It
holds the same ``MessageListener``, which gathers replies to messages that came together, and the fast path itself.
``PURE_PYTHON=1`` in the environment asks for the slow path alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from picows import WSListener, WSMsgType

from web_terminal_suite.server.worker.protocols.protocol import HEAD_ROOM

if TYPE_CHECKING:
    from picows import WSFrame, WSTransport

    from web_terminal_suite.server.worker._fast_path import FastPath as CompiledFastPath


class SlowListener(WSListener):
    """A connection's frames in, and its whole messages out. All frames go to ``on_frame``."""

    __slots__ = ("fast",)

    def __init__(self) -> None:
        self.fast: CompiledFastPath | None = None
        """Offered each frame first, where the listener is the compiled one."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.on_frame(transport, frame)

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame on the slow path."""
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
if TYPE_CHECKING:
    MessageListener = SlowListener
else:
    MessageListener = SlowListener if WHY_SLOW else _fast_path.MessageListener
    if not WHY_SLOW:
        FastPath, lighten = _fast_path.FastPath, _fast_path.lighten
