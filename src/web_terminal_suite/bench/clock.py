"""The one clock of a run, and schedules on it.

An *open loop* sends at moments fixed beforehand, however late answers are; its latencies count from those moments
(``due``), so a stall delays what it delayed. Linux only: ``timerfd_create(2)``.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

now_ns = time.perf_counter_ns
"""Integer nanoseconds of one monotonic clock (``CLOCK_MONOTONIC``), the same in every process of the machine."""

SECOND_NS: Final = 1_000_000_000
# An idle processor takes up to some 0.1 ms to wake, which would be counted as the server's: the rest of a wait is spun.
_SPIN_NS: Final = 100_000
# timerfd_create(2); Python has it as os.timerfd_create from 3.13 on.
_CLOCK_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE: Final = 1


class _Setting(ctypes.Structure):
    """``struct itimerspec``: an interval, which we leave at 0, and the moment."""

    _fields_ = (("interval", ctypes.c_long * 2), ("moment", ctypes.c_long * 2))


class Timer:
    """Calls back at a moment of ``now_ns``, to microseconds where the timers of event loops have milliseconds."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._expired)

    def set(self, moment_ns: int) -> None:
        """Call back at ``moment_ns``, soon if that has passed, and not at the moment that was set before."""
        moment_ns = max(1, moment_ns)  # 0 would disarm it
        setting = _Setting(moment=(moment_ns // SECOND_NS, moment_ns % SECOND_NS))
        if self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # set anew between the expiry and this call
        self._ring()


class Alarm:
    """Wakes one task at moments of ``now_ns``.

    Made by ``alarm``. The end of each wait is spun, so nothing else runs in this loop meanwhile.
    """

    def __init__(self, spin_ns: int = _SPIN_NS) -> None:
        self._spin_ns = spin_ns
        self._timer = Timer(self._ring)
        self._loop = asyncio.get_running_loop()
        self._rung: asyncio.Future[None] | None = None

    async def until(self, moment_ns: int) -> bool:
        """Return at ``moment_ns``, or at once when it has passed; whether anything else could run meanwhile."""
        early_ns = moment_ns - self._spin_ns
        sleeps = now_ns() < early_ns
        if sleeps:
            self._rung = self._loop.create_future()
            self._timer.set(early_ns)
            await self._rung
        while now_ns() < moment_ns:
            pass
        return sleeps

    def close(self) -> None:
        self._timer.close()

    def _ring(self) -> None:
        if self._rung is not None and not self._rung.done():
            self._rung.set_result(None)


@contextmanager
def alarm(spin_ns: int = _SPIN_NS) -> Iterator[Alarm]:
    """An alarm, its descriptor closed with the block."""
    each = Alarm(spin_ns)
    try:
        yield each
    finally:
        each.close()


async def play(rate: float, count: int, act: Callable[[int, int], None]) -> None:
    """Call ``act(number, due_ns)`` for each of ``count`` moments, ``rate`` a second: the schedule of an open loop.

    It begins one beat from now.
    """
    interval_ns = round(SECOND_NS / rate)
    first_ns = now_ns() + interval_ns
    await keep((first_ns + number * interval_ns for number in range(count)), act)


async def keep(moments: Iterable[int], act: Callable[[int, int], None], spin_ns: int = _SPIN_NS) -> None:
    """Call ``act(number, due_ns)`` at each of ``moments``, which ascend.

    What falls behind is caught up with, one by one and each with the moment it was due; none is left out, and answers
    are read in between.
    """
    with alarm(spin_ns) as each:
        for number, due_ns in enumerate(moments):
            if not await each.until(due_ns):
                await asyncio.sleep(0)
            act(number, due_ns)
