"""An upgrade of the whole server: first the question whether the installed code takes over, then hosts, then workers.

One step after the other, each with a time limit; nothing that fails in one ends a shell.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.pty_hosts import PtyHost, PtyHosts

log = logging.getLogger("web_terminal_suite.supervisor")

# A host that has not handed over by then hands over when it comes round to it; the others do not wait.
_HAND_OVER_SECONDS = 5.0
_ANSWER_BYTES = 4096


class _Step(Enum):
    NONE = auto()
    ASKING = auto()
    """The installed code was started, to say whether it takes over."""
    HOSTS = auto()
    """One host after the other hands over."""


class Asked(NamedTuple):
    """The installed code, started to answer: nothing on ``answer`` and status 0 mean that it takes over."""

    pid: int
    answer: int


class Upgrade:
    """What a SIGHUP leads to.

    ``ask`` starts the installed code, ``kill`` ends that process. ``renew`` starts a generation of workers; an upgrade
    begins only while ``settled`` says that none is under way.
    """

    def __init__(
        self,
        hosts: PtyHosts,
        *,
        ask: Callable[[], Asked],
        kill: Callable[[int], None],
        renew: Callable[[], None],
        settled: Callable[[], bool],
        answer_seconds: float,
    ) -> None:
        self._hosts = hosts
        self._ask = ask
        self._kill = kill
        self._renew = renew
        self._settled = settled
        self._answer_seconds = answer_seconds
        self._step = _Step.NONE
        self._wanted = False
        self._asked: Asked | None = None
        self._left: deque[PtyHost] = deque()
        self._current: PtyHost | None = None
        self._deadline = 0.0

    def request(self) -> None:
        """Upgrade, after the upgrade that is under way; any number of requests are one."""
        self._wanted = True

    @property
    def under_way(self) -> bool:
        """Whether an upgrade was asked for whose workers were not."""
        return self._wanted or self._step is not _Step.NONE

    def wake_at(self) -> float | None:
        """When a step has taken too long."""
        return None if self._step is _Step.NONE else self._deadline

    def pass_time(self, now: float) -> None:
        """Begin, or go on where a step is done or took too long."""
        if self._step is _Step.NONE and self._wanted and self._settled():
            self._wanted = False
            self._begin(now)
        elif self._step is _Step.ASKING and now >= self._deadline and self._asked is not None:
            log.error("the installed code did not start within %g s; killing it", self._answer_seconds)
            self._deadline = now + self._answer_seconds
            self._kill(self._asked.pid)
        elif self._step is _Step.HOSTS:
            self._go_on(now)

    def _begin(self, now: float) -> None:
        try:
            self._asked = self._ask()
        except (OSError, MemoryError) as error:
            log.error("the PTY hosts stay as they are: the installed code could not be started: %s", error)
            self._renew()
            return
        self._step, self._deadline = _Step.ASKING, now + self._answer_seconds

    def ended(self, pid: int, how: str, *, well: bool) -> bool:
        """A child was reaped; whether it was the one that was asked."""
        asked = self._asked
        if asked is None or pid != asked.pid:
            return False
        text = os.read(asked.answer, _ANSWER_BYTES).decode(errors="replace")
        os.close(asked.answer)
        self._asked = None
        if well and not text:
            self._step = _Step.HOSTS
            self._left.extend(self._hosts.all)
            self._go_on(time.monotonic())
        else:
            self._step = _Step.NONE
            reason = text or f"the installed code {how} when it was asked, see above"
            log.error("the upgrade was dropped: %s; hosts and workers stay, no shell was touched", reason)
        return True

    def _go_on(self, now: float) -> None:
        current = self._current
        if current is not None and current.hands_over:
            if now < self._deadline:
                return
            log.warning("PTY host %d does not answer; it is upgraded when it does", current.number)
        while self._left:
            self._current = self._left.popleft()
            if self._hosts.hand_over(self._current):
                self._deadline = now + _HAND_OVER_SECONDS
                return
        self._step, self._current = _Step.NONE, None
        self._renew()

    def stop(self) -> None:
        """The server stops: begin nothing any more."""
        self._wanted = False
        self._left.clear()
        if self._asked is not None:
            self._kill(self._asked.pid)
