"""Which processes answer: when each is to be asked, and which has been silent for too long. No processes, no clock.

Times are monotonic seconds from the caller. The caller asks whom ``to_ask`` names, tells of answers, and acts on
``silent``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_QUESTIONS_PER_LIMIT = 4
# A caller that looks so much later than it should was stopped itself, and what it did not hear is nobody's fault.
_LATE_SECONDS = 1.0


@dataclass(eq=False)
class _Watched:
    """``asked`` is when the question was asked that is not answered yet."""

    due: float
    is_host: bool = False
    asked: float | None = None
    silent: bool = False


class Watchdog:
    """Asks every process a few times within ``limit_seconds``; 0 asks none.

    One question is under way for each process, so that one that does not read is not written to for ever.
    """

    def __init__(self, limit_seconds: float, now: float) -> None:
        self.limit_seconds = limit_seconds
        self.every_seconds = limit_seconds / _QUESTIONS_PER_LIMIT
        self._watched: dict[int, _Watched] = {}
        self._looked = now

    def watch(self, pid: int, now: float) -> None:
        """Ask ``pid`` from now on."""
        if self.limit_seconds:
            self._watched[pid] = _Watched(now)

    def watch_hosts(self, pids: set[int], now: float) -> None:
        """Ask these PTY hosts, and no others."""
        for pid in [pid for pid, each in self._watched.items() if each.is_host and pid not in pids]:
            self.forget(pid)
        if self.limit_seconds:
            for pid in pids - self._watched.keys():
                self._watched[pid] = _Watched(now, is_host=True)

    def forget(self, pid: int) -> None:
        """``pid`` is gone, or may be silent."""
        self._watched.pop(pid, None)

    def answered(self, pid: int, now: float) -> bool:
        """``pid`` answered; whether it had been reported as silent."""
        found = self._watched.get(pid)
        if found is None:
            return False
        was_silent, found.silent = found.silent, False
        if found.asked is not None:
            found.asked, found.due = None, now + self.every_seconds
        return was_silent

    def pass_time(self, now: float) -> None:
        """Call it before ``to_ask`` and ``silent``: time in which the caller did not run counts against nobody."""
        away = now - self._looked
        self._looked = now
        if away > self.every_seconds + _LATE_SECONDS:
            for each in self._watched.values():
                if each.asked is not None:
                    each.asked += away

    def to_ask(self, now: float) -> list[int]:
        """Processes that are due to be asked; they count as asked."""
        due = [pid for pid, each in self._watched.items() if each.asked is None and each.due <= now]
        for pid in due:
            self._watched[pid].asked = now
        return due

    def silent(self, now: float) -> list[int]:
        """Processes that have not answered for ``limit_seconds``; each is named once until it answers."""
        found = [
            pid
            for pid, each in self._watched.items()
            if each.asked is not None and not each.silent and now - each.asked >= self.limit_seconds
        ]
        for pid in found:
            self._watched[pid].silent = True
        return found

    def silence(self, pid: int, now: float) -> float:
        """For how many seconds ``pid`` has not answered."""
        found = self._watched.get(pid)
        return 0.0 if found is None or found.asked is None else now - found.asked

    def wake_at(self) -> float:
        """When to look again; infinity if nobody is watched."""
        return self._looked + self.every_seconds if self._watched else math.inf
