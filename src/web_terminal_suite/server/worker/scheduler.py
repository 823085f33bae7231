"""Who is read in turn rather than when it is readable: sessions of one worker that flood, or that speak in gasps.

A terminal that always has more to read is always ready. Were all of them read whenever the loop comes round, a key
would wait for all of them, twice: on its way to the shell and back.

And a program that writes as fast as it is read never has much to give: each look costs a wake-up, a read and a frame
for a line or two. Left alone for a moment it fills the kernel's buffer, and one turn takes it all.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from web_terminal_suite.server.session import ReadBudget

if TYPE_CHECKING:
    import asyncio

    from web_terminal_suite.server.worker.attachment import Attachment

# Shorter, and less has gathered; longer, and at 64 KiB the kernel makes the program wait.
_REST_NS = 150_000
# timerfd_create(2); Python has it as os.timerfd_create from 3.13 on. An event loop's own timers have milliseconds.
_CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_TIMES_RUNG_BYTES = 8


class CoalescingTimer:
    """A timer in the kernel: ``fd`` is readable ``_REST_NS`` after ``set``, until ``clear``.

    Raises:
        OSError: no descriptor is left.
    """

    __slots__ = ("_libc", "_setting", "fd")

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        # struct itimerspec: no interval, and the time from now in seconds and nanoseconds.
        self._setting = (ctypes.c_long * 4)(0, 0, 0, _REST_NS)
        self.fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self) -> None:
        self._libc.timerfd_settime(self.fd, 0, self._setting, None)

    def clear(self) -> bool:
        """Whether it has rung since it was set."""
        try:
            return bool(os.read(self.fd, _TIMES_RUNG_BYTES))
        except BlockingIOError:  # set anew between its ringing and now
            return False

    def close(self) -> None:
        os.close(self.fd)


class Scheduler(ReadBudget):
    """Who waits for a turn, in order, and who rests before it does. One turn each time the loop comes round."""

    __slots__ = ("_alarm", "_loop", "_resting", "_scheduled", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._waiting: dict[Attachment, None] = {}
        self._resting: dict[Attachment, None] = {}
        self._scheduled = False
        self._alarm = CoalescingTimer()
        loop.add_reader(self._alarm.fd, self._rested)

    def close(self) -> None:
        """Release the alarm; nobody waits any more."""
        self._loop.remove_reader(self._alarm.fd)
        self._alarm.close()

    def __contains__(self, hold: Attachment) -> bool:
        return hold in self._waiting or hold in self._resting

    def join(self, hold: Attachment) -> None:
        """Wait for a turn, behind all others."""
        self._waiting[hold] = None
        self._schedule()

    def rest(self, hold: Attachment) -> None:
        """Wait a moment, at most as long as the alarm takes, and then for a turn."""
        if not self._resting:
            self._alarm.set()
        self._resting[hold] = None

    def leave(self, hold: Attachment) -> None:
        """Wait no more."""
        self._waiting.pop(hold, None)
        self._resting.pop(hold, None)

    def _rested(self) -> None:
        if self._alarm.clear():
            self._waiting.update(self._resting)
            self._resting.clear()
            self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        hold = next(iter(self._waiting), None)
        if hold is not None:
            del self._waiting[hold]
            self._schedule()
            hold.take_turn()
