"""Everything that is open on a worker's port, HTTP and WebSocket, and the memory that goes when a crowd has left."""

from __future__ import annotations

from typing import Any

from web_terminal_suite.server import launch

# From this many connections on, memory is returned to the system once only one in _REMAINING of them is left.
_CROWD = 256
_REMAINING = 16


class OpenConnections:
    """A set of connections, which uvicorn adds to as well. ``enter`` and ``leave`` are called for WebSockets."""

    def __init__(self, connections: set[Any]) -> None:
        self.all = connections
        # The most at once since memory was returned, and whether that was done while some were still open.
        self._most = 0
        self._some_remained = False

    def enter(self, websocket: Any) -> None:
        """Add a WebSocket."""
        self.all.add(websocket)
        self._most = max(self._most, len(self.all))

    def leave(self, websocket: Any) -> None:
        """Remove a WebSocket. Returns memory when most of a crowd have left, and again after the last."""
        self.all.discard(websocket)
        left = len(self.all)
        if (self._most >= _CROWD and left <= self._most // _REMAINING) or (self._some_remained and not left):
            self._most = left
            self._some_remained = left > 0
            launch.give_back()
