"""Whether hosts and workers answer: asks them, kills workers that do not, and says which hosts do not."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.pty_hosts import PtyHost, PtyHosts
    from web_terminal_suite.server.watchdog import Watchdog
    from web_terminal_suite.server.workers import Workers

log = logging.getLogger("web_terminal_suite.supervisor")

# How often the log says that a PTY host still does not answer.
_REMIND_SECONDS = 60.0


class Liveness:
    """Asks every process a few times within the watchdog's limit. ``question`` is what workers are asked with."""

    def __init__(self, watchdog: Watchdog, hosts: PtyHosts, workers: Workers, question: Callable[[], bytes]) -> None:
        self._watchdog = watchdog
        self._hosts = hosts
        self._workers = workers
        self._question = question
        self._reminders: dict[int, float] = {}
        """When to say again that a host is silent, by its process id."""

    @property
    def silent_hosts(self) -> tuple[int, ...]:
        """The numbers of hosts that are not ready, or do not answer."""
        return tuple(host.number for host in self._hosts.all if host.ready_at is None or host.pid in self._reminders)

    def wake_at(self) -> float:
        """When to look again; infinity if nobody is watched."""
        return self._watchdog.wake_at()

    def pass_time(self, now: float) -> None:
        """Ask who is due, and act on silence."""
        hosts = {host.pid: host for host in self._hosts.all if host.answers(now)}
        self._watchdog.watch_hosts(set(hosts), now)
        self._reminders = {pid: due for pid, due in self._reminders.items() if pid in hosts}
        self._watchdog.pass_time(now)
        for pid in self._watchdog.silent(now):
            if pid in hosts:
                self._reminders[pid] = now
            else:
                self._workers.generations.silent(pid, self._watchdog.silence(pid, now), now)
                self._watchdog.forget(pid)
        for pid, due in self._reminders.items():
            if due <= now:
                self._reminders[pid] = now + _REMIND_SECONDS
                log.error(
                    "PTY host %d (pid %d) has not answered for %.0f s: its sessions cannot be created, attached, "
                    "listed or ended; see: cat /proc/%d/stack; if it hangs for good: kill -9 %d, and another one "
                    "adopts its sessions",
                    hosts[pid].number, pid, self._watchdog.silence(pid, now), pid, pid,
                )  # fmt: skip
        for pid in self._watchdog.to_ask(now):
            if pid in hosts:
                self._hosts.ask(hosts[pid])
            elif pid in self._workers:
                self._workers.tell(pid, self._question())

    def answered(self, host: PtyHost) -> None:
        """A host answers."""
        if self._watchdog.answered(host.pid, time.monotonic()):
            del self._reminders[host.pid]
            log.warning("PTY host %d (pid %d) answers again", host.number, host.pid)
