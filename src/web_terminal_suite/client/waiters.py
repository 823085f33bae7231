"""Who waits for the next change of a connection, and until when.

A timer for each wait would be made and cancelled for every key typed: a quarter of what a round trip costs this
client. So all waits share one, which rings at the earliest deadline there was and then looks who is still there.
"""

from __future__ import annotations

import asyncio
import math


class Waiters:
    """Tasks that sleep until ``wake``, each up to a deadline of the loop's clock. For one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def change(self, deadline: float) -> asyncio.Future[None]:
        """Done at the next ``wake``; look then whether it was the change that was waited for.

        Its exception is a TimeoutError where there was none before ``deadline``, which may be infinite.
        """
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.append((deadline, waiter))
        if deadline < self._rings_at:
            self._ring_at(deadline, loop)
        return waiter

    def wake(self) -> None:
        """Let every waiter check its condition again."""
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():  # given up, by a cancelled task
                waiter.set_result(None)

    def close(self) -> None:
        """Wake every waiter, and cancel the timers."""
        self._silence()
        self.wake()

    def _ring_at(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self._silence()
        self._rings_at = deadline
        self._timer = loop.call_at(deadline, self._ring, loop)

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = None, math.inf

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._silence()
        now = loop.time()
        late = [waiter for deadline, waiter in self._waiting if deadline <= now]
        self._waiting = [(deadline, waiter) for deadline, waiter in self._waiting if deadline > now]
        for waiter in late:
            if not waiter.done():
                waiter.set_exception(TimeoutError())
        earliest = min((deadline for deadline, waiter in self._waiting if not waiter.done()), default=math.inf)
        if earliest < math.inf:
            self._ring_at(earliest, loop)
