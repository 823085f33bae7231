"""Round-robin reading for sessions that flood, and coalescing for sessions that write in small bursts.

A terminal that always has more to read is always ready. If all of them were read whenever the loop comes round, a key
would wait for all of them, twice: on its way to the shell and back.

A program that writes as fast as it is read never has much to give: each look costs a wake-up, a read and a frame for a
line or two. Left alone for a moment it fills the kernel's buffer, and one turn takes it all. How long that moment is
depends on the program (``session.CoalescingDelay``).
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Protocol

from web_terminal_suite.server.session import ReadBudget

if TYPE_CHECKING:
    import asyncio

# timerfd_create(2); Python has it as os.timerfd_create from 3.13 on. An event loop's own timers have milliseconds.
_CLOCK_MONOTONIC = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_EXPIRATIONS_BYTES = 8


class CoalescingTimer:
    """A timer in the kernel: ``fd`` is readable some time after ``set``, until ``clear``.

    Raises:
        OSError: no descriptor is left.
    """

    __slots__ = ("_libc", "_setting", "fd")

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        # struct itimerspec: no interval, and the time from now in seconds and nanoseconds.
        self._setting = (ctypes.c_long * 4)()
        self.fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, delay_ns: int) -> None:
        self._setting[3] = delay_ns
        self._libc.timerfd_settime(self.fd, 0, self._setting, None)

    def clear(self) -> bool:
        """Whether it has expired since it was set."""
        try:
            return bool(os.read(self.fd, _EXPIRATIONS_BYTES))
        except BlockingIOError:  # set again between its expiration and now
            return False

    def close(self) -> None:
        os.close(self.fd)


class Schedulable(Protocol):
    """A session that is read in turns."""

    def run_once(self) -> None:
        """Read once. The session joins again if it must have another turn."""


class Scheduler(ReadBudget):
    """A run queue of sessions, and those that wait for their output to coalesce before they join it.

    One session is read each time the loop comes round.
    """

    __slots__ = ("_coalescing", "_loop", "_queue", "_scheduled", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._queue: dict[Schedulable, None] = {}
        self._coalescing: dict[Schedulable, None] = {}
        self._scheduled = False
        self._timer = CoalescingTimer()
        loop.add_reader(self._timer.fd, self._coalesced)

    def close(self) -> None:
        """Release the timer; no session is read any more."""
        self._loop.remove_reader(self._timer.fd)
        self._timer.close()

    def __contains__(self, session: Schedulable) -> bool:
        return session in self._queue or session in self._coalescing

    def join(self, session: Schedulable) -> None:
        """Queue ``session`` behind all others."""
        self._queue[session] = None
        self._schedule()

    def coalesce(self, session: Schedulable, delay_ns: int) -> None:
        """Queue ``session`` after ``delay_ns``, or with the sessions that wait already."""
        if not self._coalescing:
            self._timer.set(delay_ns)
        self._coalescing[session] = None

    def leave(self, session: Schedulable) -> None:
        """Remove ``session`` from the queue."""
        self._queue.pop(session, None)
        self._coalescing.pop(session, None)

    def _coalesced(self) -> None:
        if self._timer.clear():
            self._queue.update(self._coalescing)
            self._coalescing.clear()
            self._schedule()

    def _schedule(self) -> None:
        if self._queue and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run_next)

    def _run_next(self) -> None:
        self._scheduled = False
        session = next(iter(self._queue), None)
        if session is not None:
            del self._queue[session]
            self._schedule()
            session.run_once()
