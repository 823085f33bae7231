"""A shell's life: a pseudo-terminal, its log and the viewers that follow it. No sockets and no messages.

Whoever reads the terminal into the log *pumps* the session: the worker with its first viewer, or the PTY host while
nobody looks. Pressure becomes waiting in one place, ``Session.allowance``: when the viewer that is furthest ahead
lacks credit, the terminal is not read, the kernel's buffer fills and the program waits.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from web_terminal.protocol.window import Window
from web_terminal.server.log import Overrun
from web_terminal.server.pty import FULL_READ_BYTES

if TYPE_CHECKING:
    from web_terminal.server.log import Log
    from web_terminal.server.pty import Pty

# Work done for one session before the loop turns to the others, so that a flood cannot starve a typist.
PUMP_BYTES = 64 * 1024

# Input that waits for a program which does not read; beyond it input is refused.
INPUT_BYTES = 1 << 20


class SessionState(Enum):
    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


MOVES: dict[SessionState, tuple[SessionState, ...]] = {
    SessionState.STARTING: (SessionState.RUNNING, SessionState.ENDED),
    SessionState.RUNNING: (SessionState.ENDING, SessionState.ENDED),
    SessionState.ENDING: (SessionState.ENDED,),
    SessionState.ENDED: (),
}


class Pumped(Enum):
    """Why reading stopped."""

    EMPTY = "empty"
    """The terminal has nothing more now."""
    MORE = "more"
    """The budget is used up; there may be more."""
    PACED = "paced"
    """The viewers must catch up first."""
    END = "end"
    """No process holds the terminal any more."""


class Viewer(Protocol):
    """Somebody who follows a session's log."""

    def credit_end(self) -> int:
        """One past the last offset this viewer may be sent before it acknowledges more."""

    def advance(self) -> None:
        """The log grew: send what may be sent."""


class Cursor:
    """One viewer's place in a log and its credit. What was sent lies before ``window.sent``."""

    __slots__ = ("log", "window")

    def __init__(self, log: Log, offset: int, window_bytes: int) -> None:
        self.log = log
        self.window = Window(window_bytes, offset)

    def ready(self, frame_bytes: int) -> int:
        """Bytes that may be sent now in one frame of at most ``frame_bytes``; 0 when caught up or out of credit."""
        return min(self.log.end - self.window.sent, self.window.room(), frame_bytes)

    def take(self, buffer: bytearray, count: int) -> int:
        """Append the next ``count`` bytes to ``buffer``; gives the offset they start at.

        Raises:
            Overrun: they fell out of the log; ``skip`` to its start and say so.
        """
        offset = self.window.sent
        self.log.append_to(buffer, offset, count)
        self.window.sent = offset + count
        return offset

    def skip(self, overrun: Overrun) -> tuple[int, int]:
        """Go on at the oldest byte there is; gives the range that was lost."""
        lost = (self.window.sent, overrun.start)
        self.window.skip(overrun.start)
        return lost


class Session:
    """A terminal, its log, its viewers, and input the terminal has not taken yet."""

    __slots__ = ("_input", "log", "pty", "viewers")

    def __init__(self, pty: Pty, log: Log) -> None:
        self.pty = pty
        self.log = log
        self.viewers: list[Viewer] = []
        self._input = bytearray()

    def allowance(self) -> int:
        """Bytes that may be read from the terminal now; without viewers only the budget bounds it."""
        if not self.viewers:
            return PUMP_BYTES
        furthest = 0
        for viewer in self.viewers:
            credit_end = viewer.credit_end()
            if credit_end > furthest:
                furthest = credit_end
        return min(PUMP_BYTES, furthest - self.log.end)

    def pump(self) -> Pumped:
        """Read the terminal into the log, at most ``PUMP_BYTES``, then let every viewer advance."""
        before = left = self.allowance()
        result = Pumped.MORE if left > 0 else Pumped.PACED
        try:
            while left > 0:
                count = self.log.fill(self.pty.read_into, left)
                if count == 0:
                    result = Pumped.END
                    break
                left -= count
                if count < FULL_READ_BYTES:  # a short read: asking again would only cost a call
                    result = Pumped.EMPTY
                    break
        except BlockingIOError:
            result = Pumped.EMPTY
        if left < before:
            for viewer in self.viewers:
                viewer.advance()
        return result

    def drain(self) -> None:
        """Read what the kernel still holds of a process that ended, whatever the viewers' credit.

        Windows are at most half the log and the kernel holds less than the other half, so nothing is lost. The bound
        matters when a background process still writes.
        """
        left = self.log.capacity // 2
        try:
            while left > 0:
                count = self.log.fill(self.pty.read_into, min(left, PUMP_BYTES))
                if count == 0:
                    break
                left -= count
        except BlockingIOError:
            pass  # empty: drained
        for viewer in self.viewers:
            viewer.advance()

    def write(self, data: bytes | memoryview) -> bool:
        """Type ``data``; whether it was taken or kept. It is refused whole when too much waits already."""
        if self._input:
            if len(self._input) + len(data) > INPUT_BYTES:
                return False
            self._input += data
            return True
        taken = self.pty.write(data)
        if taken < len(data):
            self._input += data[taken:]
        return True

    @property
    def input_waits(self) -> bool:
        """Whether the terminal must become writable first."""
        return bool(self._input)

    def write_waiting(self) -> None:
        """Type what waits, as far as the terminal takes it."""
        while self._input:
            # One line-discipline buffer at a time: the kernel takes no more, and a slice is a copy.
            taken = self.pty.write(bytes(self._input[:4096]))
            if taken == 0:
                return
            del self._input[:taken]
