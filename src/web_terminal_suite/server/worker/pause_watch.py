"""Sessions whose program waits for its viewers; the viewers are notified when that lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

# A shorter pause is ordinary flow control and not worth a message.
_ANNOUNCE_SECONDS = 1.0
# After this number of looks without a byte, the viewers lose their right to hold the program up.
_PATIENT_LOOKS = 5


class Pausable(Protocol):
    """A session that may be paused for lack of credit."""

    def output_end(self) -> int:
        """One past the last byte of output."""

    def announce(self, paused: bool) -> None:
        """Tell the viewers, once each way, that the program waits for them."""

    def lapse(self) -> None:
        """Wait no longer for viewers that do not acknowledge."""


class PauseWatch:
    """The paused sessions of one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._paused: dict[Pausable, int] = {}
        self._watching = False

    def pause(self, session: Pausable) -> None:
        """``session`` is not read for lack of credit; its viewers are notified if that lasts."""
        self._paused.setdefault(session, 0)
        if not self._watching:
            self._watching = True
            self._loop.call_later(_ANNOUNCE_SECONDS, self._look, {session: session.output_end()})

    def resume(self, session: Pausable) -> None:
        """``session`` is read again."""
        if session in self._paused:
            del self._paused[session]
            session.announce(False)

    def forget(self, session: Pausable) -> None:
        """``session`` is closed."""
        self._paused.pop(session, None)

    def _look(self, before: dict[Pausable, int]) -> None:
        for session in list(self._paused):
            if before.get(session) != session.output_end():
                self._paused[session] = 0
                continue
            session.announce(True)
            self._paused[session] += 1
            if self._paused[session] >= _PATIENT_LOOKS:
                session.lapse()
        self._watching = bool(self._paused)
        if self._paused:
            ends = {session: session.output_end() for session in self._paused}
            self._loop.call_later(_ANNOUNCE_SECONDS, self._look, ends)
