"""An upgrade of the whole server: first the question whether the installed code takes over, then hosts, then workers.

The supervisor comes last, if all others have the installed code. One step after the other, each with a time limit;
nothing that fails in one ends a shell.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.server.in_place import CannotHandOver

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
    WORKERS = auto()
    """Another generation begins, and the one before leaves."""
    ASKING_AGAIN = auto()
    """The installed code was started, to say whether it takes over from this supervisor."""
    SUPERVISOR = auto()
    """It takes over now."""


class Asked(NamedTuple):
    """The installed code, started to answer: nothing on ``answer`` and status 0 mean that it takes over."""

    pid: int
    answer: int


class Upgrade:
    """What a SIGHUP leads to.

    ``ask`` starts the installed code of a host or of the supervisor, ``kill`` ends that process. ``renew`` starts a
    generation of workers; an upgrade begins only while ``settled`` says that none is under way. ``generation`` is the
    number of the one that serves. ``replace`` executes the supervisor's installed code in this process.
    """

    def __init__(
        self,
        hosts: PtyHosts,
        *,
        ask: Callable[[], Asked],
        ask_supervisor: Callable[[], Asked],
        kill: Callable[[int], None],
        renew: Callable[[], None],
        settled: Callable[[], bool],
        generation: Callable[[], int],
        replace: Callable[[], None],
        answer_seconds: float,
    ) -> None:
        self._hosts = hosts
        self._ask = ask
        self._ask_supervisor = ask_supervisor
        self._generation = generation
        self._replace = replace
        self._kill = kill
        self._renew = renew
        self._settled = settled
        self._answer_seconds = answer_seconds
        self._step = _Step.NONE
        self._wanted = False
        self._asked: Asked | None = None
        self._left: deque[PtyHost] = deque()
        self._stayed: list[int] = []
        """Numbers of hosts that have the code from before."""
        self._generation_before = 0
        self._current: PtyHost | None = None
        self._deadline = 0.0

    def request(self) -> None:
        """Upgrade, after the upgrade that is under way; any number of requests are one."""
        self._wanted = True

    @property
    def under_way(self) -> bool:
        """Whether an upgrade was asked for that is not over."""
        return self._wanted or self._step is not _Step.NONE

    @property
    def wanted(self) -> bool:
        """Whether another one is to follow."""
        return self._wanted

    def wake_at(self) -> float | None:
        """When a step has taken too long."""
        return None if self._step in (_Step.NONE, _Step.WORKERS) else self._deadline

    def pass_time(self, now: float) -> None:
        """Begin, or go on where a step is done or took too long."""
        if self._step is _Step.NONE and self._wanted and self._settled():
            self._wanted = False
            self._begin(now)
        elif self._asked is not None and now >= self._deadline:
            log.error("the installed code did not start within %g s; killing it", self._answer_seconds)
            self._deadline = now + self._answer_seconds
            self._kill(self._asked.pid)
        elif self._step is _Step.HOSTS:
            self._go_on(now)
        elif self._step is _Step.WORKERS and self._settled():
            self._end_with_supervisor(now)
        elif self._step is _Step.SUPERVISOR:
            self._step = _Step.NONE
            try:
                self._replace()
            except CannotHandOver as error:
                log.error("the supervisor stays as it is: %s", error)

    def _begin(self, now: float) -> None:
        try:
            self._asked = self._ask()
        except (OSError, MemoryError) as error:
            log.error("the PTY hosts stay as they are: the installed code could not be started: %s", error)
            self._stayed = [host.number for host in self._hosts.all]
            self._begin_workers()
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
        reason = text or ("" if well else f"the installed code {how} when it was asked, see above")
        if self._step is _Step.ASKING_AGAIN:
            if reason:
                log.error("the supervisor stays as it is: %s; hosts and workers have the installed code", reason)
            self._step, self._deadline = (_Step.NONE if reason else _Step.SUPERVISOR), 0.0
        elif not reason:
            self._step, self._stayed = _Step.HOSTS, []
            self._left.extend(self._hosts.all)
            self._go_on(time.monotonic())
        else:
            self._step = _Step.NONE
            log.error("the upgrade was dropped: %s; hosts and workers stay, no shell was touched", reason)
        return True

    def _go_on(self, now: float) -> None:
        current = self._current
        if current is not None and current.hands_over:
            if now < self._deadline:
                return
            log.warning("PTY host %d does not answer; it is upgraded when it does", current.number)
        if current is not None and (current.hands_over or current.refused):
            self._stayed.append(current.number)
        while self._left:
            self._current = self._left.popleft()
            if self._hosts.hand_over(self._current):
                self._deadline = now + _HAND_OVER_SECONDS
                return
        self._current = None
        self._begin_workers()

    def _begin_workers(self) -> None:
        self._step, self._generation_before = _Step.WORKERS, self._generation()
        self._renew()

    def _end_with_supervisor(self, now: float) -> None:
        """The workers are done: if they and all hosts have the installed code, the supervisor may."""
        self._step = _Step.NONE
        if self._generation() == self._generation_before:
            return  # it was dropped, and why is in the log
        if self._stayed:
            hosts = ", ".join(map(str, self._stayed))
            log.warning("the supervisor stays as it is, because it must understand PTY host %s, which stays", hosts)
            return
        try:
            self._asked = self._ask_supervisor()
        except (OSError, MemoryError) as error:
            log.error("the supervisor stays as it is: the installed code could not be started: %s", error)
            return
        self._step, self._deadline = _Step.ASKING_AGAIN, now + self._answer_seconds

    def stop(self) -> None:
        """The server stops: begin nothing any more."""
        self._wanted = False
        self._left.clear()
        if self._asked is not None:
            self._kill(self._asked.pid)
