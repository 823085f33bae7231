"""A shell's life: a pseudo-terminal, its log and the viewers that follow it. No sockets and no messages.

The process that reads the terminal into the log *pumps* the session: the worker with its first viewer, or the PTY host
while the session has no viewer. Back-pressure is applied in one place, ``Session.allowance``: when the viewer that is
furthest ahead lacks credit, the terminal is not read, the kernel's buffer fills and the program waits.
"""

from __future__ import annotations

from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from web_terminal_suite.protocol.window import Window
from web_terminal_suite.server.input_queue import InputQueue
from web_terminal_suite.server.log import Overrun
from web_terminal_suite.server.pty import FULL_READ_BYTES

if TYPE_CHECKING:
    from web_terminal_suite.server.client_input import ClientInput, InputPipe
    from web_terminal_suite.server.input_queue import HeldInput
    from web_terminal_suite.server.log import Log
    from web_terminal_suite.server.pty import Pty

# Claimed for one read of a terminal, which gives less: so much is lost at most if the reader is killed.
READ_BYTES = FULL_READ_BYTES + 1
# Read at once from a session that floods while no other is active, and from one that must not keep others waiting.
TURN_BYTES = 32 * 1024
SHARED_TURN_BYTES = 8 * 1024
# How long a user is assumed to go on typing after a keystroke.
TYPING_SECONDS = 1.0
# So much in a turn that ends the terminal's output for now: the program is likely to go on.
BULK_BYTES = 4 * 1024
# The bounds of a coalescing delay. Longer, and the 64 KiB that the kernel keeps are full: the program waits. Shorter,
# and the timer costs more than it gathers.
LONGEST_DELAY_NS = 150_000
SHORTEST_DELAY_NS = 10_000

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
    PART = "part"
    """Much was read, nothing is left, and the turn before was no full one: the program is slower than its reader."""
    MORE = "more"
    """The budget is used up; there may be more."""
    PACED = "paced"
    """The viewers must catch up first."""
    END = "end"
    """No process holds the terminal any more."""


