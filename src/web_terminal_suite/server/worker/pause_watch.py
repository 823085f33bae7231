"""Sessions whose program waits for its viewers; the viewers are notified when that lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

# A shorter pause is ordinary flow control and not worth a message.
_ANNOUNCE_SECONDS = 1.0


class Pausable(Protocol):
    """A session that may be paused for lack of credit."""

    def output_end(self) -> int:
        """One past the last byte of output."""

    def announce(self, paused: bool) -> None:
        """Tell the viewers, once each way, that the program waits for them."""


class PauseWatch:
    """The paused sessions of one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._paused: set[Pausable] = set()
        self._watching = False

    def pause(self, session: Pausable) -> None:
        """``session`` is not read for lack of credit; its viewers are notified if that lasts."""
        self._paused.add(session)
        if not self._watching:
            self._watching = True
            self._loop.call_later(_ANNOUNCE_SECONDS, self._look, {session: session.output_end()})

    def resume(self, session: Pausable) -> None:
        """``session`` is read again."""
        if session in self._paused:
            self._paused.discard(session)
            session.announce(False)

    def forget(self, session: Pausable) -> None:
        """``session`` is closed."""
        self._paused.discard(session)

    def _look(self, before: dict[Pausable, int]) -> None:
        for session in list(self._paused):
            if before.get(session) == session.output_end():
                session.announce(True)
        self._watching = bool(self._paused)
        if self._paused:
            ends = {session: session.output_end() for session in self._paused}
            self._loop.call_later(_ANNOUNCE_SECONDS, self._look, ends)
