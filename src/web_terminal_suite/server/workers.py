"""The supervisor's workers: their processes, what they are told, and what they say.

Which of them are started, told to leave and killed is decided in ``generations``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from web_terminal_suite.server import control, launch
from web_terminal_suite.server.generations import Generations
from web_terminal_suite.server.processes import WORKER_MODULE, start, start_problem
from web_terminal_suite.server.supervisor_handover import HandedOverProcess
from web_terminal_suite.server.worker.counters import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web_terminal_suite.server.credential_store import CredentialStore
    from web_terminal_suite.server.pty_hosts import PtyHost
    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.watchdog import Watchdog

log = logging.getLogger("web_terminal_suite.supervisor")

# A worker that leaves needs ``drain_timeout``, and this to notice and to end; then it is killed.
_LEAVE_MARGIN_SECONDS = 5.0
# A worker that has no channel to a host so long after that one's start was let down by it.
_LOST_SECONDS = 5.0


@dataclass(eq=False)
class WorkerChild:
    """A worker's process; ``row`` is that of its counters."""

    pid: int
    control: socket.socket
    row: int
    knows: int = 0
    """The version of the credentials that it was given."""


class Workers:
    """Starts, tells and ends workers. ``ready`` is called when one serves.

    Workers inherit ``listener``, and the memory of settings and counters.
    """

    def __init__(
        self,
        settings: Settings,
        selector: selectors.BaseSelector,
        hosts: list[PtyHost],
        watchdog: Watchdog,
        listener: socket.socket,
        credentials: CredentialStore,
        *,
        settings_fd: int,
        counters_fd: int,
        generation: int,
        ready: Callable[[], None],
    ) -> None:
        self._selector = selector
        self._hosts = hosts
        self._watchdog = watchdog
        self._credentials = credentials
        self._ready = ready
        self._inherited = {
            launch.SETTINGS_FD: settings_fd,
            launch.LISTENER_FD: listener.fileno(),
            launch.COUNTERS_FD: counters_fd,
        }
        self._children: dict[int, WorkerChild] = {}
        self.generations = Generations(
            settings.workers,
            time.monotonic(),
            start_seconds=settings.start_timeout,
            leave_seconds=settings.drain_timeout + _LEAVE_MARGIN_SECONDS,
            number=generation,
        )

    def __contains__(self, pid: int) -> bool:
        return pid in self._children

    @property
    def pids(self) -> set[int]:
        """Every worker that was not reaped yet."""
        return set(self._children)

    @property
    def handed_over(self) -> tuple[HandedOverProcess, ...]:
        """All of them, for the code that has this process next."""
        children = self._children.values()
        return tuple(HandedOverProcess(each.pid, each.control.fileno(), each.row) for each in children)

    # --- starts and ends

    def pass_time(self, now: float) -> None:
        """Tell workers to leave, kill and start them, where that is due."""
        self.generations.pass_time(now)
        self._follow_orders(launch.REPLACE)
        while (place := self.generations.next_start(now)) is not None:
            try:
                pid = self._start()
            except (OSError, MemoryError) as error:
                self.generations.start_failed(place, start_problem(error), now)
                self._follow_orders(launch.REPLACE)
            else:
                self.generations.started(place, pid, now)

    def leave(self, now: float) -> set[int]:
        """The server stops: let every worker go; all that are not reaped yet."""
        left = set(self.generations.leave(now))
        self._follow_orders(launch.STOP)
        return left

    def _follow_orders(self, word: bytes) -> None:
        for order in self.generations.orders():
            if order.kill:
                os.kill(order.pid, signal.SIGKILL)  # not reaped yet, so the id is its own
                continue
            self._watchdog.forget(order.pid)  # generations gives it a time limit of its own
            self.tell(order.pid, word)

    def _start(self) -> int:
        """A new worker's process id.

        Raises:
            OSError: a socket, a descriptor's way to a host, or the process could not be had; nothing is left of it.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(near)
            theirs.enter_context(far)
            channels = []
            rows = {child.row for child in self._children.values()}
            row = next(row for row in range(ROWS) if row not in rows)
            for host in self._hosts:
                to_host, to_worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                channels.append(theirs.enter_context(to_worker))
                with to_host:
                    # A host that does not read must not stop this process.
                    host.say_or_fail(control.NewWorker(row=row, fresh=True), to_host.fileno())
            places = {
                **self._inherited,
                launch.CONTROL_FD: far.fileno(),
                **{launch.FIRST_CHANNEL_FD + number: sock.fileno() for number, sock in enumerate(channels)},
            }
            child = WorkerChild(0, near, row, knows=self._credentials.version)
            # Not at a descriptor of its own: until the process guards its memory, others could read that one.
            socket.send_fds(near, [launch.CREDENTIALS], [self._credentials.fd])
            # Before there is a process that would be lost if this failed.
            self._selector.register(near, selectors.EVENT_READ, lambda: self._on_worker(child))
            ours.callback(self._selector.unregister, near)
            child.pid = start(WORKER_MODULE, [str(row)], places)
            ours.pop_all()
        self._children[child.pid] = child
        return child.pid

    def adopt(self, child: WorkerChild, now: float) -> None:
        """Take in a worker that serves already; without a place for it, it leaves."""
        self._children[child.pid] = child
        self._selector.register(child.control, selectors.EVENT_READ, partial(self._on_worker, child))
        self._watchdog.watch(child.pid, now)
        if not self.generations.adopt(child.pid, now):
            self.tell(child.pid, launch.REPLACE)

    def ended(self, pid: int, how: str, now: float) -> bool:
        """A process was reaped; whether it was a worker. ``how`` it ended, as in "was killed by SIGKILL"."""
        child = self._children.pop(pid, None)
        if child is None:
            return False
        if child.control in self._selector.get_map():
            self._selector.unregister(child.control)
        child.control.close()
        self._watchdog.forget(pid)
        self.generations.ended(pid, how, now)
        return True

    # --- messages

    def tell(self, pid: int, packet: bytes) -> None:
        """Tell one worker."""
        try:
            self._children[pid].control.send(packet, socket.MSG_DONTWAIT)
        except OSError:
            pass  # it is gone, or does not read, which the watchdog notices

    def tell_all(self, packet: bytes) -> None:
        """Tell every worker."""
        for pid in self._children:
            self.tell(pid, packet)

    def tell_credentials(self) -> None:
        """Let every worker have the present credentials; one that does not read is tried again."""
        for child in self._children.values():
            if child.knows == self._credentials.version:
                continue
            try:
                socket.send_fds(child.control, [launch.CREDENTIALS], [self._credentials.fd], socket.MSG_DONTWAIT)
            except OSError:
                continue  # it is gone, or will be killed by the watchdog if it reads nothing
            child.knows = self._credentials.version

    def _on_worker(self, child: WorkerChild) -> None:
        if child.pid not in self._children:
            return  # buried earlier in this round
        try:
            word = child.control.recv(launch.CONTROL_BYTES)
        except ConnectionResetError:
            word = b""  # it ended before it read what we told it
        if not word:  # it ended; SIGCHLD says how
            self._selector.unregister(child.control)
            return
        now = time.monotonic()
        if word == launch.ALIVE:
            self._watchdog.answered(child.pid, now)
        elif word == launch.READY:
            self._watchdog.watch(child.pid, now)
            self.generations.ready(child.pid, now)
            self._ready()
        elif word.startswith(launch.LOGGED_OUT):
            self._credentials.end_login(word.removeprefix(launch.LOGGED_OUT))
        elif word.startswith(launch.LOST):
            self._on_lost(child, self._hosts[int(word.removeprefix(launch.LOST))])

    def _on_lost(self, child: WorkerChild, host: PtyHost) -> None:
        """A worker has no channel to a host, and says so as long as it has none."""
        if host.pid and time.monotonic() - host.started_at > _LOST_SECONDS:
            log.error("worker %d has no channel to PTY host %d any more; replacing it", child.pid, host.number)
            self.tell(child.pid, launch.REPLACE)

    # --- for a new host

    def introduce(self, host: PtyHost) -> Iterator[control.Lent]:
        """Give each worker a new channel to a host; the host's ends."""
        for child in list(self._children.values()):
            to_host, to_worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with to_host, to_worker:
                try:
                    word = launch.HOST + b"%d" % host.number
                    socket.send_fds(child.control, [word], [to_worker.fileno()], socket.MSG_DONTWAIT)
                except OSError as error:
                    log.warning("worker %d cannot be given a channel: %s; killing it", child.pid, error.strerror)
                    self.kill(child.row)
                    continue
                yield control.NewWorker(row=child.row, fresh=False), (to_host.fileno(),)

    def kill(self, row: int) -> None:
        """A worker that does not run keeps others' sessions from being adopted; another one takes its place."""
        for child in self._children.values():
            if child.row == row:
                os.kill(child.pid, signal.SIGKILL)
