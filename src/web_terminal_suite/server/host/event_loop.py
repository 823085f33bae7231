"""The host's event loop: readiness of descriptors, deadlines and SIGCHLD, one thing at a time."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class EventLoop:
    """``epoll`` (level-triggered) with timers; ``run`` returns when ``stop`` was called."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = True

    def time(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Call ``handler`` with the ready events whenever ``fd`` is ready; replaces an earlier handler."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching. Call it before a descriptor that other processes have too is closed: epoll would keep it."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` once, ``seconds`` from now."""
        heapq.heappush(self._timers, (self.time() + seconds, next(self._order), action))

    def on_signals(self, actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
        """Call each signal's action from the loop, soon after the signal and once for several of a kind."""
        receiver, sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def wake(_events: int) -> None:
            for number in set(os.read(receiver, 4096)):  # the interpreter writes each signal's number
                actions[signal.Signals(number)]()

        for number in actions:
            signal.signal(number, lambda _number, _frame: None)
        # A full pipe means that a wake-up is under way already.
        signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
        self.watch(receiver, READ, wake)

    def stop(self) -> None:
        """Let ``run`` return after the present round."""
        self._running = False

    def run(self) -> None:
        """Serve until ``stop``."""
        while self._running:
            timeout = max(0.0, self._timers[0][0] - self.time()) if self._timers else None
            for fd, events in self._epoll.poll(timeout):
                handler = self._handlers.get(fd)
                if handler is not None:  # an earlier handler of this round may have ended it
                    handler(events)
            now = self.time()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
