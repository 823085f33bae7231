"""Clients from which nothing is heard: they are pinged, and let go if they do not answer; and viewers that stall.

Our own page pings every five seconds, so only other clients, and pages in tabs that the browser has put to sleep, are
ever pinged. Every WebSocket client answers (RFC 6455 section 5.5.2), a sleeping tab as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

# Three pings of a page come in three of these; then three of ours go unanswered.
_LOOK_SECONDS = 5.0
# Looked at in one turn of the loop.
_TURN = 256


class SilenceWatch:
    """Looks at all ``connections`` of a worker in turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: Collection[Any]) -> None:
        self._loop = loop
        self._connections = connections

    def start(self) -> None:
        """Look from now on, for as long as the loop runs."""
        self._loop.call_later(_LOOK_SECONDS, self._look, [])

    def _look(self, left: list[Any]) -> None:
        left = left or list(self._connections)
        for each in left[:_TURN]:
            viewer = getattr(each, "connection", None)  # an HTTP connection has none
            if viewer is not None:
                viewer.note_silence()
                viewer.note_stall()
        left = left[_TURN:]
        self._loop.call_later(0.0 if left else _LOOK_SECONDS, self._look, left)