class Viewer(Protocol):
    """Follows a session's log."""

    def credit_end(self) -> int:
        """One past the last offset this viewer may be sent before it acknowledges more; 0 if it does not pace."""

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
        sent = self.window.sent
        return min(self.log.end_from(sent) - sent, self.window.room(), frame_bytes)

    def take(self, buffer: bytearray, count: int) -> int:
        """Append the next ``count`` bytes to ``buffer``; gives the offset they start at.

        Raises:
            Overrun: they fell out of the log; ``skip`` to its start and report the gap.
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


class ReadBudget:
    """How much each session of this process may pump before the others have their turn.

    ``floods`` is how many flood now; ``typed`` the session that was typed into last, by its process, and when that was.
    """

    __slots__ = ("floods", "typed", "typed_at")

    def __init__(self) -> None:
        self.floods = 0
        self.typed = 0
        self.typed_at = -TYPING_SECONDS

    def share(self, session: Session) -> int:
        """Bytes of ``session`` in one turn: less where others flood or are typed into."""
        if self.floods > 1 or (self.typed != session.pty.pid and monotonic() - self.typed_at < TYPING_SECONDS):
            return SHARED_TURN_BYTES
        return TURN_BYTES


class CoalescingDelay:
    """How long to leave a program alone before its terminal is read again, from what the delays before gathered.

    A delay that gathered more than a turn's share is halved: the program may have waited. One that gathered less is
    lengthened by a quarter.
    """

    __slots__ = ("_ns", "_waited")

    def __init__(self) -> None:
        self._ns = LONGEST_DELAY_NS
        self._waited = False

    def next_ns(self) -> int:
        """The terminal is empty: the delay before it is read again."""
        if self._waited:
            self._ns = min(self._ns + self._ns // 4, LONGEST_DELAY_NS)
        self._waited = True
        return self._ns

    def note_full_turn(self) -> None:
        """More than a turn's share was there."""
        if self._waited:
            self._ns = max(self._ns // 2, SHORTEST_DELAY_NS)
        self._waited = False


class Session:
    """A terminal, its log, its viewers, and input the terminal has not taken yet.

    ``budget`` is shared by all sessions that one loop pumps. ``floods`` is true while more than a turn's share is left.
    ``held_elsewhere`` is input that another process types first; ``pipe`` is what numbered input is typed through.
    """

    __slots__ = ("_input", "budget", "floods", "held_elsewhere", "log", "pipe", "pty", "viewers")

    def __init__(self, pty: Pty, log: Log, budget: ReadBudget | None = None) -> None:
        self.pty = pty
        self.log = log
        self.budget = budget or ReadBudget()
        self.floods = False
        self.viewers: list[Viewer] = []
        self.held_elsewhere = 0
        self.pipe: InputPipe | None = None
        self._input: InputQueue | None = None

    def note_flood(self, floods: bool) -> None:
        """This session has more output than its share, or no longer does."""
        if floods != self.floods:
            self.floods = floods
            self.budget.floods += 1 if floods else -1

    def allowance(self) -> int:
        """Bytes that may be read from the terminal now; without a viewer that paces only the turn bounds it."""
        share = self.budget.share(self)
        furthest = 0
        for viewer in self.viewers:
            credit_end = viewer.credit_end()
            if credit_end > furthest:
                furthest = credit_end
        return min(share, furthest - self.log.end) if furthest else share

    def pump(self) -> Pumped:
        """Read the terminal into the log, at most a turn's share, then let every viewer advance."""
        before = left = self.allowance()
        result = Pumped.MORE if left > 0 else Pumped.PACED
        try:
            while left > 0:
                count = self.log.fill(self.pty.read_into, min(left, READ_BYTES))
                if count == 0:
                    result = Pumped.END
                    break
                left -= count
                # A short read: asking again only costs a call, unless the kernel is refilling what was just emptied.
                if count < FULL_READ_BYTES and (before - left < BULK_BYTES or before <= SHARED_TURN_BYTES):
                    result = Pumped.EMPTY
                    break
        except BlockingIOError:
            result = Pumped.EMPTY
        if result is Pumped.EMPTY and before - left >= BULK_BYTES and not self.floods:
            result = Pumped.PART
        self.note_flood(result is Pumped.MORE)
        if left < before:
            for viewer in self.viewers:
                viewer.advance()
        return result

    def drain(self) -> None:
        """Read what the kernel still has of a process that ended, regardless of the viewers' credit.

        Windows are at most half the log and the kernel holds less than the other half, so nothing is lost. The bound
        matters when a background process still writes.
        """
        self.note_flood(False)
        left = self.log.capacity // 2
        try:
            while left > 0:
                count = self.log.fill(self.pty.read_into, min(left, READ_BYTES))
                if count == 0:
                    break
                left -= count
        except BlockingIOError:
            pass  # empty: drained
        for viewer in self.viewers:
            viewer.advance()

    def write(self, data: bytes | memoryview, client: ClientInput | None = None) -> bool:
        """Type ``data``, of ``client`` where it is numbered; whether it was taken or kept.

        It is refused whole when too much waits already; then it counts as taken.
        """
        self.budget.typed, self.budget.typed_at = self.pty.pid, monotonic()
        if client is not None:
            client.accept(len(data))
        if self.input_waits:
            if self.waiting_bytes + len(data) > INPUT_BYTES:
                if client is not None:
                    self._queue().skip(client, len(data))
                return False
            self._queue().keep(client, data)
            return True
        taken = self.pty.write(data) if client is None else client.type(self.pty, data, self.pipe)
        if taken < len(data):
            self._queue().keep(client, memoryview(data)[taken:])
        return True

    def interrupt(self, client: ClientInput | None = None) -> int | None:
        """Type Ctrl-C, of ``client``, ahead of the input that waits, which is dropped; how many bytes that was.

        ``None`` where Ctrl-C is an ordinary character: nothing was done.
        """
        if not self.pty.interrupt():
            return None
        self.budget.typed, self.budget.typed_at = self.pty.pid, monotonic()
        dropped = 0
        if self._input is not None:
            dropped, self._input = self._input.drop(), None
        if client is not None:
            client.accept(1)
            if self.held_elsewhere:  # there may be more of this client, which is counted first
                self._queue().skip(client, 1)
            else:
                client.settle(1)
        return dropped

    def _queue(self) -> InputQueue:
        if self._input is None:  # an empty one of thousands of idle sessions would take 600 bytes each
            self._input = InputQueue()
        return self._input

    @property
    def input_waits(self) -> bool:
        """Whether input must wait: for the terminal to become writable, or for another process."""
        return self._input is not None or self.held_elsewhere > 0

    @property
    def waiting_bytes(self) -> int:
        """Input that the terminal has not taken."""
        return self.held_elsewhere + (0 if self._input is None else self._input.held_bytes)

    def write_waiting(self) -> None:
        """Type what waits here, as far as the terminal takes it."""
        if self._input is not None and not self.held_elsewhere:
            self._input.write(self.pty, self.pipe)
            if not self._input:
                self._input = None

    def offset_of(self, client: ClientInput) -> int:
        """How much of one client's input does not wait here: the terminal took it, or another process has it."""
        return client.accepted - (0 if self._input is None else self._input.waiting_of(client))

    def take_waiting(self, client: ClientInput | None = None) -> list[HeldInput]:
        """What waits here, of ``client`` or of everybody; it is removed."""
        if self._input is None:
            return []
        held = self._input.take_all() if client is None else self._input.take(client)
        if not self._input:
            self._input = None
        return held
